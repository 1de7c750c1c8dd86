def helper():
    revision = 'x'
