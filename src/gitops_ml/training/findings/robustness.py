"""Whether the answers depend on what they must not: the order of columns, or that one which may be missing is there."""

import numpy as np
import pandas as pd

from gitops_ml.predictions import Predictions, predict, same
from gitops_ml.run import Document
from gitops_ml.training.trial import Trial

ROWS = 200


class Robustness(Document):
    """What was tried on a few hundred held-out rows.

    Attributes:
        order: What is wrong when the columns come in another order; None where nothing is.
        missing: What is wrong when a column is missing that may be, by column.
        tried: How many columns may be missing.
    """

    order: str | None
    missing: dict[str, str]
    tried: int


def robustness(trial: Trial) -> Robustness | None:
    """Try both; None in a trial of predictions alone."""
    model, yours = trial.challenger.model, trial.yours
    if model is None or yours is None:
        return None
    columns = list(trial.challenger.run.columns)
    rows = trial.inputs[columns].head(ROWS)
    before = trial.challenger.predictions.take(np.arange(len(rows)))
    other = rows[columns[::-1]]
    nullable = [name for name in columns if name in yours.schema.columns and yours.schema.columns[name].nullable]
    wrong = {name: _unanswered(trial, _without(rows, name)) for name in nullable}
    return Robustness(
        order=_order(trial, other, before),
        missing={name: why for name, why in wrong.items() if why},
        tried=len(nullable),
    )


def _order(trial: Trial, rows: pd.DataFrame, before: Predictions) -> str | None:
    try:
        now = predict(trial.challenger.model, rows)
    except Exception as error:  # whatever your pipeline raises
        return f"{type(error).__name__}: {error}"[:300]
    return None if before.not_finite or same(before, now) else "the answers are others"


def _unanswered(trial: Trial, rows: pd.DataFrame) -> str | None:
    try:
        said = predict(trial.challenger.model, rows)
    except Exception as error:  # whatever your pipeline raises
        return f"{type(error).__name__}: {error}"[:300]
    return f"{said.not_finite} answers are no numbers" if said.not_finite else None


def _without(rows: pd.DataFrame, name: str) -> pd.DataFrame:
    """The rows with nothing in one column, in its own type where that can hold nothing."""
    kind = rows[name].dtype
    nothing = pd.Series([np.nan if kind.kind in "fiub" else None] * len(rows), index=rows.index)
    return rows.assign(**{name: nothing.astype("float64" if kind.kind in "fiub" else kind)})
