# yours
"""The schema, features and estimator of <<cookiecutter.project_name>>."""
