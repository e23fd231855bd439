"""Performance of a version on new rows with known labels: its metric with an interval, and its wrong predictions."""

from typing import Any

import numpy as np
import pandas as pd

from gitops_ml.config import Config
from gitops_ml.predictions import Predictions
from gitops_ml.run import Document
from gitops_ml.training.flips import JsonScalar, predicted_probability, to_json_value
from gitops_ml.training.intervals import intervals
from gitops_ml.training.metrics import measure

EXAMPLES = 5
Array = np.ndarray[Any, Any]


class WrongPrediction(Document):
    """A row with a wrong prediction.

    Attributes:
        key: Key of the row.
        truth: True value of the target.
        said: Predicted value.
        probability: Probability of the predicted label; None without probabilities.
    """

    key: str
    truth: JsonScalar | None
    said: JsonScalar | None
    probability: float | None


class NewRowPerformance(Document):
    """Performance of the champion on new rows.

    Attributes:
        version: Version number in the registry.
        metric: Name of the metric that decides between versions.
        value: Metric on the new rows; None if it is not defined.
        low: Lower end of the metric's interval.
        high: Upper end of the metric's interval.
        promoted: Metric with which the version was promoted.
        rule: Definition of a wrong prediction, as text.
        rows: Number of new rows.
        wrong: Number of wrong predictions.
        examples: Wrong predictions with the highest probability or the largest error; at most five.
        unknown: Reason why the performance cannot be measured; None if it can.
    """

    version: str
    metric: str
    value: float | None = None
    low: float | None = None
    high: float | None = None
    promoted: float | None = None
    rule: str = ""
    rows: int = 0
    wrong: int = 0
    examples: tuple[WrongPrediction, ...] = ()
    unknown: str | None = None


def measure_new_rows(
    config: Config,
    predictions: Predictions,
    rows: pd.DataFrame,
    standard_deviation: float,
    performance: NewRowPerformance,
) -> NewRowPerformance:
    """Compare predictions for new rows with their labels.

    Args:
        config: Configuration with the metric.
        predictions: Predictions for the rows.
        rows: New rows with key and target.
        standard_deviation: Standard deviation of the target. A prediction that is off by more counts as wrong; only
            used for regression.
        performance: Document with the fields about the version.

    Returns:
        The document with the performance.

    Raises:
        ConfigError: The metric cannot be measured on these predictions.
    """
    labels, name = rows[config.data.target].to_numpy(), config.evaluation.metric
    value = measure(name, labels, predictions, config.data.positive)
    low, high = intervals(config, labels, predictions, {name: value}).get(name, (None, None))
    rule, wrong, size = _find_wrong(predictions, labels, standard_deviation)
    wrong_rows = np.flatnonzero(wrong)
    shown = wrong_rows[np.argsort(-size[wrong_rows], kind="stable")][:EXAMPLES]
    probabilities, keys = predicted_probability(predictions), rows[config.data.key]
    examples = tuple(
        WrongPrediction(
            key=str(keys.iloc[row]),
            truth=to_json_value(labels[row]),
            said=to_json_value(predictions.values[row]),
            probability=to_json_value(float(probabilities[row])),
        )
        for row in map(int, shown)
    )
    measured = {"value": to_json_value(float(value)), "low": low, "high": high, "rule": rule, "rows": len(rows)}
    return performance.model_copy(update={**measured, "wrong": len(wrong_rows), "examples": examples})


def _find_wrong(predictions: Predictions, labels: Array, standard_deviation: float) -> tuple[str, Array, Array]:
    """Return the definition of a wrong prediction, the mask of wrong rows, and the size of each error."""
    if predictions.classes:
        wrong = np.asarray(predictions.values != labels, dtype=bool)
        return "the label differs", wrong, np.nan_to_num(predicted_probability(predictions))
    error = np.abs(predictions.values - labels.astype(float))
    rule = f"off by more than {standard_deviation:.4g}, the target's standard deviation"
    return rule, error > standard_deviation, error
