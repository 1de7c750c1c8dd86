revision = "no_end"
down_revision = None