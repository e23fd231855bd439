"""Models: what a model file may contain, how it is written, and how it is read."""
