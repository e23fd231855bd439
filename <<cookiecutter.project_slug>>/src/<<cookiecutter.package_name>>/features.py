# yours: the features. The same object runs in training and in serving, so the two cannot differ.
"""The feature step of the pipeline."""

from sklearn.compose import ColumnTransformer
from sklearn.preprocessing import StandardScaler

# A simple start: add columns from schema.py, push, and let the gates decide whether the model is better.
COLUMNS = [
#% if cookiecutter.task == "classification"
    "mean_radius",
    "mean_texture",
    "mean_smoothness",
#% else
    "age",
    "sex",
    "bmi",
#% endif
]


def features() -> ColumnTransformer:
    """Return the step that selects COLUMNS and scales them; other columns are dropped."""
    return ColumnTransformer([("scaled", StandardScaler(), COLUMNS)])
