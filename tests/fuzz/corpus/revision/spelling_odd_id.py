"""f -> with arrow (head), comma"""
revision = f"fff_6.x y"
down_revision = str("eee5")
def upgrade(): op.execute("select 1")
def downgrade(): raise NotImplementedError
