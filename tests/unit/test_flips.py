"""Flips: rows that get another answer than they get today."""

from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline

from gitops_ml.predictions import Predictions
from gitops_ml.reasons import Basis, basis, explain
from gitops_ml.training.flips import Flips, flips
from unit.trial_of import REGRESSION, frame, labels, numbers, trial, version


def found(truth: Any, champion: Predictions, challenger: Predictions, **rules: Any) -> Flips:
    """What flips between what the two say."""
    held = frame(truth)
    flipped = flips(trial(held, version("2", challenger, held), version("1", champion, held), **rules))
    assert flipped is not None
    return flipped


def test_a_flip_names_the_row_and_what_both_say() -> None:
    """Four rows: one flips to the truth, one away from it."""
    truth = ["no", "yes", "yes", "no"]
    before, after = labels(["no", "no", "yes", "no"], [0.1, 0.4, 0.9, 0.2]), labels(
        ["yes", "yes", "yes", "no"], [0.6, 0.7, 0.9, 0.2])  # fmt: skip
    flipped = found(truth, before, after)
    assert (flipped.rows, flipped.count, flipped.rate, flipped.better, flipped.worse) == (4, 2, 0.5, 1, 1)
    first = flipped.examples[0]
    assert (first.key, first.truth, first.champion, first.challenger) == ("r0", "no", "no", "yes")
    assert (first.champion_probability, first.challenger_probability) == (0.9, 0.6)
    assert [each.key for each in flipped.examples] == ["r0", "r1"]


def test_the_five_that_move_most_are_shown() -> None:
    """Both are sure of what they say."""
    sure = np.array([0.6, 0.9, 0.7, 0.8, 0.99, 0.55, 0.95])
    flipped = found(["yes"] * 7, labels(["no"] * 7, 1 - sure), labels(["yes"] * 7, sure))
    assert flipped.count == 7
    assert [each.key for each in flipped.examples] == ["r4", "r6", "r1", "r3", "r2"]


LABELS: dict[str, tuple[Any, Any]] = {"text": ("no", "yes"), "bool": (False, True), "int": (0, 1)}


@pytest.mark.parametrize("classes", LABELS.values(), ids=LABELS)
def test_labels_keep_their_type(classes: tuple[Any, Any]) -> None:
    """As JSON says them, there and back."""
    no, yes = classes
    flipped = found([no, yes], labels([no, no], [0.1, 0.4], classes), labels([no, yes], [0.1, 0.6], classes))
    assert (flipped.count, flipped.better) == (1, 1)
    assert flipped.examples[0].challenger is yes or flipped.examples[0].challenger == yes
    assert type(flipped.examples[0].challenger) is type(yes)
    assert Flips.model_validate_json(flipped.to_json()) == flipped


def test_three_classes_may_be_wrong_twice() -> None:
    """From one wrong label to another is neither better nor worse."""
    classes = ("a", "b", "c")
    before = labels(["b", "c"], [[0.1, 0.8, 0.1], [0.1, 0.1, 0.8]], classes)
    after = labels(["c", "b"], [[0.1, 0.2, 0.7], [0.1, 0.7, 0.2]], classes)
    flipped = found(["a", "c"], before, after)
    assert (flipped.count, flipped.better, flipped.worse) == (2, 0, 1)
    assert flipped.examples[0].challenger_probability == 0.7


def test_without_probabilities_there_are_labels() -> None:
    """Such an estimator has none to show."""
    flipped = found(["no", "yes"], labels(["no", "no"]), labels(["no", "yes"]))
    assert (flipped.examples[0].champion_probability, flipped.examples[0].challenger) == (None, "yes")


def test_a_number_flips_when_it_moves_by_a_tenth_of_the_deviation() -> None:
    """The target's deviation is 10 here, so more than 1 is a flip; a NaN is the gate FINITE's business."""
    flipped = found(
        [0.0, 20.0, 0.0, 20.0], numbers([5, 15, 0, np.nan]), numbers([6, 16.5, 3, 0]), config=REGRESSION
    )  # fmt: skip
    assert "more than 1, a tenth of the target's standard deviation" in flipped.rule
    assert (flipped.count, flipped.better, flipped.worse) == (2, 1, 1)
    assert [(each.key, each.truth, each.champion, each.challenger) for each in flipped.examples] == [
        ("r2", 0.0, 0.0, 3.0), ("r1", 20.0, 15.0, 16.5),
    ]  # fmt: skip


def test_a_probability_that_is_no_number_is_null() -> None:
    """JSON has no NaN."""
    flipped = found(["no", "yes"], labels(["no", "no"], [0.1, np.nan]), labels(["no", "yes"], [0.1, 0.8]))
    assert flipped.examples[0].champion_probability is None
    assert "NaN" not in flipped.to_json()


def test_a_flip_says_what_moved_it() -> None:
    """Each version with its own reasons, where its model is at hand and linear; the three that moved it most."""
    held = frame(["no", "yes"] * 4, a=np.arange(8.0), b=[1.0, 2.0] * 4, c=[0.5] * 8, d=[0, 0, 1, 1] * 2)
    rows = held[["a", "b", "c", "d"]]
    model = Pipeline([("estimator", LogisticRegression())]).fit(rows, held["label"])
    linear = {"model": model, "basis": basis(model, rows, "label")}
    ours, theirs = labels(["yes"] * 8, [0.9] * 8), labels(["no"] * 8, [0.1] * 8)
    bent = {**linear, "basis": Basis(unavailable="it is not linear")}
    for given, known in (({}, False), (bent, False), (linear, True)):
        flipped = flips(trial(held, version("2", ours, held, **given), version("1", theirs, held)))
        assert flipped
        why = flipped.examples[0].challenger_why
        assert flipped.examples[0].champion_why is None
        assert (why is not None) == known
    assert why
    exact = explain(model, basis(model, rows, "label"), rows)
    assert [(each.column, each.contribution) for each in why.reasons] == exact.largest(0, 3)
    assert (why.of, why.unit) == ("yes", "log-odds")


def test_without_a_champion_nothing_flips() -> None:
    """There is no answer to differ from."""
    held = frame(["no", "yes"])
    assert flips(trial(held, version("1", labels(["no", "yes"]), held))) is None


def test_the_same_answers_are_no_flips() -> None:
    """Whatever their probabilities."""
    assert found(["no", "yes"], labels(["no", "yes"], [0.1, 0.9]), labels(["no", "yes"], [0.4, 0.6])).examples == ()
