"""`gitops errors`: the rows that the model predicts worst."""

import numpy as np
import pandas as pd
import pytest

from gitops_ml.config import find_repository
from gitops_ml.predictions import Predictions, predict
from gitops_ml.training.cross_validation import cross_validate
from gitops_ml.training.split import holdout_mask
from unit.sample import Project, make_rows

MEMORY = '''"""Estimator that remembers the label of each row."""

from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline

from .features import features


def pipeline(seed: int) -> Pipeline:
    """Unfitted."""
    return Pipeline([("features", features()), ("estimator", KNeighborsClassifier(1))])
'''


def read_errors(project: Project, *options: str) -> pd.DataFrame:
    """Run the command, and return its file."""
    project.must("errors", *options)
    return pd.read_csv(project.root / ".gitops" / "errors.csv")


def held_out_keys(project: Project) -> set[str]:
    """Return the keys of the held-out rows."""
    rows = pd.read_csv(project.root / "data" / "rows.csv")
    return set(rows["id"][holdout_mask(find_repository(project.root), rows)])


def test_each_row_is_predicted_by_a_model_that_was_not_fitted_on_it(project: Project) -> None:
    """A model that remembers every label it has seen guesses half of those it has not."""
    rng = np.random.default_rng(1)
    project.write_data(make_rows().assign(label=rng.choice(["yes", "no"], 500)))
    project.write("src/sample/estimator.py", MEMORY)
    errors = read_errors(project, "--folds", "4")
    assert list(errors.columns) == ["key", "target", "prediction", "probability of no", "probability of yes", "loss",
                                    "fold"]  # fmt: skip
    assert set(errors["fold"]) == {1, 2, 3, 4}
    assert set(errors["key"]) == set(make_rows()["id"]) - held_out_keys(project)
    assert errors["loss"].is_monotonic_decreasing
    assert 0.4 < (errors["target"] == errors["prediction"]).mean() < 0.6


def test_held_out_rows_are_listed_with_a_sentence_about_the_cost(project: Project) -> None:
    """They are the rows that judge the next version."""
    result = project.must("errors", "--held-out", "--out", str(project.root / "held.csv"))
    assert "Each look at the held-out rows costs evidence" in result.out
    errors = pd.read_csv(project.root / "held.csv")
    assert set(errors["key"]) == held_out_keys(project)
    assert "fold" not in errors
    assert "The 10 rows with the largest loss" in result.out


@pytest.mark.parametrize("method", ["group", "time"])
def test_the_folds_follow_the_split(project: Project, method: str) -> None:
    """A group is in one fold; and no row is predicted by a model of later rows."""
    rows = make_rows()
    days = pd.date_range("2026-01-01", periods=500).strftime("%Y-%m-%d")
    rows["kind"] = days if method == "time" else [f"g{number % 40}" for number in range(500)]
    project.write_data(rows)
    project.edit("src/sample/schema.py", 'kind: str = pa.Field(isin=["a", "b", "c"])',
                 "kind: pa.DateTime" if method == "time" else "kind: str")  # fmt: skip
    project.edit("model.toml", 'method = "hash"\ncolumn = "id"', f'method = "{method}"\ncolumn = "kind"')
    errors = read_errors(project).merge(rows, left_on="key", right_on="id")
    if method == "group":
        assert (errors.groupby("kind")["fold"].nunique() == 1).all()
        assert len(errors) == 500 - len(held_out_keys(project))
    else:
        ends = errors.groupby("fold")["kind"].agg(["min", "max"])
        assert (ends["max"].to_numpy()[:-1] < ends["min"].to_numpy()[1:]).all()
        assert errors["kind"].min() > rows["kind"].min(), "the oldest rows are in no fold that is predicted"


def test_a_class_that_a_fold_does_not_have_has_no_probability_there(project: Project) -> None:
    """The probabilities of all folds have the same columns."""
    from sklearn.dummy import DummyClassifier
    from sklearn.pipeline import Pipeline

    rows = make_rows(60).assign(label=["rare", *["no", "yes"] * 29, "no"])
    project.edit("src/sample/schema.py", 'isin=["yes", "no"]', 'isin=["yes", "no", "rare"]')

    def predict_fold(fitted: pd.DataFrame, held: pd.DataFrame) -> Predictions:
        model = Pipeline([("estimator", DummyClassifier())]).fit(fitted[["x1"]], fitted["label"])
        return predict(model, held[["x1"]])

    repository = find_repository(project.root)
    validated = cross_validate(repository, predict_fold, rows, 3, lambda text: None)
    predictions: Predictions = validated.predictions
    assert predictions.classes == ("no", "rare", "yes")
    assert predictions.probabilities is not None
    assert predictions.probabilities.sum(axis=1) == pytest.approx(np.ones(60))
    assert predictions.probabilities[0, 1] == 0, "no model of another fold has seen the label"


def test_too_few_rows_for_the_folds_are_refused(project: Project) -> None:
    """The sentence says what to change."""
    project.write_data(make_rows(12))
    result = project.gitops("errors", "--folds", "50")
    assert result.code == 3
    assert "cannot be divided into 50 folds" in result.err
    assert "Use fewer folds, or more rows." in result.err
