"""Confined processes, in which the user's code runs while a version is judged."""
