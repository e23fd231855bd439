"""A check before a pipeline is fitted: can a model file hold it?"""

import warnings
from collections.abc import Callable, Iterable
from contextlib import redirect_stdout
from io import StringIO
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from gitops_ml.modelling.model_file import check_savable

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

# A fit on fewer rows takes no longer than the check would.
TRIAL_ROWS = 500
# Cross-validation within a pipeline needs several rows of each class.
CLASS_ROWS = 10


def check_before_fit(
    build: Callable[[], "Pipeline"], features: pd.DataFrame, labels: "np.ndarray[Any, Any]", trusted: Iterable[str]
) -> None:
    """Check that a model file can hold a pipeline, before it is fitted on all rows.

    The unfitted pipeline shows its own types. Those that only the fit makes, such as a booster of another library, are
    found by a fit on a few rows; if these rows cannot be fitted, that says nothing about all rows.

    Args:
        build: Function that returns the unfitted pipeline.
        features: Features of the training rows; shape (n, columns).
        labels: Target of the same rows; shape (n,).
        trusted: `trusted_types` of the repository's model.toml.

    Raises:
        ConfigError: The pipeline contains a type that is not trusted, or that cannot be written or loaded.
    """
    pipeline, trusted = build(), tuple(trusted)
    check_savable(pipeline, trusted)
    if len(labels) <= TRIAL_ROWS:
        return
    chosen = choose_trial_rows(labels)
    try:
        with warnings.catch_warnings(), redirect_stdout(StringIO()):
            warnings.simplefilter("ignore")
            pipeline.fit(features.iloc[chosen], labels[chosen])
    except Exception:  # the fit on all rows reports what is wrong
        return
    check_savable(pipeline, trusted)


def choose_trial_rows(labels: "np.ndarray[Any, Any]") -> "np.ndarray[Any, Any]":
    """Return the indices of about TRIAL_ROWS rows in their order, with several of each class.

    Args:
        labels: Target of the training rows; shape (n,).
    """
    spread = np.linspace(0, len(labels) - 1, TRIAL_ROWS).astype(int)
    if labels.dtype.kind == "f":
        return np.unique(spread)
    order = pd.Series(np.arange(len(labels))).groupby(pd.factorize(labels)[0]).head(CLASS_ROWS)
    rare = order.to_numpy() if len(order) <= 2 * TRIAL_ROWS else order.to_numpy()[: 2 * TRIAL_ROWS]
    return np.unique(np.concatenate([spread, rare]))
