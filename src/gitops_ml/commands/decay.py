"""What the record promises, and how rows whose truth was told are measured against it."""

from typing import TYPE_CHECKING, Any

import numpy as np

from gitops_ml.monitoring.performance import Measured, Promise
from gitops_ml.predictions import Predictions

if TYPE_CHECKING:
    from gitops_ml.config import Repository
    from gitops_ml.monitoring.look import Told
    from gitops_ml.registry.record import Record


def promise(repository: "Repository", record: "Record") -> Promise:
    """The metric that earned the version its place; it is measured as training does, and no model is opened."""
    from gitops_ml.training.intervals import intervals
    from gitops_ml.training.metrics import IN_THE_TARGETS_UNIT, LESS_IS_BETTER, NEEDS_PROBABILITIES, measure

    metric, config = record.figure.metric, repository.config

    def measured(told: "Told") -> Measured | None:
        truth, said, positive = _as_training_has_them(told, record.classes, config.data.positive)
        if metric in NEEDS_PROBABILITIES and said.probabilities is None:
            return None
        value = measure(metric, truth, said, positive)
        # The intervals are those of the labels that the log has, which are text.
        named = config.model_copy(update={"data": config.data.model_copy(update={"positive": positive})})
        around = intervals(named, truth, said, {metric: value}).get(metric)
        return Measured(value, *around) if around else None

    better, relative = metric not in LESS_IS_BETTER, metric in IN_THE_TARGETS_UNIT
    return Promise(metric, record.figure.value, better, measured, relative)


def _as_training_has_them(
    told: "Told", classes: tuple[str | int | bool, ...], positive: object
) -> tuple[Any, Predictions, str | None]:
    """Truth, predictions and the positive label. Labels are text here, as the log has them, in the order of text."""
    if not classes:
        return told.truth.astype(float), Predictions(told.said.astype(float), None, ()), None
    names = sorted(map(str, classes))
    truth, said = (np.array([_label(value) for value in labels], dtype=object) for labels in (told.truth, told.said))
    if len(classes) != 2 or not np.issubdtype(told.watched.dtype, np.number):
        return truth, Predictions(said, None, tuple(names)), str(positive) if positive in classes else None
    # Of two classes the log has the positive one's probability; it says nothing of the others.
    watched = str(positive if positive in classes else classes[1])
    likely = told.watched.astype(float)
    columns = [likely if name == watched else 1 - likely for name in names]
    return truth, Predictions(said, np.column_stack(columns), tuple(names)), watched


def _label(value: object) -> str:
    """A label as text: a whole number has no decimals, whatever the file made of it."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
