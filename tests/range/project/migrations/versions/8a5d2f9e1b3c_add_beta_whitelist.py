"""Add beta whitelist

Revision ID: 8a5d2f9e1b3c
Revises: 71a746e3c1d9
Create Date: 2025-10-21 08:55:43.914302

"""
from typing import Sequence, Union

from alembic import op
import sqlalchemy as sa

# revision identifiers, used by Alembic.
revision: str = '8a5d2f9e1b3c'
down_revision: Union[str, Sequence[str], None] = '71a746e3c1d9'
branch_labels: Union[str, Sequence[str], None] = None
depends_on: Union[str, Sequence[str], None] = None


def upgrade() -> None:
    """Apply schema changes."""

    op.create_table(
        'beta_whitelist',
        sa.Column('id', sa.BigInteger(), nullable=False),
        sa.Column('email', sa.String(255), nullable=False),
        sa.Column('added_by', sa.String(255), nullable=True),
        sa.Column('notes', sa.Text(), nullable=True),
        sa.Column('created_at', sa.DateTime(timezone=True),
                  server_default=sa.func.now(), nullable=False),
        sa.PrimaryKeyConstraint('id'),
        sa.UniqueConstraint('email', name='uq_beta_whitelist_email')
    )
    op.execute("COMMENT ON TABLE beta_whitelist IS 'Addresses that may sign up during the beta';")


def downgrade() -> None:
    """Rollback schema changes."""

    op.drop_table('beta_whitelist')
