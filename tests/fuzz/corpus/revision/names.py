"""names"""
PARENT = 'parent'
BASE = OLD = "old"
revision = rev = 'named'
down_revision = (PARENT, OLD)
depends_on = f'{PARENT}_{BASE}'
branch_labels = rev
