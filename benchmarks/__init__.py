"""What gitops costs beside the libraries that it calls; `make bench` prints one table."""
