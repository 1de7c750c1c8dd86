"""Add session_events and session_tasks tables

Events make a session's stream replayable after a lost connection; tasks are the
sub-problems a session was split into. users.last_session saves the dashboard one
query per row.

Revision ID: 622dbc22743e
Revises: 001_research_metrics
Create Date: 2025-12-09 13:26:44.657803

"""
from typing import Sequence, Union

from alembic import op
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

# revision identifiers, used by Alembic.
revision: str = '622dbc22743e'
down_revision: Union[str, Sequence[str], None] = '001_research_metrics'
branch_labels: Union[str, Sequence[str], None] = None
depends_on: Union[str, Sequence[str], None] = None


def upgrade() -> None:
    """Apply schema changes."""

    op.create_table(
        'session_events',
        sa.Column('id', sa.BigInteger(), nullable=False),
        sa.Column('session_id', sa.String(255), nullable=False),
        sa.Column('event_type', sa.String(100), nullable=False),
        sa.Column('sequence', sa.Integer(), nullable=False),
        sa.Column('data', JSONB, nullable=False),
        sa.Column('created_at', sa.DateTime(timezone=True),
                  server_default=sa.func.now(), nullable=False),
        sa.ForeignKeyConstraint(['session_id'], ['sessions.id'], ondelete='CASCADE'),
        sa.PrimaryKeyConstraint('id')
    )
    op.create_index('idx_session_events_sequence', 'session_events',
                    ['session_id', 'sequence'], unique=True)

    op.create_table(
        'session_tasks',
        sa.Column('id', sa.BigInteger(), nullable=False),
        sa.Column('session_id', sa.String(255), nullable=False),
        sa.Column('tasks', JSONB, nullable=False),
        sa.Column('total_tasks', sa.Integer(), server_default='0', nullable=False),
        sa.Column('extracted_at', sa.DateTime(timezone=True),
                  server_default=sa.func.now(), nullable=False),
        sa.ForeignKeyConstraint(['session_id'], ['sessions.id'], ondelete='CASCADE'),
        sa.PrimaryKeyConstraint('id'),
        sa.UniqueConstraint('session_id', name='uq_session_tasks_session_id')
    )

    op.add_column('users', sa.Column('last_session', sa.DateTime(timezone=True), nullable=True))

    op.execute("""
        COMMENT ON TABLE session_events IS 'Everything a session streamed, in order';
        COMMENT ON TABLE session_tasks IS 'The sub-problems a session was split into';
        COMMENT ON COLUMN users.last_session IS 'When the latest session of the user began';
    """)


def downgrade() -> None:
    """Rollback schema changes."""

    op.execute("ALTER TABLE users DROP COLUMN IF EXISTS last_session;")
    op.execute("DROP TABLE IF EXISTS session_tasks;")
    op.execute("DROP TABLE IF EXISTS session_events;")
