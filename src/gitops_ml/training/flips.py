"""Flips: held-out rows for which challenger and champion make different predictions."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from gitops_ml.explanations import Explanations, NotExplainable
from gitops_ml.predictions import Predictions
from gitops_ml.run import Document
from gitops_ml.training.comparison_input import ComparisonInput, ScoredVersion

EXAMPLES = 5
CONTRIBUTIONS = 3
SHARE = 0.1
JsonScalar = str | int | float | bool
Array = np.ndarray[Any, Any]


class Contribution(Document):
    """Contribution of one column to one prediction.

    Attributes:
        column: Name of the column.
        contribution: Difference to the prediction for an average training row; see `unit`.
    """

    column: str
    contribution: float


class FlipExplanation(Document):
    """The columns that contributed most to one prediction; at most three.

    Attributes:
        of: Class that the contributions are about; None for regression.
        unit: "log-odds", "score", or the unit of the target.
        reasons: Contributions, the largest first.
    """

    of: JsonScalar | None
    unit: str
    reasons: tuple[Contribution, ...]


class Flip(Document):
    """A held-out row with different predictions.

    Attributes:
        key: Key of the row.
        truth: True value of the target.
        champion: The champion's prediction.
        champion_probability: Probability that the champion gives to its prediction; None without probabilities.
        challenger: The challenger's prediction.
        challenger_probability: Probability that the challenger gives to its prediction; None without probabilities.
        champion_why: Explanation of the champion's prediction; None if it cannot be explained.
        challenger_why: Explanation of the challenger's prediction; None if it cannot be explained.
    """

    key: str
    truth: JsonScalar | None
    champion: JsonScalar | None
    champion_probability: float | None
    challenger: JsonScalar | None
    challenger_probability: float | None
    champion_why: FlipExplanation | None = None
    challenger_why: FlipExplanation | None = None


class Flips(Document):
    """All flips between champion and challenger.

    Attributes:
        rule: Definition of a flip, as text.
        rows: Number of held-out rows.
        count: Number of flips.
        rate: Flips as a share of the held-out rows, in [0, 1].
        better: Number of flips to the true label, or closer to the true value.
        worse: Number of flips away from it.
        examples: The flips with the highest confidence of both versions, or with the largest difference; at most five.
    """

    rule: str
    rows: int
    count: int
    rate: float
    better: int
    worse: int
    examples: tuple[Flip, ...]


@dataclass(frozen=True)
class PredictionChanges:
    """Differences between two versions' predictions for n rows.

    Attributes:
        rule: Definition of a flip, as text.
        flipped: True for each row that flips; shape (n,).
        improvement: 1 if the later prediction is closer to the true value, -1 if it is further away, else 0; shape
            (n,).
        distance: Size of the change; shape (n,).
        probabilities: Probability that each of the two versions gives to its own prediction; NaN without probabilities.
    """

    rule: str
    flipped: Array
    improvement: Array
    distance: Array
    probabilities: tuple[Array, Array]


def compare_predictions(labels: Array, before: Predictions, after: Predictions) -> PredictionChanges:
    """Compare two versions' predictions for the same rows.

    Args:
        labels: True values; shape (n,).
        before: The earlier version's predictions.
        after: The later version's predictions.

    Returns:
        The differences, row by row.
    """
    if after.classes:
        probabilities = predicted_probability(before), predicted_probability(after)
        flipped = np.asarray(before.values != after.values, dtype=bool)
        improvement = (after.values == labels).astype(int) - (before.values == labels).astype(int)
        distance = np.nan_to_num(probabilities[0]) + np.nan_to_num(probabilities[1])
        rule = "champion and challenger predict different labels"
        return PredictionChanges(rule, flipped, improvement, distance, probabilities)
    minimum = SHARE * float(np.std(labels.astype(float)))
    distance, unknown = np.abs(after.values - before.values), np.full(len(labels), np.nan)
    improvement = np.sign(np.abs(before.values - labels) - np.abs(after.values - labels))
    rule = (
        f"the number moves by more than {minimum:.4g}, a tenth of the target's standard deviation in the held-out rows"
    )
    return PredictionChanges(rule, distance > minimum, improvement, distance, (unknown, unknown))


def find_flips(inputs: ComparisonInput) -> Flips | None:
    """Return the flips from champion to challenger; None without a champion.

    Args:
        inputs: Versions to compare.
    """
    if inputs.champion is None:
        return None
    labels, before, after = inputs.labels, inputs.champion.predictions, inputs.challenger.predictions
    changes = compare_predictions(labels, before, after)
    rows = np.flatnonzero(changes.flipped)
    shown = rows[np.argsort(-changes.distance[rows], kind="stable")][:EXAMPLES]
    explanations = [_explain(inputs, each, shown) for each in (inputs.champion, inputs.challenger)]
    return Flips(
        rule=changes.rule,
        rows=len(labels),
        count=len(rows),
        rate=len(rows) / len(labels),
        better=int((changes.improvement[rows] > 0).sum()),
        worse=int((changes.improvement[rows] < 0).sum()),
        examples=tuple(
            _example(inputs, int(row), before, after, changes.probabilities, (champion, challenger))
            for row, champion, challenger in zip(shown, *explanations, strict=True)
        ),
    )


def predicted_probability(predictions: Predictions) -> Array:
    """Return the probability that a model gives to its predicted label, for each row; NaN without probabilities.

    Args:
        predictions: Predictions for n rows.
    """
    if predictions.probabilities is None:
        return np.full(len(predictions.values), np.nan)
    indices = {label: index for index, label in enumerate(predictions.classes)}
    chosen = np.array([indices[label] for label in predictions.values.tolist()])
    return np.asarray(predictions.probabilities[np.arange(len(chosen)), chosen])


def _explain(inputs: ComparisonInput, scored: ScoredVersion, rows: Array) -> list[FlipExplanation | None]:
    """Return explanations of a version's predictions; None for each row if the model is not loaded, or not linear."""
    if scored.model is None or scored.attribution_baseline is None or not len(rows):
        return [None] * len(rows)
    features = inputs.prepared.held_out[list(scored.run.columns)].iloc[rows]
    try:
        explanations = scored.model.explain(scored.attribution_baseline, features)
    except NotExplainable:
        return [None] * len(rows)
    return [_explanation_of_row(explanations, row) for row in range(len(rows))]


def _explanation_of_row(explanations: Explanations, row: int) -> FlipExplanation:
    largest = explanations.largest_contributions(row, CONTRIBUTIONS)
    reasons = tuple(
        Contribution(column=column, contribution=value) for column, value in largest if math.isfinite(value)
    )
    of = explanations.classes[row]
    return FlipExplanation(of=None if of is None else to_json_value(of), unit=explanations.unit, reasons=reasons)


def _example(
    inputs: ComparisonInput, row: int, before: Predictions, after: Predictions, probabilities: tuple[Array, Array],
    explanations: tuple[FlipExplanation | None, FlipExplanation | None],
) -> Flip:  # fmt: skip
    return Flip(
        key=str(inputs.prepared.held_out[inputs.config.data.key].iloc[row]),
        truth=to_json_value(inputs.labels[row]),
        champion=to_json_value(before.values[row]),
        champion_probability=_finite(float(probabilities[0][row])),
        challenger=to_json_value(after.values[row]),
        challenger_probability=_finite(float(probabilities[1][row])),
        champion_why=explanations[0],
        challenger_why=explanations[1],
    )


def to_json_value(value: Any) -> JsonScalar | None:
    """Return a value as a JSON scalar; None for NaN and infinity.

    Args:
        value: Value of a NumPy array or a data frame.
    """
    value = value.item() if isinstance(value, np.generic) else value
    if isinstance(value, float):
        return _finite(value)
    return value if isinstance(value, str | int | bool) else str(value)


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
