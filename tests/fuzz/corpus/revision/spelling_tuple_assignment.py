"""d"""
revision, down_revision = 'ddd4', 'ccc3'
branch_labels = depends_on = None
def upgrade(): pass; return
def downgrade():
    """Nothing to undo."""
