"""Points: what the pictures of a comparison are drawn from."""

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import auc, roc_auc_score

from gitops_ml.predictions import Predictions
from gitops_ml.training.points import CURVE, ROWS, Points, points
from unit.trial_of import REGRESSION, frame, labels, numbers, trial, version

RNG = np.random.default_rng(0)
TRUTH = np.where(RNG.random(4000) < 0.4, "yes", "no")
CHANCES = np.clip(RNG.normal(0.3 + 0.4 * (TRUTH == "yes"), 0.2), 0.01, 0.99)


def said_of(chances: Any) -> Predictions:
    """A classifier that says "yes" from one half on."""
    return labels(np.where(np.asarray(chances) > 0.5, "yes", "no"), chances)


def drawn(truth: Any, ours: Predictions, theirs: Predictions | None = None, **rules: Any) -> Points:
    """The points of a comparison, there and back through JSON."""
    held = frame(truth)
    other = version("1", theirs, held) if theirs else None
    found = points(trial(held, version("2", ours, held), other, **rules))
    assert "NaN" not in found.to_json()
    return Points.model_validate(json.loads(found.to_json()))


def test_the_roc_curve_has_the_area_that_the_metric_says() -> None:
    """Thinned, and hardly less exact."""
    line = drawn(TRUTH, said_of(CHANCES)).sides["challenger"].roc
    assert line
    assert len(line.x) <= CURVE
    assert auc(line.x, line.y) == pytest.approx(roc_auc_score(TRUTH == "yes", CHANCES), abs=0.002)


def test_calibration_is_what_was_true_where_so_much_was_said() -> None:
    """A model that says 0.2 and 0.8, and is right half of the time."""
    line = drawn(["no", "yes"] * 50, said_of([0.2, 0.2, 0.8, 0.8] * 25)).sides["challenger"].calibration
    assert line
    assert line.x == pytest.approx((0.2, 0.8))
    assert line.y == pytest.approx((0.5, 0.5))


def test_rows_are_drawn_as_both_versions_see_them() -> None:
    """Those that flip first, with the way that they go; at most two thousand."""
    found = drawn(["yes", "no", "no", "yes"], said_of([0.9, 0.6, 0.1, 0.3]), said_of([0.2, 0.1, 0.2, 0.4]))
    seen = [(dot.key, dot.truth, dot.champion, dot.challenger, dot.way) for dot in found.dots]
    assert set(seen[:2]) == {("r0", "yes", 0.2, 0.9, "better"), ("r1", "no", 0.1, 0.6, "worse")}
    assert {way for *_, way in seen[2:]} == {"same"}
    assert found.axis == "probability of yes"
    many = drawn(TRUTH, said_of(CHANCES), said_of(np.roll(CHANCES, 1)))
    assert len(many.dots) == ROWS


def test_every_row_falls_into_a_bar() -> None:
    """Of each version, in the same bins."""
    found = drawn(TRUTH, said_of(CHANCES), said_of(1 - CHANCES))
    assert [sum(side.bars) for side in found.sides.values()] == [4000, 4000]
    assert len(found.bins) == len(found.sides["champion"].bars)
    assert found.truth is None


def test_three_classes_are_taken_together() -> None:
    """Each against the others; the dots show the probability of the truth, the bars count labels."""
    classes = ("a", "b", "c")
    said = labels(["a", "b", "b"], [[0.8, 0.1, 0.1], [0.2, 0.7, 0.1], [0.1, 0.5, 0.4]], classes)
    found = drawn(["a", "b", "c"], said, said)
    assert found.sides["challenger"].roc
    assert found.sides["challenger"].calibration
    assert {dot.key: dot.challenger for dot in found.dots} == {"r0": 0.8, "r1": 0.7, "r2": 0.4}
    assert (found.bins, found.sides["challenger"].bars, found.truth) == (classes, (1, 2, 0), (1, 1, 1))
    assert found.axis == "probability of the truth"


def test_labels_alone_have_bars_and_nothing_else() -> None:
    """Nothing to rank by."""
    found = drawn(["no", "yes"], labels(["no", "no"]), labels(["no", "yes"]))
    side = found.sides["challenger"]
    assert (side.roc, side.calibration, side.residuals, found.dots) == (None, None, None, ())
    assert (found.bins, side.bars, found.truth) == (("no", "yes"), (2, 0), (1, 1))


def test_numbers_have_residuals() -> None:
    """And the truth beside the bars; what is no number is left out."""
    truth = np.arange(3000.0)
    ours = numbers(np.where(truth == 7, np.nan, truth + 1))
    found = drawn(truth, ours, numbers(truth), config=REGRESSION)
    residuals = found.sides["challenger"].residuals
    assert residuals
    assert (len(residuals.x), set(residuals.y)) == (ROWS, {-1.0})
    assert (sum(found.truth or ()), sum(found.sides["challenger"].bars)) == (3000, 2999)
    line = found.sides["champion"].calibration
    assert line
    assert line.x == pytest.approx(line.y)
    assert "r7" not in {dot.key for dot in found.dots}


WORTHLESS: dict[str, tuple[Any, Predictions, dict[str, Any]]] = {
    "no probability is one": (["no", "yes"], said_of([np.nan, np.nan]), {}),
    "one class is held out": (["no", "no"], said_of([0.1, 0.2]), {}),
    "no number is one": ([1.0, 2.0], numbers([np.nan, np.inf]), {"config": REGRESSION}),
    "a constant": ([1.0, 2.0], numbers([3, 3]), {"config": REGRESSION}),
}


@pytest.mark.parametrize(("truth", "said", "rules"), WORTHLESS.values(), ids=WORTHLESS)
def test_what_cannot_be_drawn_is_left_out(truth: Any, said: Predictions, rules: dict[str, Any]) -> None:
    """A gate refuses it; the page is written all the same."""
    side = drawn(truth, said, said, **rules).sides["challenger"]
    assert (side.roc, side.calibration) == (None, None)


def test_without_a_champion_there_is_one_side() -> None:
    """And no dots."""
    found = drawn(TRUTH, said_of(CHANCES))
    assert (list(found.sides), found.dots) == (["challenger"], ())


def test_keys_may_be_numbers() -> None:
    """They are names all the same."""
    held = pd.DataFrame({"id": [10, 11], "label": ["no", "yes"]})
    said = said_of([0.1, 0.9])
    found = points(trial(held, version("2", said, held), version("1", said, held)))
    assert {dot.key for dot in found.dots} == {"10", "11"}
