"""HTML pages of the local GitHub."""
