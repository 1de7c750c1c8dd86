"""last wins"""
revision = 'first'
revision = 'second'
down_revision = 'x'
down_revision = None
depends_on = 'a'
depends_on += 'b'
branch_labels = ['l1']
branch_labels += ['l2']
