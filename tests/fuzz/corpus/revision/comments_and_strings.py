# revision = 'in a comment'
"""
revision = 'in the docstring'
"""
text = '''
revision = 'in a text'
'''
also = "revision = 'x'"  # down_revision = 'y'
revision = 'real'   # 'comment'
down_revision = "#no comment"
