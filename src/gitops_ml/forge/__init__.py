"""GitHub: API calls, and the texts and pages that people read (pull requests, issues, reports)."""
