"""A resample that is told by how often it holds each row has the metric of the rows themselves."""

from typing import Any

import numpy as np
import pytest

from gitops_ml.config import REGRESSION
from gitops_ml.predictions import Predictions
from gitops_ml.training.metrics import CLASSIFICATION, measure, widened
from gitops_ml.training.weigh import weigh

Array = np.ndarray[Any, Any]
ROWS, RESAMPLES = 200, 30
TWO, THREE = ("no", "yes"), ("a", "b", "c")


def resampled() -> Array:
    """Which rows each resample holds; one of them is a single row, over and over."""
    places = np.random.default_rng(3).integers(0, ROWS, (RESAMPLES, ROWS))
    places[7] = 5
    return places


def counted(places: Array) -> Array:
    """How often each resample holds each row."""
    return np.stack([np.bincount(each, minlength=ROWS) for each in places])


def labelled(classes: tuple[Any, ...], levels: int | None = None, rare: int = 0) -> tuple[Array, Predictions]:
    """A truth, and predictions that know something of it; on so many levels, and with so few rows of the last class."""
    rng = np.random.default_rng(len(classes))
    places = rng.integers(0, len(classes) - (rare > 0), ROWS)
    places[:rare] = len(classes) - 1
    raw = rng.random((ROWS, len(classes))) + np.eye(len(classes))[places] * 0.5
    raw = raw if levels is None else np.ceil(raw * levels)
    probabilities = raw / raw.sum(axis=1, keepdims=True)
    labels = np.asarray(classes)
    return labels[places], Predictions(labels[probabilities.argmax(axis=1)], probabilities, classes)


def later(known: tuple[Any, ...]) -> tuple[Array, Predictions]:
    """A label that came after the model was trained."""
    truth, said = labelled(known)
    truth = truth.astype("U9")
    truth[:20] = "later"
    return truth, said


CASES = {
    "two classes": labelled(TWO),
    "two classes, with ties": labelled(TWO, levels=3),
    "two classes, one of them rare": labelled(TWO, rare=2),
    "numbers as labels": labelled((0, 1)),
    "booleans as labels": labelled((False, True)),
    "three classes": labelled(THREE),
    "three classes, with ties": labelled(THREE, levels=3),
    "three classes, one of them rare": labelled(THREE, rare=2),
    "two classes and a later one": later(TWO),
    "three classes and a later one": later(THREE),
}


@pytest.mark.filterwarnings("ignore::UserWarning")  # scikit-learn's, about a class that a resample does not hold
@pytest.mark.parametrize("metric", CLASSIFICATION)
@pytest.mark.parametrize("case", CASES)
def test_a_resample_is_measured_as_its_rows_are(case: str, metric: str) -> None:
    """Whatever scikit-learn says of the rows, to twelve digits; NaN for the one row, over and over."""
    truth, said = CASES[case]
    places, said = resampled(), widened(said, truth)
    each = [measure(metric, truth[rows], said.take(rows)) for rows in places]
    assert np.isnan(each[7])
    assert weigh(metric, truth, said)(counted(places)) == pytest.approx(each, abs=1e-12, rel=1e-12, nan_ok=True)


@pytest.mark.parametrize("metric", CLASSIFICATION)
def test_the_positive_label_may_be_the_first(metric: str) -> None:
    """Two-class metrics look for the one that is named."""
    truth, said = labelled(TWO, rare=60)
    places = resampled()
    each = [measure(metric, truth[rows], said.take(rows), "no") for rows in places]
    assert weigh(metric, truth, said, "no")(counted(places)) == pytest.approx(each, abs=1e-12, nan_ok=True)


@pytest.mark.parametrize("metric", ["accuracy", "balanced_accuracy", "f1"])
def test_labels_alone_are_enough_where_no_probability_is_asked_for(metric: str) -> None:
    """A later label too is simply one that is never said."""
    truth, said = later(TWO)
    said, places = Predictions(said.values, None, TWO), resampled()
    each = [measure(metric, truth[rows], said.take(rows)) for rows in places]
    assert weigh(metric, truth, said)(counted(places)) == pytest.approx(each, abs=1e-12, nan_ok=True)


@pytest.mark.parametrize("metric", REGRESSION)
@pytest.mark.parametrize("offset", [0.0, 1e6], ids=["around nought", "far from nought"])
def test_numbers_are_measured_as_their_rows_are(metric: str, offset: float) -> None:
    """The spread of the truth is that of the resample, not that of all rows."""
    truth = np.random.default_rng(1).normal(size=ROWS)
    said = Predictions(truth + np.random.default_rng(2).normal(size=ROWS) + offset, None, ())
    places, truth = np.delete(resampled(), 7, axis=0), truth + offset
    each = [measure(metric, truth[rows], said.take(rows)) for rows in places]
    assert weigh(metric, truth, said)(counted(places)) == pytest.approx(each, abs=1e-12, rel=1e-12)


@pytest.mark.parametrize(("error", "r2"), [(0.1, 0.0), (0.0, 1.0)], ids=["wrong", "right"])
def test_a_resample_of_one_number_has_the_r2_that_scikit_learn_gives_it(error: float, r2: float) -> None:
    """Nought, or one where the model is right; there is no spread to divide by, and rounding is none."""
    truth = np.random.default_rng(1).normal(size=ROWS)
    said = Predictions(truth + error, None, ())
    assert weigh("r2", truth, said)(counted(resampled()))[7] == r2
    assert measure("r2", np.full(2, truth[5]), said.take(np.array([5, 5]))) == r2
