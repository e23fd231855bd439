"""Flips: rows for which the challenger makes another prediction than the champion."""

from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline

from gitops_ml.explanations import AttributionBaseline, compute_attribution_baseline, explain
from gitops_ml.predictions import Predictions
from gitops_ml.training.flips import Flips, find_flips
from unit.comparison_inputs import (
    REGRESSION,
    comparison_input,
    frame,
    label_predictions,
    number_predictions,
    scored_version,
)


def flips_between(labels: Any, champion: Predictions, challenger: Predictions, **options: Any) -> Flips:
    """Flips between two versions with these predictions."""
    held = frame(labels)
    flips = find_flips(
        comparison_input(held, scored_version("2", challenger, held), scored_version("1", champion, held), **options)
    )
    assert flips is not None
    return flips


def test_a_flip_has_the_key_and_both_predictions() -> None:
    """One of four rows flips to the true label and one away from it."""
    labels = ["no", "yes", "yes", "no"]
    before, after = label_predictions(["no", "no", "yes", "no"], [0.1, 0.4, 0.9, 0.2]), label_predictions(
        ["yes", "yes", "yes", "no"], [0.6, 0.7, 0.9, 0.2])  # fmt: skip
    flips = flips_between(labels, before, after)
    assert (flips.rows, flips.count, flips.rate, flips.better, flips.worse) == (4, 2, 0.5, 1, 1)
    first = flips.examples[0]
    assert (first.key, first.truth, first.champion, first.challenger) == ("r0", "no", "no", "yes")
    assert (first.champion_probability, first.challenger_probability) == (0.9, 0.6)
    assert [each.key for each in flips.examples] == ["r0", "r1"]


def test_the_five_largest_flips_are_shown() -> None:
    """Both versions have the highest probabilities for their predictions there."""
    probabilities = np.array([0.6, 0.9, 0.7, 0.8, 0.99, 0.55, 0.95])
    flips = flips_between(
        ["yes"] * 7, label_predictions(["no"] * 7, 1 - probabilities), label_predictions(["yes"] * 7, probabilities)
    )
    assert flips.count == 7
    assert [each.key for each in flips.examples] == ["r4", "r6", "r1", "r3", "r2"]


LABELS: dict[str, tuple[Any, Any]] = {"text": ("no", "yes"), "bool": (False, True), "int": (0, 1)}


@pytest.mark.parametrize("classes", LABELS.values(), ids=LABELS)
def test_labels_keep_their_type(classes: tuple[Any, Any]) -> None:
    """Reading the JSON gives the same types."""
    no, yes = classes
    flips = flips_between(
        [no, yes], label_predictions([no, no], [0.1, 0.4], classes), label_predictions([no, yes], [0.1, 0.6], classes)
    )
    assert (flips.count, flips.better) == (1, 1)
    assert flips.examples[0].challenger is yes or flips.examples[0].challenger == yes
    assert type(flips.examples[0].challenger) is type(yes)
    assert Flips.model_validate_json(flips.to_json()) == flips


def test_three_classes_may_be_wrong_twice() -> None:
    """A change from one wrong label to another is neither better nor worse."""
    classes = ("a", "b", "c")
    before = label_predictions(["b", "c"], [[0.1, 0.8, 0.1], [0.1, 0.1, 0.8]], classes)
    after = label_predictions(["c", "b"], [[0.1, 0.2, 0.7], [0.1, 0.7, 0.2]], classes)
    flips = flips_between(["a", "c"], before, after)
    assert (flips.count, flips.better, flips.worse) == (2, 0, 1)
    assert flips.examples[0].challenger_probability == 0.7


def test_without_probabilities_there_are_labels() -> None:
    """Such an estimator has no probabilities to show."""
    flips = flips_between(["no", "yes"], label_predictions(["no", "no"]), label_predictions(["no", "yes"]))
    assert (flips.examples[0].champion_probability, flips.examples[0].challenger) == (None, "yes")


def test_a_number_flips_if_it_moves_by_a_tenth_of_the_deviation() -> None:
    """The target's standard deviation is 10, so more than 1 is a flip; the gate FINITE handles NaN."""
    flips = flips_between(
        [0.0, 20.0, 0.0, 20.0],
        number_predictions([5, 15, 0, np.nan]),
        number_predictions([6, 16.5, 3, 0]),
        config=REGRESSION,
    )
    assert "more than 1, a tenth of the target's standard deviation" in flips.rule
    assert (flips.count, flips.better, flips.worse) == (2, 1, 1)
    assert [(each.key, each.truth, each.champion, each.challenger) for each in flips.examples] == [
        ("r2", 0.0, 0.0, 3.0), ("r1", 20.0, 15.0, 16.5),
    ]  # fmt: skip


def test_a_probability_that_is_no_number_is_null() -> None:
    """JSON has no NaN."""
    flips = flips_between(
        ["no", "yes"], label_predictions(["no", "no"], [0.1, np.nan]), label_predictions(["no", "yes"], [0.1, 0.8])
    )
    assert flips.examples[0].champion_probability is None
    assert "NaN" not in flips.to_json()


def test_a_flip_has_an_explanation() -> None:
    """Each version has the three largest contributions, if its model is loaded and linear."""
    held = frame(["no", "yes"] * 4, a=np.arange(8.0), b=[1.0, 2.0] * 4, c=[0.5] * 8, d=[0, 0, 1, 1] * 2)
    rows = held[["a", "b", "c", "d"]]
    model = Pipeline([("estimator", LogisticRegression())]).fit(rows, held["label"])
    linear = {"model": model, "attribution_baseline": compute_attribution_baseline(model, rows, "label")}
    challenger, champion = label_predictions(["yes"] * 8, [0.9] * 8), label_predictions(["no"] * 8, [0.1] * 8)
    not_linear = {**linear, "attribution_baseline": AttributionBaseline(unavailable="the estimator is not linear")}
    for fields, is_explained in (({}, False), (not_linear, False), (linear, True)):
        flips = find_flips(
            comparison_input(held, scored_version("2", challenger, held, **fields), scored_version("1", champion, held))
        )
        assert flips
        explanation = flips.examples[0].challenger_why
        assert flips.examples[0].champion_why is None
        assert (explanation is not None) == is_explained
    assert explanation
    exact = explain(model, compute_attribution_baseline(model, rows, "label"), rows)
    assert [(each.column, each.contribution) for each in explanation.reasons] == exact.largest_contributions(0, 3)
    assert (explanation.of, explanation.unit) == ("yes", "log-odds")


def test_without_a_champion_there_are_no_flips() -> None:
    """There is no prediction to differ from."""
    held = frame(["no", "yes"])
    assert find_flips(comparison_input(held, scored_version("1", label_predictions(["no", "yes"]), held))) is None


def test_equal_labels_are_no_flips() -> None:
    """Their probabilities may differ."""
    assert (
        flips_between(
            ["no", "yes"], label_predictions(["no", "yes"], [0.1, 0.9]), label_predictions(["no", "yes"], [0.4, 0.6])
        ).examples
        == ()
    )
