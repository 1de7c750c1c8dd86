"""bodies"""
revision = 'bodies'
down_revision = None
@decorated(
    1)
def upgrade(
    engine_name: str = "x:y",
) -> dict[str, int]:
    # only a comment

    """and a docstring"""

    if True:
        op.add_column('t',
            sa.Column('c'))

# between

@other
def downgrade(): \
    """nothing"""; pass; ...
x = 1
