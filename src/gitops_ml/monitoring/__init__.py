"""Monitoring of a served version: production traffic compared with the reference of its training."""
