"""Add user preferences

Revision ID: b7d1e5a9c3f2
Revises: 001_research_metrics
Create Date: 2025-12-10 09:48:15.329604

"""
from typing import Sequence, Union

from alembic import op
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

# revision identifiers, used by Alembic.
revision: str = 'b7d1e5a9c3f2'
down_revision: Union[str, Sequence[str], None] = '001_research_metrics'
branch_labels: Union[str, Sequence[str], None] = None
depends_on: Union[str, Sequence[str], None] = None


def upgrade() -> None:
    """Apply schema changes."""

    op.add_column('users', sa.Column('preferences', JSONB, server_default='{}'))


def downgrade() -> None:
    """Rollback schema changes."""

    op.execute("ALTER TABLE users DROP COLUMN IF EXISTS preferences;")
