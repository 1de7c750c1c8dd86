"""Add research metrics table

Revision ID: 001_research_metrics
Revises: f23423398b2a
Create Date: 2025-12-01 17:08:02.431179

"""
from typing import Sequence, Union

from alembic import op
import sqlalchemy as sa

# revision identifiers, used by Alembic.
revision: str = '001_research_metrics'
down_revision: Union[str, Sequence[str], None] = 'f23423398b2a'
branch_labels: Union[str, Sequence[str], None] = None
depends_on: Union[str, Sequence[str], None] = None


def upgrade() -> None:
    """Apply schema changes."""

    op.create_table(
        'research_metrics',
        sa.Column('id', sa.BigInteger(), nullable=False),
        sa.Column('session_id', sa.String(255), nullable=True),
        sa.Column('depth', sa.String(10), server_default='basic', nullable=False),
        sa.Column('sources_count', sa.Integer(), server_default='0', nullable=False),
        sa.Column('cached', sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column('cost', sa.Numeric(10, 6), nullable=True),
        sa.Column('response_ms', sa.Integer(), nullable=True),
        sa.Column('created_at', sa.DateTime(timezone=True),
                  server_default=sa.func.now(), nullable=False),
        sa.ForeignKeyConstraint(['session_id'], ['sessions.id'], ondelete='SET NULL'),
        sa.PrimaryKeyConstraint('id')
    )
    op.create_index('idx_research_metrics_created_at', 'research_metrics', ['created_at'])
    op.execute("""
        COMMENT ON TABLE research_metrics IS 'Cost and latency of each research request';
        COMMENT ON COLUMN research_metrics.cached IS 'Answered from research_cache';
    """)


def downgrade() -> None:
    """Rollback schema changes."""

    op.drop_index('idx_research_metrics_created_at', table_name='research_metrics')
    op.drop_table('research_metrics')
