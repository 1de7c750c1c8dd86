"""Computed

Revision ID: computed_id
Revises: computed_parent
"""
from naming import new_id, depends_on
revision = new_id('x')
down_revision = ('a', *others())
branch_labels = ['fixed', label()]
