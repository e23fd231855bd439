"""Reasons: what each column adds to a prediction, exact to the last digits, or a sentence why there are none."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn import linear_model as linear
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer, make_column_selector
from sklearn.decomposition import PCA
from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, PolynomialFeatures, StandardScaler
from sklearn.svm import SVC, LinearSVC

from gitops_ml.reasons import Basis, NoReasons, Reasons, basis, explain
from unit.sample import rows

FRAME = rows(200, seed=3).drop(columns=["id"])
X, LABELS = FRAME.drop(columns=["label"]), FRAME["label"].to_numpy()
NUMBERS = 3 * X["x1"].to_numpy() - X["count"].to_numpy() + 1
THREE = np.select([NUMBERS < -4, NUMBERS < 0], ["low", "middle"], "high")
NUMERIC = ["x1", "x2", "count"]


class Mute(TransformerMixin, BaseEstimator):
    """Doubles, and names nothing."""

    def fit(self, X: Any, y: Any = None) -> "Mute":
        """Learn nothing."""
        self.fitted_ = True
        return self

    def transform(self, X: Any) -> Any:
        """Double."""
        return 2 * np.asarray(X, dtype=float)


def mixed() -> ColumnTransformer:
    """Columns that are scaled, filled and encoded."""
    return ColumnTransformer([
        ("numbers", StandardScaler(), NUMERIC), ("filled", SimpleImputer(add_indicator=True), ["note"]),
        ("kind", OneHotEncoder(), ["kind"]),
    ])  # fmt: skip


def explained(features: Any, estimator: Any, truth: Any = LABELS) -> tuple[Pipeline, Basis, Reasons]:
    """A pipeline that was fitted, with the reasons of all its rows."""
    model = Pipeline([("features", features), ("estimator", estimator)]).fit(X, truth)
    known = Basis.model_validate_json(basis(model, X, "label").to_json())
    return model, known, explain(model, known, X)


CLASSIFIERS: dict[str, tuple[Any, str]] = {
    "LogisticRegression": (linear.LogisticRegression(), "log-odds"),
    "SGD with log loss": (linear.SGDClassifier(loss="log_loss", random_state=0), "log-odds"),
    "SGD with hinge loss": (linear.SGDClassifier(random_state=0), "score"),
    "RidgeClassifier": (linear.RidgeClassifier(), "score"),
    "LinearSVC": (LinearSVC(), "score"),
}
REGRESSORS = {
    "LinearRegression": linear.LinearRegression(), "Ridge": linear.Ridge(), "Lasso": linear.Lasso(alpha=0.01),
    "ElasticNet": linear.ElasticNet(alpha=0.01), "SGDRegressor": linear.SGDRegressor(random_state=0),
    "no intercept": linear.LinearRegression(fit_intercept=False),
}  # fmt: skip
CROOKED: dict[str, tuple[Any, Any]] = {
    "PoissonRegressor": (linear.PoissonRegressor(), NUMBERS - NUMBERS.min()),
    "RandomForestClassifier": (RandomForestClassifier(3), LABELS),
    "SVC": (SVC(), LABELS),
    "CalibratedClassifierCV": (CalibratedClassifierCV(linear.LogisticRegression(), cv=2), LABELS),
}


@pytest.mark.parametrize(("estimator", "unit"), CLASSIFIERS.values(), ids=CLASSIFIERS)
def test_contributions_and_base_are_the_decision_of_two_classes(estimator: Any, unit: str) -> None:
    """Exactly what the model decides by, for the last class."""
    model, _, found = explained(mixed(), estimator)
    assert found.base + found.contributions.sum(axis=1) == pytest.approx(model.decision_function(X), abs=1e-9)
    assert (found.unit, set(found.of)) == (unit, {"yes"})


@pytest.mark.parametrize("estimator", [CLASSIFIERS[name][0] for name in ("LogisticRegression", "LinearSVC")])
def test_contributions_and_base_are_the_decision_for_the_class_that_is_predicted(estimator: Any) -> None:
    """Of three, each row has reasons for its own."""
    model, _, found = explained(mixed(), estimator, THREE)
    assert found.base + found.contributions.sum(axis=1) == pytest.approx(model.decision_function(X).max(axis=1))
    assert list(found.of) == model.predict(X).tolist()


@pytest.mark.parametrize("estimator", REGRESSORS.values(), ids=REGRESSORS)
def test_contributions_and_base_are_the_number(estimator: Any) -> None:
    """In the target's own unit."""
    model, _, found = explained(mixed(), estimator, NUMBERS)
    assert found.base + found.contributions.sum(axis=1) == pytest.approx(model.predict(X), abs=1e-9)
    assert (found.unit, set(found.of)) == ("label", {None})


def test_an_average_row_has_no_reasons() -> None:
    """Contributions are counted from the training rows' average, so they cancel out over these."""
    _, _, found = explained(mixed(), linear.Ridge(), NUMBERS)
    assert found.contributions.mean(axis=0) == pytest.approx(np.zeros(len(found.columns)), abs=1e-9)
    assert found.base == pytest.approx(np.full(len(X), NUMBERS.mean()))


def test_features_of_one_column_are_summed() -> None:
    """The values of `kind` are one reason, and so are `note` and whether it is missing."""
    _, _, found = explained(mixed(), linear.LogisticRegression())
    assert found.columns == ("x1", "x2", "count", "note", "kind")


def test_the_largest_come_first_and_none_that_says_nothing() -> None:
    """By how far they move, either way."""
    moved = np.array([[0.5, -2.0, 0.0, 1.0]])
    found = Reasons("log-odds", ("yes",), np.zeros(1), ("a", "b", "c", "d"), moved)
    assert found.largest(0, 2) == [("b", -2.0), ("d", 1.0)]
    assert [name for name, _ in found.largest(0, 9)] == ["b", "d", "a"]


def derived(frame: pd.DataFrame) -> pd.DataFrame:
    """Two columns, of which one is new."""
    return frame[["x1"]].assign(ratio=frame["x2"] / (1 + frame["count"]))


NAMES: dict[str, tuple[Any, list[str]]] = {
    "products": (ColumnTransformer([("p", PolynomialFeatures(2, include_bias=False), ["x1", "x2"])]),
                 ["x1", "x2", "x1 × x2"]),
    "a mixture of all": (ColumnTransformer([("m", PCA(2), ["x1", "x2"])]), ["m__pca0", "m__pca1"]),
    "one column, many features": (
        ColumnTransformer([("words", TfidfVectorizer(analyzer="char"), "kind"), ("x", "passthrough", ["x1"])]),
        ["kind", "x1"],
    ),
    "steps": (ColumnTransformer([("s", make_pipeline(SimpleImputer(), StandardScaler(), PolynomialFeatures(3)),
                                  ["note"])]), ["note"]),
    "what is left over": (
        ColumnTransformer([("x", StandardScaler(), ["x2"]), ("k", "drop", ["kind", "note"])], remainder="passthrough"),
        ["x2", "x1", "count"],
    ),
    "by number, slice, mask and type": (
        ColumnTransformer([("a", "passthrough", [1]), ("b", "passthrough", slice(0, 1)),
                           ("c", StandardScaler(), make_column_selector(dtype_include="int64"))]),
        ["x2", "x1", "count"],
    ),
    "a union": (
        make_pipeline(ColumnTransformer([("x", "passthrough", ["x1", "x2"])]),
                      FeatureUnion([("s", StandardScaler()), ("p", PolynomialFeatures(1))])),
        ["x1", "x2"],
    ),
    "no names, one column": (ColumnTransformer([("m", Mute(), ["x1"])]), ["x1"]),
    "no names, two columns": (ColumnTransformer([("m", Mute(), ["x1", "x2"])]), ["m__0", "m__1"]),
    "no names, and then a name": (
        make_pipeline(FunctionTransformer(derived), ColumnTransformer([("s", StandardScaler(), ["ratio", "x1"])])),
        ["ratio", "x1"],
    ),
    "no names at all": (make_pipeline(ColumnTransformer([("x", "passthrough", ["x1", "x2"])]), Mute()),
                        ["feature 1", "feature 2"]),
}  # fmt: skip


@pytest.mark.parametrize(("features", "columns"), NAMES.values(), ids=NAMES)
def test_a_feature_is_traced_to_its_column(features: Any, columns: list[str]) -> None:
    """As far as transformers tell; and whatever the names, the sum is exact."""
    model, _, found = explained(features, linear.LogisticRegression())
    assert set(found.columns) - {"p__1", "1"} == set(columns)
    assert found.base + found.contributions.sum(axis=1) == pytest.approx(model.decision_function(X), abs=1e-9)


def test_a_value_is_not_taken_for_a_column_with_a_longer_name() -> None:
    """`a` with the value "b_c" and `a_b` with the value "c" have features of one name; they stay two columns."""
    frame = pd.DataFrame({"a": ["b_c", "z"] * 4, "a_b": ["c", "c", "d", "d"] * 2})
    features = ColumnTransformer([("kinds", OneHotEncoder(), ["a", "a_b"])])
    model = Pipeline([("features", features), ("estimator", linear.LinearRegression())]).fit(
        frame, [1.0, 0.0, 1.0, 0.0] * 2
    )
    found = explain(model, basis(model, frame, "y"), frame)
    assert found.columns == ("a", "a_b")
    assert found.contributions[0] == pytest.approx([0.5, 0.0])


def test_names_of_features_may_be_pandas_columns() -> None:
    """`set_output` changes nothing."""
    features = ColumnTransformer([("s", StandardScaler(), ["x1", "x2"])]).set_output(transform="pandas")
    _, _, found = explained(features, linear.LogisticRegression())
    assert found.columns == ("x1", "x2")


def test_an_estimator_alone_is_explained_too() -> None:
    """Its columns are its features."""
    model = Pipeline([("estimator", linear.Ridge())]).fit(X[NUMERIC], NUMBERS)
    found = explain(model, basis(model, X[NUMERIC], "label"), X[NUMERIC])
    assert found.base + found.contributions.sum(axis=1) == pytest.approx(model.predict(X[NUMERIC]))
    assert found.columns == tuple(NUMERIC)


@pytest.mark.parametrize("name", CROOKED)
def test_what_is_not_linear_says_so(name: str) -> None:
    """A sentence instead of a guess, even where there are coefficients."""
    estimator, truth = CROOKED[name]
    model = Pipeline([("features", mixed()), ("estimator", estimator)]).fit(X, truth)
    known = basis(model, X, "label")
    assert known == Basis(unavailable=f"{name} is not linear")
    with pytest.raises(NoReasons, match=f"{name} is not linear"):
        explain(model, known, X)


class Undecided(linear.LogisticRegression):
    """Has coefficients, and does not say what it decides by."""

    def decision_function(self, X: Any) -> Any:
        """Not here."""
        raise NotImplementedError


def test_an_estimator_that_cannot_decide_is_trained_all_the_same() -> None:
    """It has no reasons, and that is no reason to stop."""
    model = Pipeline([("features", mixed()), ("estimator", Undecided())]).fit(X, LABELS)
    assert basis(model, X, "label") == Basis(unavailable="Undecided is not linear")


def test_features_of_another_name_are_not_explained() -> None:
    """Other libraries than those of the training may call them otherwise."""
    model, known, _ = explained(mixed(), linear.LogisticRegression())
    with pytest.raises(NoReasons, match="other names"):
        explain(model, known.model_copy(update={"columns": ("z",)}), X)
