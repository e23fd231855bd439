# yours
"""What only you can know about <<cookiecutter.project_name>>: its rows, its features, its estimator."""
