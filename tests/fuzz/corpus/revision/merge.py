"""merge heads

Revision ID: d0000000000d
Revises: c1000000000c, c2000000000c
Create Date: 2025-01-27 10:00:00.000000

"""
revision = 'd0000000000d'
down_revision = ('c1000000000c', 'c2000000000c')
branch_labels = None
depends_on = None


def upgrade():
    pass


def downgrade():
    pass
