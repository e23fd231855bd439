"""Ingestion: fetch new labeled rows from their source, compare them with the data, and append those that are new."""
