"""first paragraph line one
line two of the same paragraph

More text.

Revision ID: aaa1
Revises:
Create Date: 2025-01-27 10:00:00.000000
"""
from typing import Sequence, Union

revision: str = "aaa1"
down_revision: Union[str, Sequence[str], None] = None
branch_labels: Union[str, Sequence[str], None] = ("lab1", "lab2")
depends_on = None


def upgrade() -> None:
    pass


def downgrade() -> None:
    pass
