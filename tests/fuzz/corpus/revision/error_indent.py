revision = 'indent1'
down_revision = None
  depends_on = None
