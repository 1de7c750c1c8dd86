"""Add context tables

What the personas know about a user's business, what they asked to know, and
the answers found by research, kept so that the same question is not paid twice.

Revision ID: 71a746e3c1d9
Revises: 2f7e9d4c8b1a
Create Date: 2025-10-06 11:37:09.205867

"""
from typing import Sequence, Union

from alembic import op
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

# revision identifiers, used by Alembic.
revision: str = '71a746e3c1d9'
down_revision: Union[str, Sequence[str], None] = '2f7e9d4c8b1a'
branch_labels: Union[str, Sequence[str], None] = None
depends_on: Union[str, Sequence[str], None] = None


def upgrade() -> None:
    """Apply schema changes."""

    op.create_table(
        'user_context',
        sa.Column('user_id', sa.String(255), nullable=False),
        sa.Column('business_model', sa.Text(), nullable=True),
        sa.Column('target_market', sa.Text(), nullable=True),
        sa.Column('details', JSONB, server_default='{}', nullable=False),
        sa.Column('updated_at', sa.DateTime(timezone=True),
                  server_default=sa.func.now(), nullable=False),
        sa.ForeignKeyConstraint(['user_id'], ['users.id'], ondelete='CASCADE'),
        sa.PrimaryKeyConstraint('user_id')
    )

    op.create_table(
        'session_clarifications',
        sa.Column('id', sa.BigInteger(), nullable=False),
        sa.Column('session_id', sa.String(255), nullable=False),
        sa.Column('question', sa.Text(), nullable=False),
        sa.Column('answer', sa.Text(), nullable=True),
        sa.Column('asked_at', sa.DateTime(timezone=True),
                  server_default=sa.func.now(), nullable=False),
        sa.ForeignKeyConstraint(['session_id'], ['sessions.id'], ondelete='CASCADE'),
        sa.PrimaryKeyConstraint('id')
    )
    op.create_index('idx_clarifications_session_id', 'session_clarifications', ['session_id'])

    op.create_table(
        'research_cache',
        sa.Column('id', sa.BigInteger(), nullable=False),
        sa.Column('question', sa.Text(), nullable=False),
        sa.Column('question_embedding', sa.Text(), nullable=True),
        sa.Column('answer_summary', sa.Text(), nullable=False),
        sa.Column('sources', JSONB, nullable=True),
        sa.Column('researched_at', sa.DateTime(timezone=True),
                  server_default=sa.func.now(), nullable=False),
        sa.PrimaryKeyConstraint('id')
    )
    op.create_index('idx_research_cache_embedding', 'research_cache', ['question_embedding'])

    op.execute("""
        COMMENT ON TABLE user_context IS 'What is known about the business of a user';
        COMMENT ON TABLE session_clarifications IS 'Questions the personas put to the user';
        COMMENT ON TABLE research_cache IS 'Answers found by research, by question';
    """)


def downgrade() -> None:
    """Rollback schema changes."""

    op.drop_table('research_cache')
    op.drop_table('session_clarifications')
    op.drop_table('user_context')
