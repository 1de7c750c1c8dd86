"""Fix research cache vector type and index

The embedding was stored as text and its index was a btree over that text, of no
use to a similarity search. It becomes an array of numbers with a GIN index.

Revision ID: f23423398b2a
Revises: 9f3c7b8e2d1a
Create Date: 2025-11-18 10:41:36.082945

"""
from typing import Sequence, Union

from alembic import op

# revision identifiers, used by Alembic.
revision: str = 'f23423398b2a'
down_revision: Union[str, Sequence[str], None] = '9f3c7b8e2d1a'
branch_labels: Union[str, Sequence[str], None] = None
depends_on: Union[str, Sequence[str], None] = None


def upgrade() -> None:
    """Apply schema changes."""

    op.drop_index('idx_research_cache_embedding', table_name='research_cache')
    op.execute("""
        ALTER TABLE research_cache
        ALTER COLUMN question_embedding TYPE double precision[]
        USING string_to_array(trim(both '[]' from question_embedding), ',')::double precision[];
    """)
    op.create_index('idx_research_cache_embedding', 'research_cache', ['question_embedding'],
                    postgresql_using='gin')


def downgrade() -> None:
    """Rollback schema changes."""

    op.drop_index('idx_research_cache_embedding', table_name='research_cache')
    op.execute("""
        ALTER TABLE research_cache
        ALTER COLUMN question_embedding TYPE text
        USING '[' || array_to_string(question_embedding, ',') || ']';
    """)
    op.create_index('idx_research_cache_embedding', 'research_cache', ['question_embedding'])
