"""Add session slugs

Revision ID: a3c5e7f9b1d2
Revises: 622dbc22743e
Create Date: 2025-12-13 09:02:11.417032

"""
from typing import Sequence, Union

from alembic import op
import sqlalchemy as sa

# revision identifiers, used by Alembic.
revision: str = 'a3c5e7f9b1d2'
down_revision: Union[str, Sequence[str], None] = '622dbc22743e'
branch_labels: Union[str, Sequence[str], None] = None
depends_on: Union[str, Sequence[str], None] = None


def upgrade() -> None:
    """Apply schema changes."""

    op.add_column('sessions', sa.Column('slug', sa.Text(), nullable=True))
    # Concurrently, so that nobody waits: that wants no transaction.
    with op.get_context().autocommit_block():
        op.create_index('idx_sessions_slug_owner', 'sessions', ['user_id'],
                        unique=True, postgresql_concurrently=True)


def downgrade() -> None:
    """Rollback schema changes."""

    op.drop_index('idx_sessions_slug_owner', table_name='sessions')
    op.drop_column('sessions', 'slug')
