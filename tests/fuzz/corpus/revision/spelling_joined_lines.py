'''unicode doc: \u00e9t\xe9 ☃'''
revision = \
    "ccc3"
down_revision = (
    # the parent
    "bbb"  # first half
    "2"
)
def upgrade(): pass
def downgrade(): return None
