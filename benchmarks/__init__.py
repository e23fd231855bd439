"""Benchmarks: the cost of gitops in comparison with the libraries that it calls; `make bench` prints a table."""
