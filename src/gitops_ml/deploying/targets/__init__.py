"""One module for each kind of place where a version may serve."""
