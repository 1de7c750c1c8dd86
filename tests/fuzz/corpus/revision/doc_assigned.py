"""old"""
__doc__ = "new message"
revision = 'doc'
down_revision = None
