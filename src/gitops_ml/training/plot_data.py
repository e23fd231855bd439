"""Data of the plots in a comparison's report, thinned so that the page stays small."""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import pandas as pd
from sklearn.calibration import calibration_curve
from sklearn.metrics import confusion_matrix, precision_recall_curve, roc_curve

from gitops_ml.bins import monitored_values
from gitops_ml.predictions import PROBABILITY, Predictions
from gitops_ml.run import Document
from gitops_ml.training.comparison_input import ComparisonInput
from gitops_ml.training.flips import compare_predictions

ROWS = 2000
CURVE_POINTS = 500
BINS = 10
BARS = 20
LABELS = 30  # a confusion matrix of more labels cannot be read
Array = np.ndarray[Any, Any]
DIRECTIONS = {1: "better", -1: "worse", 0: "neither"}


class Curve(Document):
    """Points of a curve, in order."""

    x: tuple[float, ...]
    y: tuple[float, ...]


class VersionPlots(Document):
    """Plot data of one version.

    Attributes:
        roc: ROC curve; for more than two classes the curve over all classes, each against the rest.
        precision_recall: Precision over recall, of the same classes; the first point has the recall 1.
        confusion: Number of rows of each true label (rows) with each predicted label (columns); empty for regression.
        calibration: Mean prediction and mean outcome in each tenth of the rows.
        residuals: True value minus prediction over the prediction; for regression only.
        bars: Number of rows in each bin of `PlotData.bins`.
    """

    roc: Curve | None
    precision_recall: Curve | None
    confusion: tuple[tuple[int, ...], ...]
    calibration: Curve | None
    residuals: Curve | None
    bars: tuple[int, ...]


class RowPoint(Document):
    """A row with both versions' predictions.

    Attributes:
        key: Key of the row.
        truth: True value of the target.
        champion: The champion's probability or number; see `PlotData.axis`.
        challenger: The challenger's probability or number.
        way: Direction of the flip: to the true value, away from it, or neither; "same" without a flip.
    """

    key: str
    truth: str
    champion: float
    challenger: float
    way: Literal["better", "worse", "neither", "same"]


class PlotData(Document):
    """Plot data of a comparison.

    Attributes:
        watched: Name of the value that is binned.
        bins: Centers of the bins; or the labels.
        labels: True and predicted labels, sorted; empty for regression, or if there are too many to show.
        sides: Plot data of "challenger", and of "champion" if there is one.
        truth: Number of true values in each bin; None if the bins are of probabilities.
        axis: Name of the value that the dots show.
        dots: Some thousand rows, flips first; empty without a champion.
    """

    watched: str
    bins: tuple[float, ...] | tuple[str, ...]
    labels: tuple[str, ...]
    sides: dict[str, VersionPlots]
    truth: tuple[int, ...] | None
    axis: str
    dots: tuple[RowPoint, ...]


def collect_plot_data(inputs: ComparisonInput) -> PlotData:
    """Return the plot data of challenger and champion.

    Args:
        inputs: Versions to compare.
    """
    named = {"challenger": inputs.challenger, "champion": inputs.champion}
    sides = {name: each.predictions for name, each in named.items() if each}
    watched_name, bins, bars = _histogram(inputs, list(sides.values()))
    labels = _find_labels(inputs, list(sides.values()))
    plots = {
        name: _version_plots(inputs, predictions, bar, labels)
        for (name, predictions), bar in zip(sides.items(), bars, strict=False)
    }
    axis, points = _row_points(inputs)
    truth = bars[-1] if len(bars) > len(sides) else None
    return PlotData(watched=watched_name, bins=bins, labels=labels, sides=plots, truth=truth, axis=axis, dots=points)


def _find_labels(inputs: ComparisonInput, sides: Sequence[Predictions]) -> tuple[str, ...]:
    if not sides[0].classes:
        return ()
    every = [inputs.labels, *(predictions.values for predictions in sides)]
    labels = sorted({str(label) for each in every for label in each})
    return tuple(labels) if len(labels) <= LABELS else ()


def _version_plots(
    inputs: ComparisonInput, predictions: Predictions, bars: tuple[int, ...], names: tuple[str, ...]
) -> VersionPlots:
    if not predictions.classes:
        labels, values = _finite(inputs.labels.astype(float), predictions.values)
        sample = _sample_rows(len(values), inputs.config.training.seed)
        residuals = _curve(values[sample], (labels - values)[sample])
        return VersionPlots(
            roc=None, precision_recall=None, confusion=(), calibration=_binned_means(labels, values),
            residuals=residuals, bars=bars,
        )  # fmt: skip
    confusion = _confusion(inputs.labels, predictions, names)
    hits, probabilities = _hits_and_probabilities(inputs, predictions)
    if len(np.unique(hits)) < 2:
        return VersionPlots(
            roc=None, precision_recall=None, confusion=confusion, calibration=None, residuals=None, bars=bars
        )
    false, true, _ = roc_curve(hits, probabilities)
    precision, recall, _ = precision_recall_curve(hits, probabilities, drop_intermediate=True)
    observed, predicted = calibration_curve(hits, probabilities, n_bins=BINS, strategy="quantile")
    return VersionPlots(
        roc=_thinned(false, true), precision_recall=_thinned(recall, precision), confusion=confusion,
        calibration=_curve(predicted, observed), residuals=None, bars=bars,
    )  # fmt: skip


def _confusion(labels: Array, predictions: Predictions, names: tuple[str, ...]) -> tuple[tuple[int, ...], ...]:
    if not names:
        return ()
    counts = confusion_matrix(labels.astype(str), predictions.values.astype(str), labels=list(names))
    return tuple(map(tuple, counts.tolist()))


def _hits_and_probabilities(inputs: ComparisonInput, predictions: Predictions) -> tuple[Array, Array]:
    """Return the outcomes (0 or 1) and their probabilities: of the positive class, or of each class in turn."""
    if predictions.probabilities is None:
        return np.empty(0), np.empty(0)
    classes = list(predictions.classes)
    if len(classes) == 2:
        probabilities = monitored_values(predictions, inputs.config.data.positive).to_numpy()
        hits = inputs.labels == _positive(inputs, predictions)
    else:
        probabilities = predictions.probabilities.ravel()
        hits = (inputs.labels[:, None] == np.array(classes)[None, :]).ravel()
    return _finite(np.asarray(hits).astype(float), probabilities)


def _positive(inputs: ComparisonInput, predictions: Predictions) -> Any:
    positive = inputs.config.data.positive
    return positive if positive in predictions.classes else predictions.classes[1]


def _binned_means(labels: Array, values: Array) -> Curve | None:
    """Return mean prediction and mean true value in each tenth of the rows, ordered by prediction."""
    if len(np.unique(values)) < 2:
        return None
    means = pd.DataFrame({"x": values, "y": labels}).groupby(pd.qcut(values, BINS, labels=False, duplicates="drop"))
    return _curve(means["x"].mean(), means["y"].mean())


def _histogram(
    inputs: ComparisonInput, sides: Sequence[Predictions]
) -> tuple[str, tuple[float, ...] | tuple[str, ...], list[tuple[int, ...]]]:
    """Return the name of the binned value, the bins, and the counts of each version and then of the true values."""
    positive, labels = inputs.config.data.positive, inputs.labels
    values = [monitored_values(predictions, positive).to_numpy() for predictions in sides]
    first = sides[0]
    if first.classes and (len(first.classes) > 2 or any(predictions.probabilities is None for predictions in sides)):
        every = [*(predictions.values for predictions in sides), labels]
        classes = sorted({str(value) for each in every for value in each})
        sizes = [pd.Series(each).astype(str).value_counts() for each in every]
        return "predicted label", tuple(classes), [tuple(int(each.get(name, 0)) for name in classes) for each in sizes]
    if first.classes:
        edges = np.linspace(0, 1, BARS + 1)
        name = f"{PROBABILITY}{_positive(inputs, first)}"
    else:
        values, name = [*values, labels.astype(float)], inputs.config.data.target
        together = np.concatenate(values)
        edges = np.histogram_bin_edges(together[np.isfinite(together)], BARS)
    counts = [tuple(np.histogram(each[np.isfinite(each)], edges)[0].tolist()) for each in values]
    return name, tuple(((edges[1:] + edges[:-1]) / 2).tolist()), counts


def _row_points(inputs: ComparisonInput) -> tuple[str, tuple[RowPoint, ...]]:
    """Return the name of the shown value and the rows with both versions' predictions, flips first."""
    if inputs.champion is None:
        return "", ()
    before, after = inputs.champion.predictions, inputs.challenger.predictions
    axis, champion = _row_values(inputs, before)
    _, challenger = _row_values(inputs, after)
    labels = inputs.labels
    changes = compare_predictions(labels, before, after)
    finite = np.flatnonzero(np.isfinite(champion) & np.isfinite(challenger))
    order = finite[np.random.default_rng(inputs.config.training.seed).permutation(len(finite))]
    order = order[np.argsort(~changes.flipped[order], kind="stable")][:ROWS]
    keys = inputs.prepared.held_out[inputs.config.data.key].iloc[order].astype(str)
    return axis, tuple(
        RowPoint(key=key, truth=str(labels[row]), champion=float(champion[row]), challenger=float(challenger[row]),
                 way=DIRECTIONS[int(changes.improvement[row])] if changes.flipped[row] else "same")
        for key, row in zip(keys, order, strict=True)
    )  # fmt: skip


def _row_values(inputs: ComparisonInput, predictions: Predictions) -> tuple[str, Array]:
    """Return the name and the value of one number for each row; NaN if there is none.

    It is the probability of the positive class, for more than two classes the probability of the true label, or the
    predicted number.
    """
    if not predictions.classes:
        return inputs.config.data.target, predictions.values
    if predictions.probabilities is None:
        return "", np.full(len(predictions.values), np.nan)
    if len(predictions.classes) == 2:
        probabilities = monitored_values(predictions, inputs.config.data.positive).to_numpy()
        return f"{PROBABILITY}{_positive(inputs, predictions)}", probabilities
    indices = {label: index for index, label in enumerate(predictions.classes)}
    chosen = np.array([indices.get(label, -1) for label in inputs.labels.tolist()])
    probabilities = np.where(chosen < 0, 0.0, predictions.probabilities[np.arange(len(chosen)), chosen])
    return f"{PROBABILITY}the true label", probabilities


def _sample_rows(count: int, seed: int) -> Array:
    return np.sort(np.random.default_rng(seed).permutation(count)[:ROWS])


def _finite(labels: Array, values: Array) -> tuple[Array, Array]:
    finite = np.isfinite(values) & np.isfinite(labels)
    return labels[finite], values[finite]


def _thinned(x: Array, y: Array) -> Curve:
    kept = np.unique(np.linspace(0, len(x) - 1, CURVE_POINTS).astype(int))
    return _curve(x[kept], y[kept])


def _curve(x: Any, y: Any) -> Curve:
    return Curve(x=tuple(np.asarray(x, dtype=float).tolist()), y=tuple(np.asarray(y, dtype=float).tolist()))
