"""The room of versions: the MLflow store, the record, the ledger."""
