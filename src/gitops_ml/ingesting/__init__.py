"""New rows with their truth: fetched from where they are, sorted out against what lies here, and appended."""
