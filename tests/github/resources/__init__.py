"""What GitHub's answers look like: one module per kind of thing, live values in GitHub's full shape."""
