"""Scripts for the interpreter of the generated repository: bare library calls, and generators of data.

The template's environment does not have the libraries that they import.
"""
