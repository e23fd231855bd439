"""Measurement of performance decay: the metric recorded at promotion, and how to measure it on labelled rows."""

from typing import TYPE_CHECKING, Any

import numpy as np

from gitops_ml.monitoring.performance_decay import MeasuredMetric, PromotedMetric
from gitops_ml.predictions import Predictions

if TYPE_CHECKING:
    from gitops_ml.config import Repository
    from gitops_ml.monitoring.snapshot import LabeledPredictions
    from gitops_ml.registry.record import Record


def load_expected_performance(repository: "Repository", record: "Record") -> PromotedMetric:
    """Return the metric of a record, with a function that measures it as training does. No model is loaded.

    Args:
        repository: The clone.
        record: Record of the version that serves.
    """
    from gitops_ml.config import LOWER_IS_BETTER, UNBOUNDED_METRICS
    from gitops_ml.training.intervals import intervals
    from gitops_ml.training.metrics import NEEDS_PROBABILITIES, measure

    metric, config = record.figure.metric, repository.config

    def measure_rows(rows: "LabeledPredictions") -> MeasuredMetric | None:
        labels, predictions, positive = _restore_types(rows, record.classes, config.data.positive)
        if metric in NEEDS_PROBABILITIES and predictions.probabilities is None:
            return None
        value = measure(metric, labels, predictions, positive)
        # The prediction log stores labels as text, so the positive label must be text here too.
        text_config = config.model_copy(update={"data": config.data.model_copy(update={"positive": positive})})
        interval = intervals(text_config, labels, predictions, {metric: value}).get(metric)
        return MeasuredMetric(value, *interval) if interval else None

    more_is_better, is_relative = metric not in LOWER_IS_BETTER, metric in UNBOUNDED_METRICS
    return PromotedMetric(metric, record.figure.value, more_is_better, measure_rows, is_relative)


def _restore_types(
    rows: "LabeledPredictions", classes: tuple[str | int | bool, ...], positive: object
) -> tuple[Any, Predictions, str | None]:
    """Return labels, predictions and the positive label as training uses them. Class labels are text, sorted as text.

    Args:
        rows: Labelled predictions of n rows from the prediction log.
        classes: Class labels of the version; empty for a regression.
        positive: Positive label in model.toml.
    """
    if not classes:
        return rows.labels.astype(float), Predictions(rows.predictions.astype(float), None, ()), None
    names = sorted(map(str, classes))
    labels, predicted = (
        np.array([_to_text(value) for value in values], dtype=object) for values in (rows.labels, rows.predictions)
    )
    if len(classes) != 2 or not np.issubdtype(rows.monitored.dtype, np.number):
        return labels, Predictions(predicted, None, tuple(names)), str(positive) if positive in classes else None
    # For two classes, the log has the probability of the positive one only.
    monitored = str(classes[classes.index(positive)] if positive in classes else classes[1])
    probability = rows.monitored.astype(float)
    columns = [probability if name == monitored else 1 - probability for name in names]
    return labels, Predictions(predicted, np.column_stack(columns), tuple(names)), monitored


def _to_text(value: object) -> str:
    """Return a label as text. An integer that the file stores as a float has no decimals."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
