"""Fitting of a pipeline, with scikit-learn's hyperparameter search if model.toml configures one."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from sklearn.model_selection import (
    BaseCrossValidator,
    GridSearchCV,
    GroupKFold,
    KFold,
    RandomizedSearchCV,
    StratifiedKFold,
    TimeSeriesSplit,
)

from gitops_ml.config import Repository, SearchConfig
from gitops_ml.errors import ConfigError
from gitops_ml.predictions import predict
from gitops_ml.training.metrics import measure, orient
from gitops_ml.training.split import row_times

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline


@dataclass(frozen=True)
class Fit:
    """A fitted pipeline.

    Attributes:
        model: The pipeline.
        parameters: Parameters of its last step, as text.
        chosen: Parameters that the search has chosen; empty without a search.
    """

    model: "Pipeline"
    parameters: dict[str, str]
    chosen: dict[str, Any]


def fit(
    repository: Repository, pipeline: "Pipeline", features: pd.DataFrame, rows: pd.DataFrame,
    chosen: Mapping[str, Any] | None = None,
) -> Fit:  # fmt: skip
    """Fit a pipeline on the training rows.

    Args:
        repository: Repository with the target and the search in model.toml.
        pipeline: Unfitted pipeline.
        features: Features, shape (n, columns).
        rows: The same rows with key and target.
        chosen: Parameters that an earlier search has chosen; None to search if model.toml configures it.

    Returns:
        The fitted pipeline.

    Raises:
        ConfigError: scikit-learn refuses the rows or a parameter.
    """
    config = repository.config
    order = np.arange(len(rows))
    if config.split.method == "time":
        order = np.argsort(row_times(config, rows).to_numpy(), kind="stable")
    features, labels = features.iloc[order], rows[config.data.target].to_numpy()[order]
    try:
        best: dict[str, Any] = dict(chosen or {})
        if chosen is not None or config.training.search is None:
            model = pipeline.set_params(**best).fit(features, labels)
        else:
            groups = rows[config.split.column].to_numpy()[order] if config.split.method == "group" else None
            search = _search(repository, config.training.search, pipeline)
            search.fit(features, labels, groups=groups)
            model, best = search.best_estimator_, dict(search.best_params_)
    except (ValueError, TypeError) as error:
        raise ConfigError(
            f"The pipeline cannot be fitted: {error}", "Fix features.py, estimator.py, or [training] in model.toml."
        ) from error
    parameters = model.steps[-1][1].get_params(deep=False)
    return Fit(model, {name: str(value)[:500] for name, value in parameters.items()}, best)


def _search(repository: Repository, search: SearchConfig, pipeline: "Pipeline") -> GridSearchCV | RandomizedSearchCV:
    name, positive = repository.config.evaluation.metric, repository.config.data.positive

    def score(model: "Pipeline", rows: pd.DataFrame, labels: "np.ndarray[Any, Any]") -> float:
        return orient(name, measure(name, labels, predict(model, rows), positive))

    folds = make_folds(repository, search.folds)
    if search.method == "grid":
        return GridSearchCV(pipeline, search.parameters, scoring=score, cv=folds, error_score="raise")
    return RandomizedSearchCV(
        pipeline, search.parameters, n_iter=search.iterations, scoring=score, cv=folds,
        random_state=repository.config.training.seed, error_score="raise",
    )  # fmt: skip


def make_folds(repository: Repository, number: int) -> BaseCrossValidator:
    """Return folds that follow the split: groups are not divided, and no fold is trained on later rows.

    Args:
        repository: Repository with the split in model.toml.
        number: Number of folds.
    """
    method, seed = repository.config.split.method, repository.config.training.seed
    if method == "group":
        return GroupKFold(number)
    if method == "time":
        return TimeSeriesSplit(number)
    if repository.config.project.task == "classification":
        return StratifiedKFold(number, shuffle=True, random_state=seed)
    return KFold(number, shuffle=True, random_state=seed)
