"""containers"""
revision = ("only_brackets")
down_revision = [
    'a',
    """b""",
    'c' + 'd',   # a sum
]
branch_labels = set(['x'])
depends_on = tuple(("p", 'q',),)
