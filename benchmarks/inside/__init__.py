"""Scripts for the baked repository's interpreter: the bare library calls, and what makes the data for both sides.

The template's own environment has none of the libraries that they import, which their first lines tell mypy.
"""
