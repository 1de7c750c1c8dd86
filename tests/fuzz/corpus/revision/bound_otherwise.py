"""Loops and imports bind names, too"""
revision = 'r'
down_revision = None
depends_on = 'x'
for depends_on in ['a', 'b']: pass
with open('x') as branch_labels: pass
if (down_revision := 'walrus'): pass
from elsewhere import upgrade
downgrade = upgrade
