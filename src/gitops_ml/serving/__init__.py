"""Serving of a version: an HTTP server that validates rows, predicts them, counts them and logs them."""
