# yours: the estimator. Any class with scikit-learn's interface; its parameters can be set in model.toml.
"""The estimator behind the features, as one scikit-learn Pipeline."""

from sklearn import linear_model
from sklearn.pipeline import Pipeline

from .features import features


def pipeline(seed: int) -> Pipeline:
    """Return the unfitted pipeline; everything random in it must use `seed`."""
#% if cookiecutter.task == "classification"
    estimator = linear_model.LogisticRegression(max_iter=1000, random_state=seed)
#% else
    estimator = linear_model.Ridge(random_state=seed)
#% endif
    return Pipeline([("features", features()), ("estimator", estimator)])
