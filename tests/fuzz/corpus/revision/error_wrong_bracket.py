revision = 'wrong1'
down_revision = ['a', 'b')
