"""More ways"""
revision = 'r'
down_revision = 'a' if x else 'b'
depends_on = ['a']
depends_on.append('b')
branch_labels = "%s" % 'x'
