"""Add session share links

Revision ID: d4c6f8a0b2e1
Revises: 622dbc22743e
Create Date: 2025-12-11 15:33:28.114590

"""
from typing import Sequence, Union

from alembic import op
import sqlalchemy as sa

# revision identifiers, used by Alembic.
revision: str = 'd4c6f8a0b2e1'
down_revision: Union[str, Sequence[str], None] = '622dbc22743e'
branch_labels: Union[str, Sequence[str], None] = None
depends_on: Union[str, Sequence[str], None] = None


def upgrade() -> None:
    """Apply schema changes."""

    op.create_table(
        'session_share_links',
        sa.Column('token', sa.String(64), nullable=False),
        sa.Column('session_id', sa.String(255), nullable=False),
        sa.Column('expires_at', sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(['session_id'], ['sessions.id'], ondelete='CASCADE'),
        sa.PrimaryKeyConstraint('token')
    )


def downgrade() -> None:
    """Rollback schema changes."""

    op.drop_table('session_share_links')
