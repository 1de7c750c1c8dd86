# -*- coding: latin-1 -*-
"""café"""
revision = "latin1"
down_revision = None
