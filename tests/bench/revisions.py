"""Writes an Alembic project with COUNT revisions in one line, as `alembic revision` words them, and
prints the id of the last.

usage: revisions.py DIR COUNT

Its env.py keeps the version table in schema bench and takes the database from DATABASE_URL.
"""
import os
import sys

INI = "[alembic]\nscript_location = migrations\n"

ENV = '''import os
from sqlalchemy import create_engine, pool
from alembic import context

engine = create_engine(os.environ["DATABASE_URL"], poolclass=pool.NullPool)
with engine.connect() as connection:
    context.configure(connection=connection, version_table_schema="bench")
    with context.begin_transaction():
        context.run_migrations()
'''

REVISION = '''"""Add column c%(n)d to users

Revision ID: %(id)s
Revises: %(down)s
Create Date: 2024-01-01 10:00:00.000000

"""
from alembic import op
import sqlalchemy as sa


# revision identifiers, used by Alembic.
revision = '%(id)s'
down_revision = %(quoted)s
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column('users', sa.Column('c%(n)d', sa.Text(), nullable=True))


def downgrade() -> None:
    op.drop_column('users', 'c%(n)d')
'''


def write(path, text):
    with open(path, "w") as out:
        out.write(text)


def main():
    root, count = sys.argv[1], int(sys.argv[2])
    versions = os.path.join(root, "migrations", "versions")
    os.makedirs(versions)
    write(os.path.join(root, "alembic.ini"), INI)
    write(os.path.join(root, "migrations", "env.py"), ENV)
    down = None
    for n in range(count):
        rev = "%012x" % (n * 2654435761 % (1 << 48))
        write(os.path.join(versions, "%s_add_column_c%d_to_users.py" % (rev, n)),
              REVISION % {"n": n, "id": rev, "down": down or "", "quoted": repr(down)})
        down = rev
    print(down)


main()
