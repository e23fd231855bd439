"""Data of the plots in a comparison's report."""

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import auc, average_precision_score, roc_auc_score

from gitops_ml.predictions import Predictions
from gitops_ml.training.plot_data import CURVE_POINTS, ROWS, PlotData, collect_plot_data
from unit.comparison_inputs import (
    REGRESSION,
    comparison_input,
    frame,
    label_predictions,
    number_predictions,
    scored_version,
)

RNG = np.random.default_rng(0)
LABELS = np.where(RNG.random(4000) < 0.4, "yes", "no")
PROBABILITIES = np.clip(RNG.normal(0.3 + 0.4 * (LABELS == "yes"), 0.2), 0.01, 0.99)


def thresholded(probabilities: Any) -> Predictions:
    """Predictions of a classifier that predicts "yes" from one half on."""
    return label_predictions(np.where(np.asarray(probabilities) > 0.5, "yes", "no"), probabilities)


def plot_data(labels: Any, challenger: Predictions, champion: Predictions | None = None, **options: Any) -> PlotData:
    """Plot data of a comparison, read back from its JSON."""
    held = frame(labels)
    other = scored_version("1", champion, held) if champion else None
    found = collect_plot_data(comparison_input(held, scored_version("2", challenger, held), other, **options))
    assert "NaN" not in found.to_json()
    return PlotData.model_validate(json.loads(found.to_json()))


def test_the_roc_curve_has_the_area_of_the_metric() -> None:
    """Thinning the curve hardly changes the area."""
    curve = plot_data(LABELS, thresholded(PROBABILITIES)).sides["challenger"].roc
    assert curve
    assert len(curve.x) <= CURVE_POINTS
    assert auc(curve.x, curve.y) == pytest.approx(roc_auc_score(LABELS == "yes", PROBABILITIES), abs=0.002)


def test_the_precision_recall_curve_has_the_area_of_the_metric() -> None:
    """At the recall of 1, the precision is the share of positive rows."""
    curve = plot_data(LABELS, thresholded(PROBABILITIES)).sides["challenger"].precision_recall
    assert curve
    assert len(curve.x) <= CURVE_POINTS
    expected = average_precision_score(LABELS == "yes", PROBABILITIES)
    assert auc(curve.x, curve.y) == pytest.approx(expected, abs=0.005)
    assert curve.x[0] == 1.0
    assert curve.y[0] == pytest.approx(np.mean(LABELS == "yes"))


def test_the_confusion_matrix_counts_rows_by_label_and_prediction() -> None:
    """A row for each label, also if it is never predicted; the champion's has the same labels."""
    labels = ["no", "no", "yes", "maybe"]
    found = plot_data(labels, label_predictions(["no", "yes", "yes", "yes"]), label_predictions(["no"] * 4))
    assert found.labels == ("maybe", "no", "yes")
    assert found.sides["challenger"].confusion == ((0, 0, 1), (0, 1, 1), (0, 0, 1))
    assert found.sides["champion"].confusion == ((0, 1, 0), (0, 2, 0), (0, 1, 0))


def test_a_confusion_matrix_of_many_labels_is_left_out() -> None:
    """It could not be read."""
    labels = [f"label {number}" for number in range(31)]
    found = plot_data(labels, label_predictions(labels))
    assert (found.labels, found.sides["challenger"].confusion) == ((), ())


def test_calibration_shows_outcomes_over_probabilities() -> None:
    """The model predicts 0.2 and 0.8, and is right on half of the rows."""
    curve = plot_data(["no", "yes"] * 50, thresholded([0.2, 0.2, 0.8, 0.8] * 25)).sides["challenger"].calibration
    assert curve
    assert curve.x == pytest.approx((0.2, 0.8))
    assert curve.y == pytest.approx((0.5, 0.5))


def test_rows_have_the_predictions_of_both_versions() -> None:
    """Flips come first, with their direction; there are at most two thousand rows."""
    found = plot_data(["yes", "no", "no", "yes"], thresholded([0.9, 0.6, 0.1, 0.3]), thresholded([0.2, 0.1, 0.2, 0.4]))
    points = [(dot.key, dot.truth, dot.champion, dot.challenger, dot.way) for dot in found.dots]
    assert set(points[:2]) == {("r0", "yes", 0.2, 0.9, "better"), ("r1", "no", 0.1, 0.6, "worse")}
    assert {way for *_, way in points[2:]} == {"same"}
    assert found.axis == "probability of yes"
    many = plot_data(LABELS, thresholded(PROBABILITIES), thresholded(np.roll(PROBABILITIES, 1)))
    assert len(many.dots) == ROWS


def test_every_row_falls_into_a_bar() -> None:
    """Both versions have the same bins."""
    found = plot_data(LABELS, thresholded(PROBABILITIES), thresholded(1 - PROBABILITIES))
    assert [sum(side.bars) for side in found.sides.values()] == [4000, 4000]
    assert len(found.bins) == len(found.sides["champion"].bars)
    assert found.truth is None


def test_three_classes_share_one_curve() -> None:
    """Each class is compared with the rest; the dots show the probability of the true label, the bars count labels."""
    classes = ("a", "b", "c")
    predictions = label_predictions(["a", "b", "b"], [[0.8, 0.1, 0.1], [0.2, 0.7, 0.1], [0.1, 0.5, 0.4]], classes)
    found = plot_data(["a", "b", "c"], predictions, predictions)
    assert found.sides["challenger"].roc
    assert found.sides["challenger"].calibration
    assert {dot.key: dot.challenger for dot in found.dots} == {"r0": 0.8, "r1": 0.7, "r2": 0.4}
    assert (found.bins, found.sides["challenger"].bars, found.truth) == (classes, (1, 2, 0), (1, 1, 1))
    assert found.axis == "probability of the true label"


def test_without_probabilities_there_are_only_bars() -> None:
    """There is nothing to rank by."""
    found = plot_data(["no", "yes"], label_predictions(["no", "no"]), label_predictions(["no", "yes"]))
    side = found.sides["challenger"]
    assert (side.roc, side.calibration, side.residuals, found.dots) == (None, None, None, ())
    assert (found.bins, side.bars, found.truth) == (("no", "yes"), (2, 0), (1, 1))


def test_regression_has_residuals() -> None:
    """The true values have bars too; values that are not finite are left out."""
    labels = np.arange(3000.0)
    challenger = number_predictions(np.where(labels == 7, np.nan, labels + 1))
    found = plot_data(labels, challenger, number_predictions(labels), config=REGRESSION)
    residuals = found.sides["challenger"].residuals
    assert residuals
    assert (len(residuals.x), set(residuals.y)) == (ROWS, {-1.0})
    assert (sum(found.truth or ()), sum(found.sides["challenger"].bars)) == (3000, 2999)
    curve = found.sides["champion"].calibration
    assert curve
    assert curve.x == pytest.approx(curve.y)
    assert "r7" not in {dot.key for dot in found.dots}


WORTHLESS: dict[str, tuple[Any, Predictions, dict[str, Any]]] = {
    "no probability is one": (["no", "yes"], thresholded([np.nan, np.nan]), {}),
    "one class is held out": (["no", "no"], thresholded([0.1, 0.2]), {}),
    "no number is one": ([1.0, 2.0], number_predictions([np.nan, np.inf]), {"config": REGRESSION}),
    "a constant": ([1.0, 2.0], number_predictions([3, 3]), {"config": REGRESSION}),
}


@pytest.mark.parametrize(("labels", "predictions", "options"), WORTHLESS.values(), ids=WORTHLESS)
def test_undefined_curves_are_left_out(labels: Any, predictions: Predictions, options: dict[str, Any]) -> None:
    """A gate refuses the version, and the page is still written."""
    side = plot_data(labels, predictions, predictions, **options).sides["challenger"]
    assert (side.roc, side.calibration) == (None, None)


def test_without_a_champion_there_is_one_version() -> None:
    """There are no dots."""
    found = plot_data(LABELS, thresholded(PROBABILITIES))
    assert (list(found.sides), found.dots) == (["challenger"], ())


def test_keys_may_be_numbers() -> None:
    """They are shown as text."""
    held = pd.DataFrame({"id": [10, 11], "label": ["no", "yes"]})
    predictions = thresholded([0.1, 0.9])
    found = collect_plot_data(
        comparison_input(held, scored_version("2", predictions, held), scored_version("1", predictions, held))
    )
    assert {dot.key for dot in found.dots} == {"10", "11"}
