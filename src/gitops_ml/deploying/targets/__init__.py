"""The targets of deployment, one module for each kind in model.toml."""
