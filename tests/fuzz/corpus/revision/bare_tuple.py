revision = 'r1'
down_revision = 'a', 'b'
branch_labels = ()
depends_on = "one",
