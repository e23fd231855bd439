"""Resources in GitHub's JSON format, one module per type."""
