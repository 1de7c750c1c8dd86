"""defined twice"""
revision = 'twice'
down_revision = None
def upgrade():
    op.drop_table('x')
if True:
    def upgrade():
        pass
    def downgrade():
        return None
