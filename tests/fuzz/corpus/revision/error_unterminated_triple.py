"""never ends
revision = 'x'
