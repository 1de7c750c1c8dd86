revision = 5
down_revision = None
