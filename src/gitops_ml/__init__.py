"""GitOps for machine learning models: validate, train, register, compare, promote, deploy and monitor them from Git."""
