"""Add waitlist table

Revision ID: 9f3c7b8e2d1a
Revises: 8a5d2f9e1b3c
Create Date: 2025-11-04 14:20:18.566721

"""
from typing import Sequence, Union

from alembic import op
import sqlalchemy as sa

# revision identifiers, used by Alembic.
revision: str = '9f3c7b8e2d1a'
down_revision: Union[str, Sequence[str], None] = '8a5d2f9e1b3c'
branch_labels: Union[str, Sequence[str], None] = None
depends_on: Union[str, Sequence[str], None] = None


def upgrade() -> None:
    """Apply schema changes."""

    op.create_table(
        'waitlist',
        sa.Column('id', sa.BigInteger(), nullable=False),
        sa.Column('email', sa.String(255), nullable=False),
        sa.Column('status', sa.String(20), server_default='pending', nullable=False),
        sa.Column('source', sa.String(100), nullable=True),
        sa.Column('created_at', sa.DateTime(timezone=True),
                  server_default=sa.func.now(), nullable=False),
        sa.CheckConstraint("status IN ('pending', 'invited', 'converted')",
                           name='chk_waitlist_status'),
        sa.PrimaryKeyConstraint('id'),
        sa.UniqueConstraint('email', name='uq_waitlist_email')
    )
    op.create_index('idx_waitlist_status', 'waitlist', ['status', 'created_at'])
    op.execute("COMMENT ON TABLE waitlist IS 'People who asked to be invited';")


def downgrade() -> None:
    """Rollback schema changes."""

    op.drop_index('idx_waitlist_status', table_name='waitlist')
    op.drop_table('waitlist')
