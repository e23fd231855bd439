"""The registry: the MLflow store with its model versions, the record on main, and the ledger."""
