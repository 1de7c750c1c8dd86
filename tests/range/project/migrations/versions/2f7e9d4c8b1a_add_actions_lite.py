"""Add actions lite

Revision ID: 2f7e9d4c8b1a
Revises: ced8f3f148bb
Create Date: 2025-09-19 16:02:51.740118

"""
from typing import Sequence, Union

from alembic import op
import sqlalchemy as sa

# revision identifiers, used by Alembic.
revision: str = '2f7e9d4c8b1a'
down_revision: Union[str, Sequence[str], None] = 'ced8f3f148bb'
branch_labels: Union[str, Sequence[str], None] = None
depends_on: Union[str, Sequence[str], None] = None


def upgrade() -> None:
    """Apply schema changes."""

    op.create_table(
        'actions',
        sa.Column('id', sa.BigInteger(), nullable=False),
        sa.Column('session_id', sa.String(255), nullable=False),
        sa.Column('title', sa.String(500), nullable=False),
        sa.Column('status', sa.String(20), server_default='todo', nullable=False),
        sa.Column('due_on', sa.Date(), nullable=True),
        sa.Column('created_at', sa.DateTime(timezone=True),
                  server_default=sa.func.now(), nullable=False),
        sa.CheckConstraint("status IN ('todo', 'doing', 'done')", name='chk_actions_status'),
        sa.ForeignKeyConstraint(['session_id'], ['sessions.id'], ondelete='CASCADE'),
        sa.PrimaryKeyConstraint('id')
    )
    op.create_index('idx_actions_session_id', 'actions', ['session_id'])
    op.create_index('idx_actions_open', 'actions', ['due_on'],
                    postgresql_where=sa.text("status <> 'done'"))
    op.execute("COMMENT ON TABLE actions IS 'What a user decided to do after a session';")


def downgrade() -> None:
    """Rollback schema changes."""

    op.drop_index('idx_actions_open', table_name='actions')
    op.drop_index('idx_actions_session_id', table_name='actions')
    op.drop_table('actions')
