"""Sources of a window's counts: the servers, a Prometheus that scrapes them, or the prediction log."""
