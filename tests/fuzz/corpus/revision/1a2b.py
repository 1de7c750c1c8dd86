"""the id is in the file's name"""
down_revision = None
