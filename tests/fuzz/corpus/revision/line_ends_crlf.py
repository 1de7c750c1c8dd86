"""crlf

Create Date: 2024-01-01
"""
revision = 'crlf'
down_revision = \
    'parent'
def upgrade():
    pass
