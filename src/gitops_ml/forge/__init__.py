"""The room of words: reports for pull requests and step summaries."""
