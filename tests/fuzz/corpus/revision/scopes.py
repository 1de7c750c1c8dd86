"""Only what runs at module level counts."""
revision = 'module'
down_revision = None


class Settings:
    revision = 'class'
    down_revision = 'class'


def helper():
    revision = 'function'
    if revision:
        down_revision = 'function'
    return revision


class Short: revision = 'short class'
def short(): revision = 'short function'; return revision
async def waiting(): down_revision = 'async'


def upgrade():
    def downgrade():
        pass
    revision = 'upgrade'
