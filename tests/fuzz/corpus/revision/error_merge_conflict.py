revision = 'conflict1'
<<<<<<< HEAD
down_revision = 'a'
=======
down_revision = 'b'
>>>>>>> branch
