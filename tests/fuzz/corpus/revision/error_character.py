revision = 'char1'
down_revision = None
x = $y
