"""bad

Revision ID: bad1
"""
revision = 'bad1'
down_revision = '622dbc22743e'


def upgrade()
    op.execute("x")
