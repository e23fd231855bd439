"""Build a version's image, run it where it is to serve, and hear whether it says what it said."""
