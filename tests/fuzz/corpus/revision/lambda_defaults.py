"""lambda"""
f = lambda revision='no', *a, **k: revision
g = x if y else (lambda down_revision='no': 1)
revision = 'lambda'
down_revision = None
h: dict = {'revision': 'no'}
i = dict(revision='no')
h['revision'] = 'no'
h.revision = 'no'
