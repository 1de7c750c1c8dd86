"""f-strings"""
x = f"{'nested' + f'{1:{2}}'!r:>{10}} {{ }} {d['key']} {a if b != 'c' else '}'}"
y = f"""
revision = 'in a string'
{ {'a': 1}['a'] }
"""
z = f"{x:'}" ; revision = 'f1'
down_revision = f'{PARENT}'
