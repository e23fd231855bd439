"""Where the counts of a window come from: the servers themselves, a Prometheus that asks them, or the log."""
