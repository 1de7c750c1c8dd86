revision = 'indent2'
down_revision = None
def upgrade():
        a()
    b()
