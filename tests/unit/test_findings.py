"""What is found out about a challenger, on rows whose figures can be worked out by hand."""

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

from gitops_ml.config import Config, Repository
from gitops_ml.contract import Yours
from gitops_ml.errors import ConfigError
from gitops_ml.predictions import predict
from gitops_ml.training.findings.behaviour import FILE, behaviour
from gitops_ml.training.findings.budgets import budgets
from gitops_ml.training.findings.calibration import calibration, expected_error
from gitops_ml.training.findings.claims import claims
from gitops_ml.training.findings.determinism import determinism
from gitops_ml.training.findings.fairness import fairness
from gitops_ml.training.findings.harm import harm
from gitops_ml.training.findings.leaks import leaks
from gitops_ml.training.findings.losses import losses
from gitops_ml.training.findings.robustness import robustness
from gitops_ml.training.findings.signature import signature
from gitops_ml.training.findings.twins import twins
from gitops_ml.training.seal import broken, sealed
from gitops_ml.training.train import Prepared
from gitops_ml.training.trial import Scored, Trial
from unit.trial_of import CLASSIFICATION, REGRESSION, frame, labels, numbers, trial, version


def ruled(config: Config = CLASSIFICATION, **gates: Any) -> Config:
    """The sample's configuration with other rules."""
    return config.model_copy(update={"gates": config.gates.model_copy(update=gates)})


def yes_no(number: int, seed: int = 0) -> Any:
    """Labels, half of them yes."""
    return np.where(np.random.default_rng(seed).permutation(number) % 2, "yes", "no")


def test_a_whole_number_may_become_a_number() -> None:
    """Callers who send 3 can go on; a new column or label is another matter."""
    before, after = frame(["no"], x=[1], y=["a"]), frame(["no"], x=[1.5], z=["a"])
    said = labels(["no"])
    theirs = version("1", said, before)
    found = signature(trial(after, version("2", labels(["no"], classes=("no", "maybe")), after), theirs))
    assert found is not None
    assert (found.added, found.removed, found.retyped, found.labels) == (("z",), ("y",), {}, ("maybe", "yes"))
    assert not found.same


def test_a_number_may_not_become_a_whole_one() -> None:
    """Callers who send 1.5 would be refused."""
    before, after = frame(["no"], x=[1.5]), frame(["no"], x=[1])
    said = labels(["no"])
    found = signature(trial(after, version("2", said, after), version("1", said, before)))
    assert found is not None
    assert found.retyped == {"x": ("float64", "int64")}


def test_what_training_says_is_checked() -> None:
    """A figure that is not found again is a lie; on other held-out rows nobody can tell."""
    held = frame(["no", "yes"])
    ours = version("2", labels(["no", "yes"]), held)
    ours = replace(ours, run=ours.run.model_copy(update={"metrics": {"accuracy": 0.9, "f1": 1.0}}))
    lying = claims(trial(held, ours), {"accuracy": 0.5, "f1": 1.0})
    assert lying is not None
    assert [(each.metric, each.claimed, each.measured) for each in lying] == [("accuracy", 0.9, 0.5)]
    elsewhere = ours.run.lineage.model_copy(update={"holdout": "sha256:other"})
    other = replace(ours, run=ours.run.model_copy(update={"lineage": elsewhere}))
    assert claims(trial(held, other), {"accuracy": 0.5}) is None


ROWS = pd.DataFrame({"id": [f"r{n}" for n in range(10)], "x": np.arange(10.0), "label": ["no", "yes"] * 5})
TRAINED, HELD = ROWS.iloc[:6], ROWS.iloc[6:]


def edited(rows: pd.DataFrame, place: int, column: str, value: Any) -> pd.DataFrame:
    """The rows with one value changed."""
    out = rows.copy()
    out.iloc[place, out.columns.get_loc(column)] = value  # type: ignore[index]
    return out


def after(trained: pd.DataFrame, held: pd.DataFrame) -> tuple[int, int, int, int]:
    """Held-out rows changed and gone, training rows there and relabelled, since the seal."""
    found = broken(sealed(TRAINED, HELD, "id", "label"), trained, held, "id", "label")
    assert found is not None
    return found.changed, found.gone, found.trained, found.relabelled


def test_a_seal_sees_what_was_edited() -> None:
    """A value or a label of a held-out row, a label of a training row; a value of a training row is no matter."""
    assert after(TRAINED, HELD) == (0, 0, 6, 0)
    assert after(TRAINED, edited(HELD, 0, "x", -1.0)) == (1, 0, 6, 0)
    assert after(TRAINED, edited(HELD, 0, "label", "yes")) == (1, 0, 6, 0)
    assert after(edited(TRAINED, 0, "label", "yes"), HELD) == (0, 0, 6, 1)
    assert after(edited(TRAINED, 0, "x", -1.0), HELD) == (0, 0, 6, 0)


def test_a_seal_sees_what_is_gone() -> None:
    """From either side; new rows and another order are no matter."""
    new = ROWS.assign(id=[f"n{n}" for n in range(10)])
    assert after(TRAINED, HELD.iloc[1:]) == (0, 1, 6, 0)
    assert after(TRAINED.iloc[1:], HELD) == (0, 0, 5, 0)
    assert after(pd.concat([TRAINED[::-1], new.iloc[:5]]), pd.concat([new.iloc[5:], HELD])) == (0, 0, 6, 0)


def test_a_seal_sees_what_was_changed_to_be_trained_on() -> None:
    """Such as its date; as it was, another split may have brought it there."""
    first, others = HELD.iloc[:1], HELD.iloc[1:]
    assert after(pd.concat([TRAINED, first]), others) == (0, 0, 6, 0)
    assert after(pd.concat([TRAINED, edited(first, 0, "x", -1.0)]), others) == (1, 0, 6, 0)


def test_a_seal_cannot_tell_of_other_columns() -> None:
    """What is no longer there has no hash."""
    seal = sealed(TRAINED, HELD, "id", "label")
    assert broken(seal, TRAINED.drop(columns="x"), HELD.drop(columns="x"), "id", "label") is None


def test_a_seal_of_many_rows_is_a_sample() -> None:
    """The same sample wherever the rows are seen again."""
    many = pd.DataFrame({"id": [f"r{n}" for n in range(30_000)], "x": np.arange(30_000.0), "label": "no"})
    seal = sealed(many.iloc[:20_000], many.iloc[20_000:], "id", "label")
    assert len(seal.keys) == 10_000
    assert np.mean(seal.held) == pytest.approx(1 / 3, abs=0.02)
    found = broken(seal, many.iloc[:20_000], many.iloc[20_000:].assign(x=-1.0), "id", "label")
    assert found is not None
    assert found.changed == found.held == sum(seal.held)


def test_twins_are_rows_under_another_key() -> None:
    """All columns that a model sees are equal."""
    held, trained = frame(["no", "yes", "no"], x=[1, 2, 3]), frame(["no", "no"], x=[3, 9])
    found = twins(trial(held, version("2", labels(["no"] * 3), held), trained=trained))
    assert (found.count, found.share, found.examples) == (1, 1 / 3, ("r2",))


@pytest.mark.parametrize("kind", ["number", "text"])
def test_a_column_that_knows_the_answer_is_found(kind: str) -> None:
    """Whether it is a number or a word; one of noise is not."""
    truth = yes_no(400)
    leak = np.where(truth == "yes", 3.5, 1.0) if kind == "number" else np.where(truth == "yes", "p", "q")
    whole = frame(truth, noise=np.random.default_rng(1).normal(size=400), leak=leak)
    held, trained = whole.iloc[:150], whole.iloc[150:]
    strongest, other = leaks(trial(held, version("2", labels(["no"] * 150), held), trained=trained))
    assert (strongest.column, strongest.strength) == ("leak", 1.0)
    assert other.strength < 0.7


def test_a_leak_of_a_number_is_found() -> None:
    """By r2, in a regression."""
    truth = np.random.default_rng(0).normal(size=600)
    whole = frame(truth, noise=np.random.default_rng(1).normal(size=600), leak=2 * truth + 1)
    held, trained = whole.iloc[:200], whole.iloc[200:]
    strongest, other = leaks(trial(held, version("2", numbers([0.0] * 200), held), config=REGRESSION, trained=trained))
    assert strongest.column == "leak"
    assert strongest.strength > 0.95
    assert other.strength < 0.3


def test_expected_calibration_error_is_what_it_is_called() -> None:
    """Answers of which 0.8 is said, and half of which are right, are off by 0.3; in whatever order they come."""
    said = labels(["yes"] * 100, [0.8] * 100)
    for truth in (["yes", "no"] * 50, ["yes"] * 50 + ["no"] * 50):
        assert expected_error(np.array(truth), said) == pytest.approx(0.3)


def test_calibration_is_compared_with_the_champions() -> None:
    """By the gain in Brier score; without probabilities there is nothing to measure."""
    truth = ["yes", "no"] * 50
    held = frame(truth)
    sure = labels(truth, [0.9, 0.1] * 50)
    unsure = labels(truth, [0.6, 0.4] * 50)
    found = calibration(trial(held, version("2", unsure, held), version("1", sure, held)))
    assert found is not None
    assert found.brier is not None
    assert found.brier.point == pytest.approx(0.01 - 0.16)
    assert calibration(trial(held, version("2", labels(truth), held))) is None


def test_harm_is_what_was_right() -> None:
    """What was wrong before harms nobody new."""
    held = frame(["no", "no", "yes", "yes"])
    champion, challenger = labels(["no", "no", "no", "yes"]), labels(["yes", "no", "yes", "yes"])
    found = harm(trial(held, version("2", challenger, held), version("1", champion, held)))
    assert found is not None
    assert (found.count, found.share) == (1, 0.25)


def test_harm_of_numbers_is_an_error_that_grows() -> None:
    """By more than half a standard deviation of the target."""
    held = frame([0.0, 10.0, 0.0, 10.0])
    champion, challenger = numbers([0, 10, 0, 10]), numbers([0, 13, 2, 10])
    found = harm(trial(held, version("2", challenger, held), version("1", champion, held), config=REGRESSION))
    assert found is not None
    assert found.count == 1


def sides(number: int = 400) -> tuple[pd.DataFrame, Scored, Scored]:
    """Two models that are right, but the challenger is wrong wherever kind is b and x is above a half."""
    rng = np.random.default_rng(3)
    held = frame(yes_no(number), kind=rng.choice(["a", "b"], number), x=rng.random(number), noise=rng.random(number))
    truth = held["label"].to_numpy()
    other = np.where(truth == "yes", "no", "yes")
    ruined = ((held["kind"] == "b") & (held["x"] > 0.5)).to_numpy()
    says = [np.where(truth == "yes", 0.9, 0.1), np.where((truth == "yes") ^ ruined, 0.9, 0.1)]
    theirs = version("1", labels(truth, says[0]), held)
    return held, version("2", labels(np.where(ruined, other, truth), says[1]), held), theirs


def test_a_ruined_slice_is_found_by_itself() -> None:
    """The tree finds the condition on two columns; its surest loss is 0.8, the Brier score of a sure lie less that of
    a sure truth."""
    held, ours, theirs = sides()
    found = losses(trial(held, ours, theirs))
    assert found is not None
    worst = max(found.worst, key=lambda each: each.loss)
    assert worst.loss == pytest.approx(0.8, abs=0.05)
    assert worst.low > 0.5
    assert "kind = b" in worst.name or "not kind = a" in worst.name
    assert "x >" in worst.name


def test_equal_models_lose_nowhere() -> None:
    """Noise on both sides is no loss, however many slices are looked at."""
    held, ours, theirs = sides()
    rng = np.random.default_rng(5)
    truth = held["label"].to_numpy() == "yes"
    both = [labels(held["label"], np.clip(np.where(truth, 0.7, 0.3) + rng.normal(0, 0.2, len(held)), 0, 1))
            for _ in range(2)]  # fmt: skip
    found = losses(trial(held, replace(ours, predictions=both[0]), replace(theirs, predictions=both[1])))
    assert found is not None
    assert found.measured > 10
    assert max(each.low for each in found.worst) < 0.05


def test_a_declared_slice_is_judged() -> None:
    """Under the name that model.toml gives it."""
    held, ours, theirs = sides()
    config = CLASSIFICATION.model_copy(update={"slices": {"the ruined": "kind == 'b' and x > 0.5"}})
    found = losses(trial(held, ours, theirs, config=config))
    assert found is not None
    declared = next(each for each in found.worst if each.name == "the ruined")
    assert declared.loss == pytest.approx(0.8)
    assert declared.rows == ((held["kind"] == "b") & (held["x"] > 0.5)).sum()


@pytest.mark.parametrize("condition", ["kind = 'b'", "nothing > 1", "x", "x + 1", "__import__('os')", "@held.x > 0"])
def test_a_slice_that_is_no_condition_is_a_sentence(condition: str) -> None:
    """With the condition, and an example of a right one."""
    held, ours, theirs = sides(100)
    config = CLASSIFICATION.model_copy(update={"slices": {"odd": condition}})
    with pytest.raises(ConfigError, match="odd") as refused:
        losses(trial(held, ours, theirs, config=config))
    assert "age < 30" in refused.value.next


def test_a_difference_between_groups_is_measured() -> None:
    """All of a get yes, and half of b: the shares differ by a half; small groups are left out."""
    held = frame(["yes", "no"] * 50, kind=["a", "a", "b", "b"] * 24 + ["c"] * 4)
    said = np.where(held["kind"] == "a", "yes", held["label"])
    config = ruled(fairness=CLASSIFICATION.gates.fairness.model_copy(update={"attributes": ("kind",)}))
    found = {each.measure: each for each in fairness(trial(held, version("2", labels(said), held), config=config))}
    assert found["demographic_parity"].value == pytest.approx(0.5)
    assert found["equal_opportunity"].value == pytest.approx(0.0)
    assert found["equalized_odds"].value == pytest.approx(1.0)
    assert found["equal_opportunity"].groups == {"a": 48, "b": 48}


def test_errors_differ_between_groups_too() -> None:
    """In standard deviations of the target."""
    held = frame([0.0, 2.0] * 40, kind=["a"] * 40 + ["b"] * 40)
    said = np.where(held["kind"] == "a", held["label"], held["label"] + 1)
    config = ruled(REGRESSION, fairness=REGRESSION.gates.fairness.model_copy(update={"attributes": ("kind",)}))
    (found,) = fairness(trial(held, version("2", numbers(said), held), config=config))
    assert found.measure == "error"
    assert found.value == pytest.approx(1.0)


@pytest.mark.parametrize(("name", "said"), [("sex", "no column of the data"), ("x", "groups are few")])
def test_an_attribute_that_makes_no_groups_is_a_sentence(name: str, said: str) -> None:
    """A mistake in model.toml, and not a gate that is silently off."""
    held = frame(["yes", "no"] * 20, x=np.arange(40.0))
    config = ruled(fairness=CLASSIFICATION.gates.fairness.model_copy(update={"attributes": (name,)}))
    with pytest.raises(ConfigError, match=said):
        fairness(trial(held, version("2", labels(["yes"] * 40), held), config=config))


class Blind(BaseEstimator, ClassifierMixin):
    """Looks at places instead of names, and cannot do without a number."""

    def fit(self, rows: pd.DataFrame, truth: Any) -> "Blind":
        """Nothing to learn."""
        self.classes_ = np.unique(truth)
        return self

    def predict_proba(self, rows: pd.DataFrame) -> Any:
        """By the first column, whichever that is."""
        first = rows.iloc[:, 0].to_numpy(dtype=float)
        if np.isnan(first).any():
            raise ValueError("a number is missing")
        shares = 1 / (1 + np.exp(-first))
        return np.column_stack([1 - shares, shares])

    def predict(self, rows: pd.DataFrame) -> Any:
        """The likelier one."""
        return self.classes_[self.predict_proba(rows).argmax(axis=1)]


SCHEMA = pa.DataFrameSchema({"x": pa.Column(float, nullable=True), "y": pa.Column(float)})


def loaded(model: Pipeline, root: Path, pipeline: Any = None) -> Trial:
    """A trial of a model at hand, in a repository."""
    rng = np.random.default_rng(0)
    whole = frame(yes_no(60), x=rng.normal(size=60), y=rng.normal(size=60))
    held, trained = whole.iloc[:30].reset_index(drop=True), whole.iloc[30:].reset_index(drop=True)
    inputs = ["x", "y"]
    fitted = model.fit(trained[inputs], trained["label"])
    (root / "model.skops").write_bytes(b"x" * 2**20)
    ours = replace(version("2", predict(fitted, held[inputs]), held), model=fitted, folder=root)
    made = trial(held, ours, trained=trained)
    prepared = Prepared(trained, held, whole["id"], ours.run.lineage)
    yours = Yours(SCHEMA, pipeline or (lambda seed: model))
    return replace(made, prepared=prepared, repository=Repository(root, CLASSIFICATION), yours=yours)


def by_name() -> Pipeline:
    """Selects its columns by name, and does without the one that may be missing."""
    return Pipeline([("features", ColumnTransformer([("y", "passthrough", ["y"])])), ("est", LogisticRegression())])


def test_order_and_absence_of_columns_are_tried(tmp_path: Path) -> None:
    """A pipeline that counts its columns is found out."""
    blind = robustness(loaded(Pipeline([("est", Blind())]), tmp_path))
    assert blind is not None
    assert blind.order == "the answers are others"
    assert blind.missing == {"x": "ValueError: a number is missing"}
    sound = robustness(loaded(by_name(), tmp_path))
    assert sound is not None
    assert (sound.order, sound.missing, sound.tried) == (None, {}, 1)


def test_training_again_is_compared(tmp_path: Path) -> None:
    """The same pipeline says the same; one that draws by itself does not."""
    same = determinism(loaded(by_name(), tmp_path))
    assert same is not None
    assert (same.largest, same.unknown) == (0.0, None)
    drawn = iter(range(1, 9))

    def other(seed: int) -> Pipeline:
        return by_name().set_params(est__C=0.001 * next(drawn))

    found = determinism(loaded(by_name(), tmp_path, other))
    assert found is not None
    assert found.largest > 1e-3


def test_a_version_of_other_inputs_is_not_trained_again(tmp_path: Path) -> None:
    """It would be another version."""
    made = loaded(by_name(), tmp_path)
    lineage = made.prepared.lineage.model_copy(update={"training": "sha256:other"})
    found = determinism(replace(made, prepared=replace(made.prepared, lineage=lineage)))
    assert found is not None
    assert "other data" in str(found.unknown)


def test_budgets_are_measured_beside_the_champion(tmp_path: Path) -> None:
    """Time of both, and the bytes of the challenger's file and memory."""
    made = loaded(by_name(), tmp_path)
    found = budgets(replace(made, champion=made.challenger))
    assert found is not None
    assert found.champion_ms is not None
    assert 0 < found.p95_ms < 1000 * found.champion_ms
    assert found.file_mib == 1.0
    big = Pipeline([*by_name().steps])
    big.ballast = np.zeros(2**17)
    heavy = budgets(loaded(big, tmp_path))
    assert heavy is not None
    assert heavy.memory_mib > 1.0


PROMISES = '''"""Promises."""


def test_good(rows, answer):
    """It answers every row."""
    assert len(answer(rows)) == len(rows)


def test_bad(rows, answer):
    """More x is never less likely.

    And more words.
    """
    assert not len(rows), "for some rows it is"


def test_ill(rows, answer):
    """It can be asked about z."""
    answer(rows[["z"]])


def other(rows):
    raise ValueError
'''


def test_the_owners_tests_are_asked(tmp_path: Path) -> None:
    """A failing assert is a broken promise, and so is anything else that is raised."""
    made = loaded(by_name(), tmp_path)
    assert behaviour(made) is None, "there is no file yet"
    (tmp_path / FILE).parent.mkdir(parents=True)
    (tmp_path / FILE).write_text(PROMISES)
    good, bad, ill = behaviour(made) or ()
    assert (good.promise, good.broken) == ("It answers every row.", None)
    assert (bad.promise, bad.broken) == ("More x is never less likely.", "for some rows it is")
    assert str(ill.broken).startswith("KeyError")


def test_tests_that_cannot_be_imported_are_a_sentence(tmp_path: Path) -> None:
    """They must not count as passed."""
    made = loaded(by_name(), tmp_path)
    (tmp_path / FILE).parent.mkdir(parents=True)
    (tmp_path / FILE).write_text("import nothing_like_it\n")
    with pytest.raises(ConfigError, match=r"behaviour\.py cannot be imported: ModuleNotFoundError"):
        behaviour(made)
