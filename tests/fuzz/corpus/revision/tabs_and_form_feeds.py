"""tabs"""

revision = 'tabs'
down_revision = None
def upgrade():
	if x:
	    op.x()
        # eight spaces are one tab
	pass
def downgrade():
	pass
