"""Findings about a challenger, on rows whose figures can be computed by hand."""

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pandera.pandas as pa
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline

from gitops_ml.config import Config, Repository, parse_config
from gitops_ml.errors import ConfigError
from gitops_ml.predictions import predict
from gitops_ml.training.comparison_input import ComparisonInput, ScoredVersion
from gitops_ml.training.findings.behaviour import FILE, run_behaviour_tests
from gitops_ml.training.findings.calibration import expected_calibration_error, measure_calibration
from gitops_ml.training.findings.claims import check_claims
from gitops_ml.training.findings.determinism import check_determinism
from gitops_ml.training.findings.duplicates import find_duplicates
from gitops_ml.training.findings.fairness import Disparity, measure_disparities
from gitops_ml.training.findings.leaks import find_leaks
from gitops_ml.training.findings.losses import measure_slice_losses
from gitops_ml.training.findings.model_cost import measure_cost
from gitops_ml.training.findings.negative_flips import find_negative_flips
from gitops_ml.training.findings.request_times import summarize
from gitops_ml.training.findings.robustness import check_robustness
from gitops_ml.training.findings.signature import compare_signatures
from gitops_ml.training.row_fingerprints import find_row_changes, fingerprint_rows
from gitops_ml.training.train import PreparedData
from unit.comparison_inputs import (
    CLASSIFICATION,
    REGRESSION,
    comparison_input,
    frame,
    label_predictions,
    number_predictions,
    scored_version,
)
from unit.local_code import LocalCode, LocalModel
from unit.sample import MODEL_TOML


def with_gates(config: Config = CLASSIFICATION, **gates: Any) -> Config:
    """The sample's configuration with other settings of gates."""
    return config.model_copy(update={"gates": config.gates.model_copy(update=gates)})


def yes_no(number: int, seed: int = 0) -> Any:
    """Labels, half of them yes."""
    return np.where(np.random.default_rng(seed).permutation(number) % 2, "yes", "no")


def test_an_integer_column_may_become_a_float_column() -> None:
    """Clients that send 3 need no change; a new column or label is a change."""
    before, row_changes = frame(["no"], x=[1], y=["a"]), frame(["no"], x=[1.5], z=["a"])
    predictions = label_predictions(["no"])
    champion = scored_version("1", predictions, before)
    result = compare_signatures(
        comparison_input(
            row_changes, scored_version("2", label_predictions(["no"], classes=("no", "maybe")), row_changes), champion
        )
    )
    assert result is not None
    assert (result.added, result.removed, result.retyped, result.labels) == (("z",), ("y",), {}, ("maybe", "yes"))
    assert not result.is_compatible


def test_a_float_column_may_not_become_an_integer_column() -> None:
    """Requests with 1.5 would be refused."""
    before, row_changes = frame(["no"], x=[1.5]), frame(["no"], x=[1])
    predictions = label_predictions(["no"])
    result = compare_signatures(
        comparison_input(
            row_changes, scored_version("2", predictions, row_changes), scored_version("1", predictions, before)
        )
    )
    assert result is not None
    assert result.retyped == {"x": ("float64", "int64")}


def test_recorded_metrics_are_checked() -> None:
    """A metric that differs is reported; with other held-out rows it cannot be checked."""
    held_out = frame(["no", "yes"])
    challenger = scored_version("2", label_predictions(["no", "yes"]), held_out)
    challenger = replace(challenger, run=challenger.run.model_copy(update={"metrics": {"accuracy": 0.9, "f1": 1.0}}))
    wrong_claims = check_claims(comparison_input(held_out, challenger), {"accuracy": 0.5, "f1": 1.0})
    assert wrong_claims is not None
    assert [(each.metric, each.claimed, each.measured) for each in wrong_claims] == [("accuracy", 0.9, 0.5)]
    other_lineage = challenger.run.lineage.model_copy(update={"holdout": "sha256:other"})
    other = replace(challenger, run=challenger.run.model_copy(update={"lineage": other_lineage}))
    assert check_claims(comparison_input(held_out, other), {"accuracy": 0.5}) is None


ROWS = pd.DataFrame({"id": [f"r{n}" for n in range(10)], "x": np.arange(10.0), "label": ["no", "yes"] * 5})
TRAINED, HELD_OUT = ROWS.iloc[:6], ROWS.iloc[6:]


def edited(rows: pd.DataFrame, index: int, column: str, value: Any) -> pd.DataFrame:
    """The rows with one value changed."""
    out = rows.copy()
    out.iloc[index, out.columns.get_loc(column)] = value  # type: ignore[index]
    return out


def row_changes(trained: pd.DataFrame, held_out: pd.DataFrame) -> tuple[int, int, int, int]:
    """Held-out rows changed and gone, and training rows existing and relabeled, since the fingerprints were taken."""
    result = find_row_changes(fingerprint_rows(TRAINED, HELD_OUT, "id", "label"), trained, held_out, "id", "label")
    assert result is not None
    return result.changed, result.gone, result.trained, result.relabelled


def test_edited_rows_are_found() -> None:
    """Values and labels of held-out rows count, and labels of training rows; values of training rows do not."""
    assert row_changes(TRAINED, HELD_OUT) == (0, 0, 6, 0)
    assert row_changes(TRAINED, edited(HELD_OUT, 0, "x", -1.0)) == (1, 0, 6, 0)
    assert row_changes(TRAINED, edited(HELD_OUT, 0, "label", "yes")) == (1, 0, 6, 0)
    assert row_changes(edited(TRAINED, 0, "label", "yes"), HELD_OUT) == (0, 0, 6, 1)
    assert row_changes(edited(TRAINED, 0, "x", -1.0), HELD_OUT) == (0, 0, 6, 0)


def test_removed_rows_are_found() -> None:
    """Rows on both sides count; new rows and another order do not matter."""
    new = ROWS.assign(id=[f"n{n}" for n in range(10)])
    assert row_changes(TRAINED, HELD_OUT.iloc[1:]) == (0, 1, 6, 0)
    assert row_changes(TRAINED.iloc[1:], HELD_OUT) == (0, 0, 5, 0)
    assert row_changes(pd.concat([TRAINED[::-1], new.iloc[:5]]), pd.concat([new.iloc[5:], HELD_OUT])) == (0, 0, 6, 0)


def test_held_out_rows_edited_into_training_rows_are_found() -> None:
    """An example is an edited date; an unchanged row may be moved by another split."""
    first, others = HELD_OUT.iloc[:1], HELD_OUT.iloc[1:]
    assert row_changes(pd.concat([TRAINED, first]), others) == (0, 0, 6, 0)
    assert row_changes(pd.concat([TRAINED, edited(first, 0, "x", -1.0)]), others) == (1, 0, 6, 0)


def test_rows_with_other_columns_cannot_be_checked() -> None:
    """A column that no longer exists has no hash."""
    fingerprints = fingerprint_rows(TRAINED, HELD_OUT, "id", "label")
    assert find_row_changes(fingerprints, TRAINED.drop(columns="x"), HELD_OUT.drop(columns="x"), "id", "label") is None


WHOLE, PARTS = pd.Series(range(10)), pd.Series(range(10), dtype=float)


@pytest.mark.parametrize(
    ("earlier", "later", "changed"),
    [
        (WHOLE, PARTS, 0),
        (PARTS, WHOLE, 0),
        (WHOLE, PARTS.astype("float32"), 0),
        (WHOLE.astype("int32"), PARTS, 0),
        (WHOLE, PARTS.mask(PARTS == 7), 1),
        (WHOLE, PARTS.replace(7.0, 7.5), 1),
        (WHOLE, PARTS.replace(7.0, 0.0), 1),
        (PARTS.mask(PARTS == 7), WHOLE, 1),
    ],
    ids=["integers to numbers", "numbers to integers", "to float32", "int32 to numbers", "one is missing now",
         "one is no integer now", "one is another integer", "one is no longer missing"],
)  # fmt: skip
@pytest.mark.parametrize("column", ["x", "label"])
def test_another_type_of_the_same_value_is_no_change(
    earlier: pd.Series, later: pd.Series, changed: int, column: str
) -> None:
    """A schema may have to allow missing values in a column of integers; its other rows stay what they were."""
    rows = pd.DataFrame({"id": [f"r{n}" for n in range(10)], "x": 1.5, "label": "no", column: earlier})
    now = rows.assign(**{column: later})
    fingerprints = fingerprint_rows(rows.iloc[:5], rows.iloc[5:], "id", "label")
    types = {name: str(rows[name].dtype) for name in ("x",)}
    result = find_row_changes(fingerprints, now.iloc[:5], now.iloc[5:], "id", "label", types)
    assert result is not None
    assert (result.changed, result.relabelled) == (changed, 0)


def test_fingerprints_of_many_rows_are_a_sample() -> None:
    """The same rows are sampled every time."""
    rows = pd.DataFrame({"id": [f"r{n}" for n in range(30_000)], "x": np.arange(30_000.0), "label": "no"})
    fingerprints = fingerprint_rows(rows.iloc[:20_000], rows.iloc[20_000:], "id", "label")
    assert len(fingerprints.keys) == 10_000
    assert np.mean(fingerprints.held) == pytest.approx(1 / 3, abs=0.02)
    result = find_row_changes(fingerprints, rows.iloc[:20_000], rows.iloc[20_000:].assign(x=-1.0), "id", "label")
    assert result is not None
    assert result.changed == result.held == sum(fingerprints.held)


def test_equal_features_with_another_target_are_no_duplicate() -> None:
    """Coarse features repeat by chance, as the weather of days does; the row is then another one."""
    held_out, trained = frame(["yes", "no"], x=[3, 9]), frame(["no", "no"], x=[3, 9])
    result = find_duplicates(
        comparison_input(held_out, scored_version("2", label_predictions(["no"] * 2), held_out), trained=trained)
    )
    assert (result.count, result.examples) == (1, ("r1 = r1",))


def test_a_target_that_is_nearly_the_same_is_the_same_row() -> None:
    """A copy of a row whose target was changed a little is no other observation."""
    rng = np.random.default_rng(0)
    targets, features = rng.normal(100, 20, 200), rng.normal(size=200)
    held_out = frame(targets, x=features)
    trained = frame(np.concatenate([targets + 0.5, targets + 40]), x=np.tile(features, 2))
    scored = scored_version("2", number_predictions(targets), held_out)
    near = find_duplicates(comparison_input(held_out, scored, config=REGRESSION, trained=trained.head(200)))
    far = find_duplicates(comparison_input(held_out, scored, config=REGRESSION, trained=trained.tail(200)))
    assert (near.count, far.count) == (200, 0)


def test_duplicates_are_rows_under_another_key() -> None:
    """All features and the target are equal."""
    held_out, trained = frame(["no", "yes", "no"], x=[1, 2, 3]), frame(["no", "no"], x=[3, 9])
    result = find_duplicates(
        comparison_input(held_out, scored_version("2", label_predictions(["no"] * 3), held_out), trained=trained)
    )
    assert (result.count, result.share, result.examples) == (1, 1 / 3, ("r2 = r0",))


def test_rows_that_differ_only_in_what_is_known_later_are_duplicates() -> None:
    """What the model receives is equal, and so is the target."""
    held_out = frame(["no"], x=[1], paid_on=["2026-01-01"])
    trained = frame(["no"], x=[1], paid_on=["2026-02-01"])
    config = parse_config(MODEL_TOML.replace('target = "label"', 'target = "label"\nknown_later = ["paid_on"]'))
    scored = scored_version("2", label_predictions(["no"]), held_out)
    assert find_duplicates(comparison_input(held_out, scored, config=config, trained=trained)).count == 1
    assert find_duplicates(comparison_input(held_out, scored, trained=trained)).count == 0


@pytest.mark.parametrize("kind", ["number", "text"])
def test_a_leaking_column_is_found(kind: str) -> None:
    """The column may hold numbers or text; a column of noise is not reported."""
    labels = yes_no(400)
    leak = np.where(labels == "yes", 3.5, 1.0) if kind == "number" else np.where(labels == "yes", "p", "q")
    rows = frame(labels, noise=np.random.default_rng(1).normal(size=400), leak=leak)
    held_out, trained = rows.iloc[:150], rows.iloc[150:]
    strongest, other = find_leaks(
        comparison_input(held_out, scored_version("2", label_predictions(["no"] * 150), held_out), trained=trained)
    )
    assert (strongest.column, strongest.strength) == ("leak", 1.0)
    assert other.strength < 0.7


def test_a_leak_of_a_numeric_target_is_found() -> None:
    """The score is r2 in a regression."""
    labels = np.random.default_rng(0).normal(size=600)
    rows = frame(labels, noise=np.random.default_rng(1).normal(size=600), leak=2 * labels + 1)
    held_out, trained = rows.iloc[:200], rows.iloc[200:]
    strongest, other = find_leaks(
        comparison_input(
            held_out, scored_version("2", number_predictions([0.0] * 200), held_out), config=REGRESSION, trained=trained
        )
    )
    assert strongest.column == "leak"
    assert strongest.strength > 0.95
    assert other.strength < 0.3


def test_the_expected_calibration_error() -> None:
    """Predictions with probability 0.8, half of them right, have an error of 0.3, in every order of the rows."""
    predictions = label_predictions(["yes"] * 100, [0.8] * 100)
    for labels in (["yes", "no"] * 50, ["yes"] * 50 + ["no"] * 50):
        assert expected_calibration_error(np.array(labels), predictions) == pytest.approx(0.3)


def test_calibration_is_compared_with_the_champions() -> None:
    """The comparison is the gain in Brier score; without probabilities there is nothing to measure."""
    labels = ["yes", "no"] * 50
    held_out = frame(labels)
    confident = label_predictions(labels, [0.9, 0.1] * 50)
    less_confident = label_predictions(labels, [0.6, 0.4] * 50)
    result = measure_calibration(
        comparison_input(
            held_out, scored_version("2", less_confident, held_out), scored_version("1", confident, held_out)
        )
    )
    assert result is not None
    assert result.brier is not None
    assert result.brier.point == pytest.approx(0.01 - 0.16)
    assert (
        measure_calibration(comparison_input(held_out, scored_version("2", label_predictions(labels), held_out)))
        is None
    )


def test_negative_flips_were_right_before() -> None:
    """Rows that were wrong before do not count."""
    held_out = frame(["no", "no", "yes", "yes"])
    champion, challenger = label_predictions(["no", "no", "no", "yes"]), label_predictions(["yes", "no", "yes", "yes"])
    result = find_negative_flips(
        comparison_input(held_out, scored_version("2", challenger, held_out), scored_version("1", champion, held_out))
    )
    assert result is not None
    assert (result.count, result.share) == (1, 0.25)


def test_negative_flips_of_numbers_have_a_larger_error() -> None:
    """The error grows by more than half a standard deviation of the target."""
    held_out = frame([0.0, 10.0, 0.0, 10.0])
    champion, challenger = number_predictions([0, 10, 0, 10]), number_predictions([0, 13, 2, 10])
    result = find_negative_flips(
        comparison_input(
            held_out,
            scored_version("2", challenger, held_out),
            scored_version("1", champion, held_out),
            config=REGRESSION,
        )
    )
    assert result is not None
    assert result.count == 1


def two_versions(number: int = 400) -> tuple[pd.DataFrame, ScoredVersion, ScoredVersion]:
    """A right champion, and a challenger that is wrong if kind is b and x is above one half."""
    rng = np.random.default_rng(3)
    held_out = frame(
        yes_no(number), kind=rng.choice(["a", "b"], number), x=rng.random(number), noise=rng.random(number)
    )
    labels = held_out["label"].to_numpy()
    other = np.where(labels == "yes", "no", "yes")
    wrong_rows = ((held_out["kind"] == "b") & (held_out["x"] > 0.5)).to_numpy()
    probabilities = [np.where(labels == "yes", 0.9, 0.1), np.where((labels == "yes") ^ wrong_rows, 0.9, 0.1)]
    champion = scored_version("1", label_predictions(labels, probabilities[0]), held_out)
    return (
        held_out,
        scored_version("2", label_predictions(np.where(wrong_rows, other, labels), probabilities[1]), held_out),
        champion,
    )


def test_a_wrong_slice_is_found_without_a_declaration() -> None:
    """The tree finds the condition on two columns.

    The loss is 0.8: the Brier score of a confident wrong prediction minus that of a confident right one.
    """
    held_out, challenger, champion = two_versions()
    result = measure_slice_losses(comparison_input(held_out, challenger, champion))
    assert result is not None
    worst = max(result.worst, key=lambda each: each.loss)
    assert worst.loss == pytest.approx(0.8, abs=0.05)
    assert worst.low > 0.5
    assert "kind = b" in worst.name or "not kind = a" in worst.name
    assert "x >" in worst.name


def test_equal_models_lose_nowhere() -> None:
    """Noise in both models is no loss, however many slices are measured."""
    held_out, challenger, champion = two_versions()
    rng = np.random.default_rng(5)
    labels = held_out["label"].to_numpy() == "yes"
    noisy = [np.clip(np.where(labels, 0.7, 0.3) + rng.normal(0, 0.2, len(held_out)), 0, 1) for _ in range(2)]
    predictions = [label_predictions(held_out["label"], each) for each in noisy]
    result = measure_slice_losses(
        comparison_input(
            held_out, replace(challenger, predictions=predictions[0]), replace(champion, predictions=predictions[1])
        )
    )
    assert result is not None
    assert result.measured > 10
    assert max(each.low for each in result.worst) < 0.05


def test_a_declared_slice_is_measured() -> None:
    """It has the name from model.toml."""
    held_out, challenger, champion = two_versions()
    config = CLASSIFICATION.model_copy(update={"slices": {"the wrong rows": "kind == 'b' and x > 0.5"}})
    result = measure_slice_losses(comparison_input(held_out, challenger, champion, config=config))
    assert result is not None
    declared = next(each for each in result.worst if each.name == "the wrong rows")
    assert declared.loss == pytest.approx(0.8)
    assert declared.rows == ((held_out["kind"] == "b") & (held_out["x"] > 0.5)).sum()


@pytest.mark.parametrize(
    "condition", ["kind = 'b'", "nothing > 1", "x", "x + 1", "__import__('os')", "@held_out.x > 0"]
)
def test_a_slice_that_is_not_a_condition_is_refused(condition: str) -> None:
    """The message has the condition, and an example of a valid one."""
    held_out, challenger, champion = two_versions(100)
    config = CLASSIFICATION.model_copy(update={"slices": {"odd": condition}})
    with pytest.raises(ConfigError, match="odd") as error:
        measure_slice_losses(comparison_input(held_out, challenger, champion, config=config))
    assert "age < 30" in error.value.next_step


def test_a_difference_between_groups_is_measured() -> None:
    """All rows of a are predicted as yes, and half of b: the shares differ by one half; small groups are left out."""
    held_out = frame(["yes", "no"] * 50, kind=["a", "a", "b", "b"] * 24 + ["c"] * 4)
    predictions = np.where(held_out["kind"] == "a", "yes", held_out["label"])
    config = with_gates(fairness=CLASSIFICATION.gates.fairness.model_copy(update={"attributes": ("kind",)}))
    result = {
        each.measure: each
        for each in measure_disparities(
            comparison_input(held_out, scored_version("2", label_predictions(predictions), held_out), config=config)
        )
    }
    assert result["demographic_parity"].value == pytest.approx(0.5)
    assert result["equal_opportunity"].value == pytest.approx(0.0)
    assert result["equalized_odds"].value == pytest.approx(1.0)
    assert result["equal_opportunity"].groups == {"a": 48, "b": 48}


def test_a_rate_of_a_group_without_the_label_is_not_compared() -> None:
    """It has no true positive rate, so a perfect model of a rare label has no disparity; the group is named."""
    labels = ["no"] * 40 + ["yes"] * 20 + ["no"] * 60
    held_out = frame(labels, kind=["a"] * 60 + ["b"] * 60)
    config = with_gates(fairness=CLASSIFICATION.gates.fairness.model_copy(update={"attributes": ("kind",)}))
    found = measure_disparities(
        comparison_input(held_out, scored_version("2", label_predictions(labels), held_out), config=config)
    )
    assert {each.measure: each.value for each in found} == {"demographic_parity": 1 / 3, "equalized_odds": 0.0}
    assert found[0].small_groups == {"b": 60}


def test_errors_of_groups_are_compared() -> None:
    """The difference is in standard deviations of the target."""
    held_out = frame([0.0, 2.0] * 40, kind=["a"] * 40 + ["b"] * 40)
    predictions = np.where(held_out["kind"] == "a", held_out["label"], held_out["label"] + 1)
    config = with_gates(REGRESSION, fairness=REGRESSION.gates.fairness.model_copy(update={"attributes": ("kind",)}))
    (result,) = measure_disparities(
        comparison_input(held_out, scored_version("2", number_predictions(predictions), held_out), config=config)
    )
    assert result.measure == "error"
    assert result.value == pytest.approx(1.0)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_groups_of_predictions_that_are_not_finite_are_not_compared(bad: float) -> None:
    """Another gate refuses a version with such predictions; an unknown attribute is still an error."""
    held_out = frame([0.0, 2.0] * 40, kind=["a"] * 40 + ["b"] * 40)
    version = scored_version("2", number_predictions([bad, *held_out["label"][1:]]), held_out)

    def measure(name: str) -> tuple[Disparity, ...]:
        fairness = REGRESSION.gates.fairness.model_copy(update={"attributes": (name,)})
        return measure_disparities(
            comparison_input(held_out, version, config=with_gates(REGRESSION, fairness=fairness))
        )

    assert measure("kind") == ()
    with pytest.raises(ConfigError, match="not a column of the data"):
        measure("sex")


@pytest.mark.parametrize(
    ("name", "message"), [("sex", "not a column of the data"), ("x", "has 40 values, more than 20")]
)
def test_an_attribute_without_groups_is_refused(name: str, message: str) -> None:
    """A mistake in model.toml does not switch the gate off silently."""
    held_out = frame(["yes", "no"] * 20, x=np.arange(40.0))
    config = with_gates(fairness=CLASSIFICATION.gates.fairness.model_copy(update={"attributes": (name,)}))
    with pytest.raises(ConfigError, match=message):
        measure_disparities(
            comparison_input(held_out, scored_version("2", label_predictions(["yes"] * 40), held_out), config=config)
        )


class FirstColumnClassifier(BaseEstimator, ClassifierMixin):
    """A classifier that uses the first column, and fails on missing values."""

    def fit(self, rows: pd.DataFrame, labels: Any) -> "FirstColumnClassifier":
        """Store the classes."""
        self.classes_ = np.unique(labels)
        return self

    def predict_proba(self, rows: pd.DataFrame) -> Any:
        """Return probabilities computed from the first column."""
        first = rows.iloc[:, 0].to_numpy(dtype=float)
        if np.isnan(first).any():
            raise ValueError("a number is missing")
        shares = 1 / (1 + np.exp(-first))
        return np.column_stack([1 - shares, shares])

    def predict(self, rows: pd.DataFrame) -> Any:
        """Return the class with the higher probability."""
        return self.classes_[self.predict_proba(rows).argmax(axis=1)]


SCHEMA = pa.DataFrameSchema({"x": pa.Column(float, nullable=True), "y": pa.Column(float)})


def loaded_inputs(model: Pipeline, root: Path, pipeline: Any = None) -> ComparisonInput:
    """The input of a comparison of a loaded model, in a repository."""
    rng = np.random.default_rng(0)
    rows = frame(yes_no(60), x=rng.normal(size=60), y=rng.normal(size=60))
    held_out, trained = rows.iloc[:30].reset_index(drop=True), rows.iloc[30:].reset_index(drop=True)
    columns = ["x", "y"]
    fitted = model.fit(trained[columns], trained["label"])
    (root / "model.skops").write_bytes(b"x" * 2**20)
    scored = scored_version("2", predict(fitted, held_out[columns]), held_out)
    challenger = replace(scored, model=LocalModel(fitted), folder=root)
    inputs = comparison_input(held_out, challenger, trained=trained)
    prepared = PreparedData(trained, held_out, rows["id"], challenger.run.lineage)
    code = LocalCode(SCHEMA, pipeline or (lambda: model), root)
    return replace(inputs, prepared=prepared, repository=Repository(root, CLASSIFICATION), code=code)


def selecting_pipeline() -> Pipeline:
    """A pipeline that selects its columns by name, without the one that may be missing."""
    return Pipeline([("features", ColumnTransformer([("y", "passthrough", ["y"])])), ("est", LogisticRegression())])


def test_order_and_missing_values_of_columns_are_tested(tmp_path: Path) -> None:
    """A pipeline that uses column positions is reported."""
    blind = check_robustness(loaded_inputs(Pipeline([("est", FirstColumnClassifier())]), tmp_path))
    assert blind is not None
    assert blind.order == "the predictions differ"
    assert blind.missing == {"x": "ValueError: a number is missing"}
    sound = check_robustness(loaded_inputs(selecting_pipeline(), tmp_path))
    assert sound is not None
    assert (sound.order, sound.missing, sound.tried) == (None, {}, 1)


def test_a_second_training_is_compared(tmp_path: Path) -> None:
    """One pipeline gives the same predictions again; one with random parameters does not."""
    same = check_determinism(loaded_inputs(selecting_pipeline(), tmp_path))
    assert same is not None
    assert (same.largest, same.unknown) == (0.0, None)
    numbers = iter(range(1, 9))

    def other() -> Pipeline:
        return selecting_pipeline().set_params(est__C=0.001 * next(numbers))

    result = check_determinism(loaded_inputs(selecting_pipeline(), tmp_path, other))
    assert result is not None
    assert result.largest > 1e-3


def test_chance_differs_from_what_a_training_may_not_read(tmp_path: Path) -> None:
    """Two more trainings agree, and differ from the registered version: it has learnt from something else."""
    numbers = iter(range(1, 9))
    by_chance = check_determinism(
        loaded_inputs(
            selecting_pipeline(), tmp_path, lambda: selecting_pipeline().set_params(est__C=0.001 * next(numbers))
        )
    )
    elsewhere = check_determinism(
        loaded_inputs(selecting_pipeline(), tmp_path, lambda: selecting_pipeline().set_params(est__C=0.001))
    )
    assert by_chance is not None
    assert elsewhere is not None
    assert (by_chance.repeats, elsewhere.repeats) == (False, True)


def test_a_second_training_that_fails_is_no_excuse(tmp_path: Path) -> None:
    """The gate about determinism has nothing to judge then; the one about contamination refuses."""

    def fail() -> Pipeline:
        raise ConfigError("there is no file data/rows.csv", "Fix it.")

    result = check_determinism(loaded_inputs(selecting_pipeline(), tmp_path, fail))
    assert result is not None
    assert result.failure == "there is no file data/rows.csv"


def test_a_version_of_other_inputs_is_not_trained_again(tmp_path: Path) -> None:
    """A second training would give another version."""
    inputs = loaded_inputs(selecting_pipeline(), tmp_path)
    lineage = inputs.prepared.lineage.model_copy(update={"training": "sha256:other"})
    result = check_determinism(replace(inputs, prepared=replace(inputs.prepared, lineage=lineage)))
    assert result is not None
    assert "other data" in str(result.unknown)


def test_cost_is_measured_beside_the_champion(tmp_path: Path) -> None:
    """Requests to both versions and to a baseline are measured, and the size of the challenger in file and memory."""
    inputs = loaded_inputs(selecting_pipeline(), tmp_path)
    result = measure_cost(replace(inputs, champion=inputs.challenger))
    assert result is not None
    assert result.champion_ms == result.request_ms, "the champion itself is not measured twice"
    assert 0 < result.request_ms <= result.p95_ms
    assert result.baseline_ms > 0
    assert result.file_mib == 1.0
    big = Pipeline([*selecting_pipeline().steps])
    big.ballast = np.zeros(2**17)
    heavy = measure_cost(loaded_inputs(big, tmp_path))
    assert heavy is not None
    assert heavy.memory_mib > 1.0
    assert heavy.champion_ms is None


def test_a_champion_that_the_server_refuses_is_not_compared_with_a_served_challenger(tmp_path: Path) -> None:
    """A column is new in the schema: without the validation of its row, the champion would seem to be faster."""
    inputs = loaded_inputs(selecting_pipeline(), tmp_path)
    champion = replace(inputs.challenger, digest="sha256:champion")

    def served(name: str) -> Any:
        return None if name == champion.digest else lambda number: sum(range(1000))

    code: Any = inputs.code
    result = measure_cost(replace(inputs, champion=champion, code=replace(code, served=served)))
    assert result is not None
    assert result.champion_ms is None
    without = measure_cost(replace(inputs, champion=champion, code=replace(code, served=lambda name: None)))
    assert without is not None
    assert without.champion_ms is not None


@pytest.mark.slow
def test_a_model_that_waits_is_slow_although_it_needs_no_processor(tmp_path: Path) -> None:
    """The champion and the baseline answer at once; all three are asked in turns, through the same server."""
    inputs = loaded_inputs(selecting_pipeline(), tmp_path)
    calls: list[str] = []

    def served(name: str) -> Any:
        def answer(number: int) -> None:
            calls.append(name)
            time.sleep(0.1 if name == inputs.challenger.digest else 0)

        return answer

    champion, code = replace(inputs.challenger, number="1", digest="sha256:1"), inputs.code
    result = measure_cost(replace(inputs, champion=champion, code=replace(code, served=served)))  # type: ignore[type-var]
    assert result is not None
    assert result.champion_ms is not None
    assert result.request_ms >= 100
    assert result.request_ms > 20 * max(result.champion_ms, result.baseline_ms)
    assert calls == [inputs.challenger.digest, "baseline", "sha256:1"] * (len(calls) // 3)


@pytest.mark.parametrize(
    ("samples", "median", "p95"),
    [([(0.010, 0.010)] * 20, 10, 10), ([(0.5, 0.010)] * 19 + [(0.012, 0.010)], 12, 12), ([(0.2, 0.1)] * 5, 200, 200)],
    ids=["alone on the machine", "beside other programs", "waits each time"],
)
def test_the_time_of_a_request_ignores_other_programs(samples: Any, median: float, p95: float) -> None:
    """It is the processor time, and the shortest time that a request waited."""
    result = summarize(samples)
    assert (result.median_ms, result.p95_ms) == pytest.approx((median, p95))


BEHAVIOUR_TESTS = '''"""Behaviour tests."""


def test_good(rows, predict):
    """There is a prediction for every row."""
    assert len(predict(rows)) == len(rows)


def test_bad(rows, predict):
    """More x is never less likely.

    And more text.
    """
    assert not len(rows), "it is for some rows"


def test_error(rows, predict):
    """The column z is enough."""
    predict(rows[["z"]])


def other(rows):
    raise ValueError
'''


def test_behaviour_tests_are_run(tmp_path: Path) -> None:
    """A failed assertion is a failure, and so is any other exception."""
    inputs = loaded_inputs(selecting_pipeline(), tmp_path)
    assert run_behaviour_tests(inputs) is None, "there is no file yet"
    (tmp_path / FILE).parent.mkdir(parents=True)
    (tmp_path / FILE).write_text(BEHAVIOUR_TESTS)
    good, bad, error = run_behaviour_tests(inputs) or ()
    assert (good.promise, good.broken) == ("There is a prediction for every row.", None)
    assert (bad.promise, bad.broken) == ("More x is never less likely.", "it is for some rows")
    assert str(error.broken).startswith("KeyError")


def test_behaviour_tests_that_cannot_be_imported_are_refused(tmp_path: Path) -> None:
    """They must not count as passed."""
    inputs = loaded_inputs(selecting_pipeline(), tmp_path)
    (tmp_path / FILE).parent.mkdir(parents=True)
    (tmp_path / FILE).write_text("import nothing_like_it\n")
    with pytest.raises(ConfigError, match=r"behaviour\.py cannot be imported: ModuleNotFoundError"):
        run_behaviour_tests(inputs)
