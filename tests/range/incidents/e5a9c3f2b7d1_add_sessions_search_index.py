"""Add sessions search index

Revision ID: e5a9c3f2b7d1
Revises: 622dbc22743e
Create Date: 2025-12-12 08:17:50.902736

"""
from typing import Sequence, Union

from alembic import op
import sqlalchemy as sa

# revision identifiers, used by Alembic.
revision: str = 'e5a9c3f2b7d1'
down_revision: Union[str, Sequence[str], None] = '622dbc22743e'
branch_labels: Union[str, Sequence[str], None] = None
depends_on: Union[str, Sequence[str], None] = None


def upgrade() -> None:
    """Apply schema changes."""

    op.create_index('idx_sessions_search_key', 'sessions',
                    [sa.text('search_key(problem_statement)')])


def downgrade() -> None:
    """Rollback schema changes."""

    op.drop_index('idx_sessions_search_key', table_name='sessions')
