"""Short description of migration

Detailed explanation of what this migration does and why.

Revision ID: abc123def456
Revises: xyz789
Create Date: 2025-01-27 10:00:00.000000
"""
from typing import Sequence, Union

from alembic import op
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

# revision identifiers
revision: str = 'abc123def456'
down_revision: Union[str, Sequence[str], None] = 'xyz789'
branch_labels: Union[str, Sequence[str], None] = None
depends_on: Union[str, Sequence[str], None] = None


def upgrade() -> None:
    """Apply schema changes."""

    # Create table with IF NOT EXISTS for idempotency
    op.create_table(
        'new_table',
        sa.Column('id', sa.BigInteger(), nullable=False, primary_key=True),
        sa.PrimaryKeyConstraint('id')
    )

    op.execute("""
        COMMENT ON TABLE new_table IS 'Description of table purpose';
revision = 'not this one'
    """)


def downgrade() -> None:
    """Rollback schema changes."""

    op.drop_index('idx_new_table_user_id', table_name='new_table')
    op.drop_table('new_table')
