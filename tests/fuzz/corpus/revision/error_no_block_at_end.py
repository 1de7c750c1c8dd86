revision = 'block2'
down_revision = None
def upgrade():
