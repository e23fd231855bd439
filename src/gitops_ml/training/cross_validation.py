"""Cross-validation: each training row is predicted by a model that was not fitted on it."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from gitops_ml.config import Repository
from gitops_ml.errors import ConfigError
from gitops_ml.predictions import Predictions
from gitops_ml.training.search import make_folds
from gitops_ml.training.split import row_times

Array = np.ndarray[Any, Any]
PredictFold = Callable[[pd.DataFrame, pd.DataFrame], Predictions]


@dataclass(frozen=True)
class CrossValidation:
    """Predictions of training rows, each by the model of a fold that the row is not in.

    Attributes:
        rows: The predicted rows with key, features and target; in a split by time the oldest ones are in every fold.
        predictions: Predictions of these rows, in the same order.
        folds: Number of the fold of each row, from 1; shape (n,).
    """

    rows: pd.DataFrame
    predictions: Predictions
    folds: Array


def cross_validate(
    repository: Repository, predict_fold: PredictFold, rows: pd.DataFrame, folds: int,
    progress: Callable[[str], object],
) -> CrossValidation:  # fmt: skip
    """Predict training rows by models that were not fitted on them.

    The folds follow the split: groups are not divided, and no row is predicted by a model of later rows.

    Args:
        repository: Repository with model.toml.
        predict_fold: Function that fits a model on the first rows and predicts the second ones.
        rows: Training rows with key and target; shape (n, columns).
        folds: Number of folds.
        progress: Function that is called with the name of each step.

    Returns:
        The predictions.

    Raises:
        ConfigError: scikit-learn refuses the rows, a parameter, or the number of folds.
    """
    parts: list[tuple[Array, Predictions]] = []
    for number, (train, test) in enumerate(_split(repository, rows, folds), 1):
        progress(f"cross-validation, fold {number} of {folds}")
        parts.append((test, predict_fold(rows.iloc[train], rows.iloc[test])))
    indices = np.concatenate([test for test, _ in parts])
    numbers = np.concatenate([np.full(len(test), number) for number, (test, _) in enumerate(parts, 1)])
    order = np.argsort(indices, kind="stable")
    predictions = _join([each for _, each in parts]).take(order)
    return CrossValidation(rows.iloc[indices[order]].reset_index(drop=True), predictions, numbers[order])


def _split(repository: Repository, rows: pd.DataFrame, folds: int) -> list[tuple[Array, Array]]:
    """Return the indices of the training rows and of the predicted rows of each fold."""
    config = repository.config
    order = np.arange(len(rows))
    if config.split.method == "time":
        order = np.argsort(row_times(config, rows).to_numpy(), kind="stable")
    labels = rows[config.data.target].to_numpy()[order]
    groups = rows[config.split.column].to_numpy() if config.split.method == "group" else None
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="The least populated class")  # its rows are in some folds
            parts = list(make_folds(repository, folds).split(rows, labels, groups))
    except ValueError as error:
        raise ConfigError(
            f"{len(rows)} training rows cannot be divided into {folds} folds: {error}", "Use fewer folds, or more rows."
        ) from error
    return [(order[train], order[test]) for train, test in parts]


def _join(parts: list[Predictions]) -> Predictions:
    """Return the predictions of all folds; a class that a fold does not have gets the probability 0 there."""
    values = np.concatenate([each.values for each in parts])
    classes = tuple(sorted({label for each in parts for label in each.classes}))
    if any(each.probabilities is None for each in parts) or not classes:
        return Predictions(values, None, classes)
    probabilities = np.zeros((len(values), len(classes)))
    first = 0
    for each in parts:
        columns = [classes.index(label) for label in each.classes]
        probabilities[first : first + len(each.values), columns] = each.probabilities
        first += len(each.values)
    return Predictions(values, probabilities, classes)
