revision = 'bb' 'b2'
down_revision = 'aaa1'


def upgrade():
    ...
