"""match is a name and a statement"""
revision = 'm'
down_revision = None
match = 1
match revision:
    case 'm':
        depends_on = 'x'
