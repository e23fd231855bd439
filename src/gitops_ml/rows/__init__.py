"""Rows: reading cells by the kinds of their columns, and checking them against your schema."""
