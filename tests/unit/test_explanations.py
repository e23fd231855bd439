"""Explanations: exact contributions of columns to a prediction, or the reason why there are none."""

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

from gitops_ml.explanations import (
    AttributionBaseline,
    Explanations,
    NotExplainable,
    compute_attribution_baseline,
    explain,
)
from unit.sample import make_rows

FRAME = make_rows(200, seed=3).drop(columns=["id"])
X, LABELS = FRAME.drop(columns=["label"]), FRAME["label"].to_numpy()
NUMBERS = 3 * X["x1"].to_numpy() - X["count"].to_numpy() + 1
THREE = np.select([NUMBERS < -4, NUMBERS < 0], ["low", "middle"], "high")
NUMERIC = ["x1", "x2", "count"]


class Unnamed(TransformerMixin, BaseEstimator):
    """Double the values, without names of features."""

    def fit(self, X: Any, y: Any = None) -> "Unnamed":
        """Do nothing."""
        self.fitted_ = True
        return self

    def transform(self, X: Any) -> Any:
        """Double the values."""
        return 2 * np.asarray(X, dtype=float)


def mixed() -> ColumnTransformer:
    """Return a transformer that scales, imputes and encodes columns."""
    return ColumnTransformer([
        ("numbers", StandardScaler(), NUMERIC), ("filled", SimpleImputer(add_indicator=True), ["note"]),
        ("kind", OneHotEncoder(), ["kind"]),
    ])  # fmt: skip


def fit_and_explain(
    features: Any, estimator: Any, labels: Any = LABELS
) -> tuple[Pipeline, AttributionBaseline, Explanations]:
    """Fit a pipeline and explain its predictions of all rows."""
    model = Pipeline([("features", features), ("estimator", estimator)]).fit(X, labels)
    attribution_baseline = AttributionBaseline.model_validate_json(
        compute_attribution_baseline(model, X, "label").to_json()
    )
    return model, attribution_baseline, explain(model, attribution_baseline, X)


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
NOT_LINEAR: dict[str, tuple[Any, Any]] = {
    "PoissonRegressor": (linear.PoissonRegressor(), NUMBERS - NUMBERS.min()),
    "RandomForestClassifier": (RandomForestClassifier(3), LABELS),
    "SVC": (SVC(), LABELS),
    "CalibratedClassifierCV": (CalibratedClassifierCV(linear.LogisticRegression(), cv=2), LABELS),
}


@pytest.mark.parametrize(("estimator", "unit"), CLASSIFIERS.values(), ids=CLASSIFIERS)
def test_contributions_and_base_are_the_decision_of_two_classes(estimator: Any, unit: str) -> None:
    """Their sum is the decision value of the second class."""
    model, _, explanations = fit_and_explain(mixed(), estimator)
    assert explanations.base + explanations.contributions.sum(axis=1) == pytest.approx(
        model.decision_function(X), abs=1e-9
    )
    assert (explanations.unit, set(explanations.classes)) == (unit, {"yes"})


@pytest.mark.parametrize("estimator", [CLASSIFIERS[name][0] for name in ("LogisticRegression", "LinearSVC")])
def test_contributions_and_base_are_the_decision_for_the_predicted_class(estimator: Any) -> None:
    """Each row of three classes is explained for its own class."""
    model, _, explanations = fit_and_explain(mixed(), estimator, THREE)
    assert explanations.base + explanations.contributions.sum(axis=1) == pytest.approx(
        model.decision_function(X).max(axis=1)
    )
    assert list(explanations.classes) == model.predict(X).tolist()


@pytest.mark.parametrize("estimator", REGRESSORS.values(), ids=REGRESSORS)
def test_contributions_and_base_are_the_predicted_number(estimator: Any) -> None:
    """They have the unit of the target."""
    model, _, explanations = fit_and_explain(mixed(), estimator, NUMBERS)
    assert explanations.base + explanations.contributions.sum(axis=1) == pytest.approx(model.predict(X), abs=1e-9)
    assert (explanations.unit, set(explanations.classes)) == ("label", {None})


def test_contributions_are_zero_on_average() -> None:
    """They are measured from the average of the training rows."""
    _, _, explanations = fit_and_explain(mixed(), linear.Ridge(), NUMBERS)
    assert explanations.contributions.mean(axis=0) == pytest.approx(np.zeros(len(explanations.columns)), abs=1e-9)
    assert explanations.base == pytest.approx(np.full(len(X), NUMBERS.mean()))


def test_features_of_one_column_are_summed() -> None:
    """The values of `kind` are one column, and so are `note` and its indicator of missing values."""
    _, _, explanations = fit_and_explain(mixed(), linear.LogisticRegression())
    assert explanations.columns == ("x1", "x2", "count", "note", "kind")


def test_the_largest_contributions_come_first_without_zeros() -> None:
    """They are sorted by their absolute value."""
    contributions = np.array([[0.5, -2.0, 0.0, 1.0]])
    explanations = Explanations("log-odds", ("yes",), np.zeros(1), ("a", "b", "c", "d"), contributions)
    assert explanations.largest_contributions(0, 2) == [("b", -2.0), ("d", 1.0)]
    assert [name for name, _ in explanations.largest_contributions(0, 9)] == ["b", "d", "a"]


def derived(frame: pd.DataFrame) -> pd.DataFrame:
    """Return two columns, one of them new."""
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
    "the remainder": (
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
    "no names, one column": (ColumnTransformer([("m", Unnamed(), ["x1"])]), ["x1"]),
    "no names, two columns": (ColumnTransformer([("m", Unnamed(), ["x1", "x2"])]), ["m__0", "m__1"]),
    "no names, and then a name": (
        make_pipeline(FunctionTransformer(derived), ColumnTransformer([("s", StandardScaler(), ["ratio", "x1"])])),
        ["ratio", "x1"],
    ),
    "no names at all": (make_pipeline(ColumnTransformer([("x", "passthrough", ["x1", "x2"])]), Unnamed()),
                        ["feature 1", "feature 2"]),
}  # fmt: skip


@pytest.mark.parametrize(("features", "columns"), NAMES.values(), ids=NAMES)
def test_a_feature_is_traced_to_its_column(features: Any, columns: list[str]) -> None:
    """Unknown columns have the names of features, and the sum is exact in any case."""
    model, _, explanations = fit_and_explain(features, linear.LogisticRegression())
    assert set(explanations.columns) - {"p__1", "1"} == set(columns)
    assert explanations.base + explanations.contributions.sum(axis=1) == pytest.approx(
        model.decision_function(X), abs=1e-9
    )


def test_columns_whose_features_have_the_same_name_stay_apart() -> None:
    """`a` with the value "b_c" and `a_b` with the value "c" have features of the same name."""
    frame = pd.DataFrame({"a": ["b_c", "z"] * 4, "a_b": ["c", "c", "d", "d"] * 2})
    features = ColumnTransformer([("kinds", OneHotEncoder(), ["a", "a_b"])])
    model = Pipeline([("features", features), ("estimator", linear.LinearRegression())]).fit(
        frame, [1.0, 0.0, 1.0, 0.0] * 2
    )
    explanations = explain(model, compute_attribution_baseline(model, frame, "y"), frame)
    assert explanations.columns == ("a", "a_b")
    assert explanations.contributions[0] == pytest.approx([0.5, 0.0])


def test_features_may_be_pandas_columns() -> None:
    """`set_output` does not change the explanations."""
    features = ColumnTransformer([("s", StandardScaler(), ["x1", "x2"])]).set_output(transform="pandas")
    _, _, explanations = fit_and_explain(features, linear.LogisticRegression())
    assert explanations.columns == ("x1", "x2")


def test_a_pipeline_without_transformers_is_explained() -> None:
    """The features are the columns."""
    model = Pipeline([("estimator", linear.Ridge())]).fit(X[NUMERIC], NUMBERS)
    explanations = explain(model, compute_attribution_baseline(model, X[NUMERIC], "label"), X[NUMERIC])
    assert explanations.base + explanations.contributions.sum(axis=1) == pytest.approx(model.predict(X[NUMERIC]))
    assert explanations.columns == tuple(NUMERIC)


@pytest.mark.parametrize("name", NOT_LINEAR)
def test_a_model_that_is_not_linear_is_not_explained(name: str) -> None:
    """It has a reason instead, even if it has coefficients."""
    estimator, labels = NOT_LINEAR[name]
    model = Pipeline([("features", mixed()), ("estimator", estimator)]).fit(X, labels)
    attribution_baseline = compute_attribution_baseline(model, X, "label")
    assert attribution_baseline == AttributionBaseline(unavailable=f"the estimator {name} is not linear")
    with pytest.raises(NotExplainable, match=f"the estimator {name} is not linear"):
        explain(model, attribution_baseline, X)


class Undecided(linear.LogisticRegression):
    """Has coefficients, but no decision function."""

    def decision_function(self, X: Any) -> Any:
        """Fail."""
        raise NotImplementedError


def test_an_estimator_without_decision_function_is_not_explained() -> None:
    """Training does not fail."""
    model = Pipeline([("features", mixed()), ("estimator", Undecided())]).fit(X, LABELS)
    baseline = compute_attribution_baseline(model, X, "label")
    assert baseline == AttributionBaseline(unavailable="the estimator Undecided is not linear")


def test_features_with_other_names_are_not_explained() -> None:
    """Another version of a library than in training may name them differently."""
    model, attribution_baseline, _ = fit_and_explain(mixed(), linear.LogisticRegression())
    with pytest.raises(NotExplainable, match="feature names differ"):
        explain(model, attribution_baseline.model_copy(update={"columns": ("z",)}), X)
