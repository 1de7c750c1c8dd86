"""Assigned in a branch

Revision ID: from_docstring
Revises: parent_a, parent_b
"""
import os
if os.environ.get('X'):
    revision = 'one'
else:
    revision = 'other'
try:
    down_revision = 'a'
except Exception:
    down_revision = 'b'
def upgrade(): pass
