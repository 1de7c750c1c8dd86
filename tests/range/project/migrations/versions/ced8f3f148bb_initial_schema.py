"""Initial schema

The accounts, the deliberation sessions they start, and what each persona
contributes to a session.

Revision ID: ced8f3f148bb
Revises: 
Create Date: 2025-09-02 09:14:27.318452

"""
from typing import Sequence, Union

from alembic import op
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

# revision identifiers, used by Alembic.
revision: str = 'ced8f3f148bb'
down_revision: Union[str, Sequence[str], None] = None
branch_labels: Union[str, Sequence[str], None] = None
depends_on: Union[str, Sequence[str], None] = None


def upgrade() -> None:
    """Apply schema changes."""

    op.create_table(
        'users',
        sa.Column('id', sa.String(255), nullable=False),
        sa.Column('email', sa.String(255), nullable=False),
        sa.Column('display_name', sa.String(255), nullable=True),
        sa.Column('auth_provider', sa.String(50), server_default='email', nullable=False),
        sa.Column('subscription_tier', sa.String(50), server_default='free', nullable=False),
        sa.Column('gdpr_consent_at', sa.DateTime(timezone=True), nullable=True),
        sa.Column('created_at', sa.DateTime(timezone=True),
                  server_default=sa.func.now(), nullable=False),
        sa.Column('updated_at', sa.DateTime(timezone=True),
                  server_default=sa.func.now(), nullable=False),
        sa.PrimaryKeyConstraint('id')
    )
    op.create_index('idx_users_email', 'users', ['email'], unique=True)

    op.create_table(
        'sessions',
        sa.Column('id', sa.String(255), nullable=False),
        sa.Column('user_id', sa.String(255), nullable=False),
        sa.Column('problem_statement', sa.Text(), nullable=False),
        sa.Column('problem_context', JSONB, nullable=True),
        sa.Column('status', sa.String(50), server_default='created', nullable=False),
        sa.Column('total_cost', sa.Numeric(10, 4), server_default='0', nullable=False),
        sa.Column('created_at', sa.DateTime(timezone=True),
                  server_default=sa.func.now(), nullable=False),
        sa.Column('updated_at', sa.DateTime(timezone=True),
                  server_default=sa.func.now(), nullable=False),
        sa.Column('completed_at', sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(['user_id'], ['users.id'], ondelete='CASCADE'),
        sa.PrimaryKeyConstraint('id')
    )
    op.create_index('idx_sessions_user_id', 'sessions', ['user_id'])
    op.create_index('idx_sessions_status_created', 'sessions', ['status', 'created_at'])

    op.create_table(
        'contributions',
        sa.Column('id', sa.BigInteger(), nullable=False),
        sa.Column('session_id', sa.String(255), nullable=False),
        sa.Column('persona_code', sa.String(50), nullable=False),
        sa.Column('round_number', sa.Integer(), nullable=False),
        sa.Column('content', sa.Text(), nullable=False),
        sa.Column('created_at', sa.DateTime(timezone=True),
                  server_default=sa.func.now(), nullable=False),
        sa.ForeignKeyConstraint(['session_id'], ['sessions.id'], ondelete='CASCADE'),
        sa.PrimaryKeyConstraint('id')
    )
    op.create_index('idx_contributions_session_id', 'contributions', ['session_id'])

    op.execute("""
        COMMENT ON TABLE users IS 'One row per account';
        COMMENT ON TABLE sessions IS 'Deliberation sessions';
        COMMENT ON COLUMN sessions.status IS 'created, running, completed, failed or killed';
        COMMENT ON TABLE contributions IS 'What each persona said, round by round';
    """)


def downgrade() -> None:
    """Rollback schema changes."""

    op.drop_table('contributions')
    op.drop_table('sessions')
    op.drop_table('users')
