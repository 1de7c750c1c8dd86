revision = 'open1'
down_revision = None
def upgrade():
    op.create_table(
        'x',

def downgrade():
    pass
