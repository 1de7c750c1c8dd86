revision = 'a_revision_id_of_thirty_three_ch'   'x'
down_revision = None
