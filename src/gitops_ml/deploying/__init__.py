"""Deployment: build a version's image, start the version on its target, and run its smoke test."""
