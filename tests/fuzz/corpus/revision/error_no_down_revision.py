"""no parent said"""
revision = 'nodown'
