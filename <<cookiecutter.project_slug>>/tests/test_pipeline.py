# yours
"""Tests of the pipeline; add the inputs on which its predictions must never depend.

`pipeline`, `rows` and `target` are fixtures of gitops_ml.testing: your pipeline for a seed, your data, and its target.
"""

from collections.abc import Callable

import numpy as np
import pandas as pd
from sklearn.pipeline import Pipeline


def test_it_fits_and_predicts(rows: pd.DataFrame, target: pd.Series, pipeline: Callable[[int], Pipeline]) -> None:
    """Every row gets a prediction, and the predictions differ."""
    predictions = pipeline(0).fit(rows, target).predict(rows)
    assert len(predictions) == len(rows)
    assert len(set(predictions)) > 1


def test_the_same_seed_gives_the_same_predictions(
    rows: pd.DataFrame, target: pd.Series, pipeline: Callable[[int], Pipeline]
) -> None:
    """Two trainings with one seed give the same model."""
    first, second = (pipeline(7).fit(rows, target).predict(rows) for _ in range(2))
    assert np.array_equal(first, second)


def test_the_order_of_columns_does_not_matter(
    rows: pd.DataFrame, target: pd.Series, pipeline: Callable[[int], Pipeline]
) -> None:
    """A client may send the columns in any order."""
    model = pipeline(0).fit(rows, target)
    assert np.array_equal(model.predict(rows), model.predict(rows[rows.columns[::-1]]))
