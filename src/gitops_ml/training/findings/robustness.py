"""Robustness: whether predictions depend on the order of columns, or fail on missing values."""

import numpy as np
import pandas as pd

from gitops_ml.confinement.channel import UserCodeError
from gitops_ml.predictions import Predictions, are_close
from gitops_ml.run import Document
from gitops_ml.training.comparison_input import ComparisonInput, Model

ROWS = 200


class Robustness(Document):
    """Results on a few hundred held-out rows.

    Attributes:
        order: Problem with the columns in another order; None if there is none.
        missing: Problems with missing values, by column.
        tried: Number of columns that may have missing values.
    """

    order: str | None
    missing: dict[str, str]
    tried: int


def check_robustness(inputs: ComparisonInput) -> Robustness | None:
    """Predict rows with reordered columns, and with each nullable column missing.

    Args:
        inputs: Versions to compare.

    Returns:
        The problems; None if the model is not loaded.
    """
    model = inputs.challenger.model
    if model is None or inputs.code is None:
        return None
    columns = list(inputs.challenger.run.columns)
    rows = inputs.prepared.held_out[columns].head(ROWS)
    expected = inputs.challenger.predictions.take(np.arange(len(rows)))
    reordered = rows[columns[::-1]]
    may_be_missing = inputs.code.find_nullable_columns()
    nullable = [name for name in columns if name in may_be_missing]
    problems = {name: _test_missing(model, _blank_column(rows, name)) for name in nullable}
    return Robustness(
        order=_test_order(model, reordered, expected),
        missing={name: problem for name, problem in problems.items() if problem},
        tried=len(nullable),
    )


def _test_order(model: Model, rows: pd.DataFrame, expected: Predictions) -> str | None:
    try:
        predictions = model.predict(rows)
    except UserCodeError as error:
        return str(error)[:300]
    return None if expected.not_finite_count or are_close(expected, predictions) else "the predictions differ"


def _test_missing(model: Model, rows: pd.DataFrame) -> str | None:
    try:
        predictions = model.predict(rows)
    except UserCodeError as error:
        return str(error)[:300]
    return f"{predictions.not_finite_count} predictions are NaN or infinite" if predictions.not_finite_count else None


def _blank_column(rows: pd.DataFrame, name: str) -> pd.DataFrame:
    """Return the rows with missing values in one column, in its own type if that allows missing values."""
    dtype = rows[name].dtype
    blank = pd.Series([np.nan if dtype.kind in "fiub" else None] * len(rows), index=rows.index)
    return rows.assign(**{name: blank.astype("float64" if dtype.kind in "fiub" else dtype)})
