revision = 'str1'
down_revision = 'x
depends_on = None
