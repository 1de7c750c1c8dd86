revision = 'block1'
down_revision = None
def upgrade():
def downgrade():
    pass
