"""Labels of a classification: what model.toml may name, what is reported about them before a fit."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from gitops_ml.config import Config, parse_config
from gitops_ml.errors import ConfigError
from gitops_ml.predictions import Predictions
from gitops_ml.training.labels import check_sides
from gitops_ml.training.metrics import measure
from gitops_ml.training.weighted_metrics import weighted_metric
from unit.sample import MODEL_TOML, Project, make_rows

POSITIVE = 'positive = "yes"'
LABEL = 'label: str = pa.Field(isin=["yes", "no"])'
ACCENTED = ("à risque élevé", "« sans » risque, 100 %")


def set_labels(project: Project, no: Any, yes: Any, positive: str, column: str) -> None:
    """Give the sample other labels, another positive label and another type of the target."""
    rows = make_rows(60)
    project.write_data(rows.assign(label=[yes if label == "yes" else no for label in rows["label"]]))
    project.edit("model.toml", POSITIVE, positive)
    project.edit("src/sample/schema.py", LABEL, column)


BOOLEAN, NUMBER = "label: bool", "label: int = pa.Field(isin=[0, 1])"
TEXT = f"label: str = pa.Field(isin={list(ACCENTED)!r})"
ACCEPTED: dict[str, tuple[Any, Any, str, str]] = {
    "a boolean": (False, True, "positive = true", BOOLEAN),
    "the boolean of the other class": (False, True, "positive = false", BOOLEAN),
    "a number": (0, 1, "positive = 1", NUMBER),
    "a number of a float column": (0.0, 1.0, "positive = 1", "label: float"),
    "text with accents and spaces": (*ACCENTED, f'positive = "{ACCENTED[1]}"', TEXT),
    "none": (False, True, "", BOOLEAN),
}
REFUSED: dict[str, tuple[Any, Any, str, str, str]] = {
    "text for a boolean": (False, True, 'positive = "true"', BOOLEAN, "Set it to one of these: false, true."),
    "a number for a boolean": (False, True, "positive = 1", BOOLEAN, "Set it to one of these: false, true."),
    "a boolean for a number": (0, 1, "positive = true", NUMBER, "Set it to one of these: 0, 1."),
    "text for a number": (0, 1, 'positive = "1"', NUMBER, "Set it to one of these: 0, 1."),
    "another spelling": (
        *ACCENTED, 'positive = "a risque"', TEXT,
        f'which is not a label of the target \'label\'.\n  Set it to one of these: "{ACCENTED[1]}", "{ACCENTED[0]}".',
    ),
    "one label": (True, True, "positive = true", BOOLEAN, "has only the label true, and a classification needs two"),
    "fractions": (0.5, 1.5, "", "label: float", "has numbers with decimals, such as 0.5"),
    "a date": (False, True, "positive = 2026-01-01", BOOLEAN,
               "should be a label: text in quotes, a whole number, true or false"),
}  # fmt: skip


@pytest.mark.parametrize(("no", "yes", "positive", "column"), ACCEPTED.values(), ids=ACCEPTED)
def test_a_label_of_the_target_is_accepted(project: Project, no: Any, yes: Any, positive: str, column: str) -> None:
    """`positive` has the type that the target has."""
    set_labels(project, no, yes, positive, column)
    project.must("validate")


@pytest.mark.parametrize(("no", "yes", "positive", "column", "text"), REFUSED.values(), ids=REFUSED)
def test_a_wrong_label_is_found_by_validation(
    project: Project, no: Any, yes: Any, positive: str, column: str, text: str
) -> None:
    """Nothing is fitted before; the message has the labels as model.toml takes them."""
    set_labels(project, no, yes, positive, column)
    result = project.gitops("validate")
    assert (result.code, text in result.err) == (3, True), result.err


def test_the_advice_of_the_message_is_accepted(project: Project) -> None:
    """Whatever the type of the target is, a label can be copied from the message to model.toml."""
    set_labels(project, False, True, 'positive = "yes"', BOOLEAN)
    labels = project.gitops("validate").err.split("one of these: ")[1].split(".")[0].split(", ")
    project.edit("model.toml", POSITIVE, f"positive = {labels[1]}")
    project.must("validate")


def test_a_label_outside_of_the_schema_is_found_by_validation(project: Project) -> None:
    """The rule, the value and the row are shown."""
    project.write_data(make_rows(60).assign(label=["perhaps", *make_rows(60)["label"][1:]]))
    result = project.gitops("validate")
    assert (result.code, "'perhaps'" in result.out) == (4, True), result.out


def test_a_row_without_a_target_is_found_by_validation(project: Project) -> None:
    """A schema may allow that, and the fit would fail."""
    project.edit("src/sample/schema.py", 'isin=["yes", "no"]', 'isin=["yes", "no"], nullable=True')
    project.write_data(make_rows(60).assign(label=["", *make_rows(60)["label"][1:]]))
    result = project.gitops("validate")
    assert (result.code, "The target 'label' is missing in 1 row(s)" in result.err) == (4, True), result.err


def config_of(change: Callable[[str], str] = str) -> Config:
    """Return the sample's configuration, after a change of its text."""
    return parse_config(change(MODEL_TOML))


SIDES: dict[str, tuple[list[str], list[str], str]] = {
    "no held-out row of a label": (["a", "b", "c", "c"], ["a", "b"], 'No held-out row has the label "c" (2 rows)'),
    "no training row of a label": (["a", "b"], ["a", "b", "c"], 'No training row has the label "c" (1 rows)'),
    "both": (["a", "b", "d"], ["a", "b", "c"], 'No training row has the label "c"'),
}


@pytest.mark.parametrize(("training", "held_out", "text"), SIDES.values(), ids=SIDES)
def test_a_label_that_one_side_lacks_is_reported_before_the_fit(
    training: list[str], held_out: list[str], text: str
) -> None:
    """With the number of rows on the other side."""
    assert text in " ".join(check_sides(config_of(), pd.Series(training), pd.Series(held_out)))
    assert check_sides(config_of(), pd.Series(training), pd.Series(training)) == ()


@pytest.mark.parametrize("side", ["training", "held-out"])
def test_one_label_on_a_side_is_refused_before_the_fit(side: str) -> None:
    """Nothing could be learned, or no metric measured."""
    sides = [pd.Series([True, False]), pd.Series([True, True])]
    training, held_out = reversed(sides) if side == "training" else sides
    with pytest.raises(ConfigError, match=f"All 2 {side} rows have the label true"):
        check_sides(config_of(), training, held_out)


def test_training_says_it_and_fits_nothing(project: Project) -> None:
    """One label on the held-out side ends the command before the fit."""
    project.edit("model.toml", 'method = "hash"\ncolumn = "id"\nholdout = 0.4', 'method = "time"\ncolumn = "day"\n'
                 "cutoff = 2026-01-02")  # fmt: skip
    project.edit("src/sample/schema.py", "    x1: float\n", "    x1: float\n    day: pa.DateTime\n")
    rows = make_rows(60)
    project.write_data(rows.assign(day=np.where(rows["label"] == "yes", "2026-01-01", rows["id"].map(
        lambda key: "2026-01-01" if key < "r00030" else "2026-01-02"))))  # fmt: skip
    result = project.gitops("train")
    assert result.code == 3
    assert "rows have the label \"no\" in 'label', which is not enough to measure roc_auc" in result.err
    assert "fit" not in result.err.replace("fits", "")


def test_training_names_a_label_without_held_out_rows(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before the fit, in the output of the command."""

    def stop(*_: object, **__: object) -> None:
        raise ConfigError("The fit would begin here.", "")

    monkeypatch.setattr("gitops_ml.training.train.train", stop)
    project.edit("src/sample/schema.py", '["yes", "no"]', '["yes", "no", "rare"]')
    rows = make_rows(60)
    for key in rows["id"]:  # one of the first rows is a training row
        project.write_data(rows.assign(label=rows["label"].mask(rows["id"] == key, "rare")))
        result = project.gitops("train")
        assert "The fit would begin here." in result.err
        if "No held-out row" in result.out:
            break
    assert 'No held-out row has the label "rare" (1 rows): metrics say nothing about it.' in result.out


@pytest.mark.parametrize("name", ["roc_auc", "average_precision", "log_loss", "brier", "balanced_accuracy", "f1"])
def test_a_class_without_rows_does_not_make_a_metric_nan(name: str) -> None:
    """The mean is over the classes that the rows have, and the resamples of the bootstrap agree with it."""
    rng, classes = np.random.default_rng(0), ("a", "b", "c", "d")
    probabilities = rng.dirichlet(np.ones(4), 60)
    labels = np.array(["a", "b", "c"])[rng.integers(0, 3, 60)]
    predictions = Predictions(np.array(classes)[probabilities.argmax(axis=1)], probabilities, classes)
    value = measure(name, labels, predictions)
    assert np.isfinite(value)
    without_c = (labels != "c").astype(int)
    values = weighted_metric(name, labels, predictions)(np.stack([np.ones(60, int), without_c]))
    some = np.flatnonzero(without_c)
    assert np.allclose(values, [value, measure(name, labels[some], predictions.take(some))])
