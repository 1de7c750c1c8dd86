R"""raw \d docstring"""
revision = r'raw\n'
down_revision = u"unicode"
depends_on = [Rb'' and 'x', F'{{braces}}', rf'\{{', 'q\'uote', "q\"uote", 'tab\tend']
branch_labels = ['\101\x42\u0043\U00000044', '\N{SNOWMAN}', 'line\
join', 'back\qslash']
