revision = 'types'
down_revision = 4.5
depends_on = ['a', 7]
branch_labels = {'a': 1}
