"""e"""
revision = "eee5"; down_revision = ["ddd4"]; depends_on = {"bbb2"}
def upgrade():
    op.execute("select 1")
