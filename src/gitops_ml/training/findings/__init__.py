"""Findings: figures about the challenger for the gates, one module for each question."""
