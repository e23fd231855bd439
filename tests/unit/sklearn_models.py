"""Models of scikit-learn's own estimators, fitted on a tiny table, and the types that such models are made of."""

import warnings
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import skops.io
from sklearn import (
    calibration,
    compose,
    ensemble,
    feature_selection,
    gaussian_process,
    impute,
    linear_model,
    metrics,
    model_selection,
    multiclass,
    multioutput,
    neighbors,
    neural_network,
    preprocessing,
    svm,
    tree,
)
from sklearn._loss import _loss, link, loss
from sklearn.base import clone, is_regressor

# Without these two, scikit-learn hides the estimators.
from sklearn.experimental import enable_halving_search_cv, enable_iterative_imputer  # noqa: F401
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.gaussian_process import kernels
from sklearn.metrics import _dist_metrics
from sklearn.model_selection import _split
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.utils import all_estimators
from sklearn.utils._test_common.instance_generator import _construct_instances

ROWS = 40
# Not for columns of a table: they take texts, labels, matrices or several targets, or need a fitted estimator.
NO_TABLE = {
    "ClassifierChain", "CountVectorizer", "DictVectorizer", "FeatureHasher", "FrozenEstimator", "HashingVectorizer",
    "IsotonicRegression", "KernelCenterer", "LabelBinarizer", "LabelEncoder", "MultiLabelBinarizer",
    "MultiOutputClassifier", "PatchExtractor", "TfidfVectorizer",
}  # fmt: skip
# Halving searches take part of the rows at first, and tiny parts have one class. The others take long.
NO_TABLE |= {"HalvingGridSearchCV", "HalvingRandomSearchCV", "RFECV", "SequentialFeatureSelector"}
UNSUPPORTED = {"Birch"}  # by skops
# Base classes that are not marked as abstract.
ABSTRACT = {"BaseLoss", "BaseShuffleSplit", "_RepeatedSplits"}
# Types that the pinned versions do not need: scikit-learn before 1.8 has the first, and skops 0.16 trusts the second.
OLDER = {
    "sklearn.compose._column_transformer._RemainderColsList",
    "sklearn.ensemble._hist_gradient_boosting.binning._BinMapper",
}


class Model(NamedTuple):
    """A fitted model, and the rows that it predicts or transforms."""

    model: Any
    rows: Any


def table() -> tuple["np.ndarray[Any, Any]", pd.DataFrame, "np.ndarray[Any, Any]", "np.ndarray[Any, Any]"]:
    """Return positive numbers, a table with text and missing values, labels of two classes, and numbers to predict."""
    rng = np.random.default_rng(0)
    numbers = np.abs(rng.normal(size=(ROWS, 3))) + 0.1
    frame = pd.DataFrame(numbers, columns=["a", "b", "c"])
    frame.loc[::7, "b"] = np.nan
    frame["kind"] = np.where(frame["a"] > 1, "large", "small")
    frame["word"] = [f"word {i % 5} of the text" for i in range(ROWS)]
    return numbers, frame, np.where(numbers[:, 0] > np.median(numbers[:, 0]), "yes", "no"), 2 * numbers[:, 0] + 0.1


def _variants() -> dict[str, Any]:
    """Return estimators with parameters that bring other types into the model than the defaults do."""
    logistic, thorough = linear_model.LogisticRegression(), {"ensemble": False, "cv": 2}
    selected = [feature_selection.f_regression, feature_selection.r_regression, feature_selection.chi2,
                feature_selection.mutual_info_classif, feature_selection.mutual_info_regression]  # fmt: skip
    return {
        **{f"calibrated, {m}": calibration.CalibratedClassifierCV(logistic, method=m, cv=2)
           for m in ("isotonic", "sigmoid", "temperature")},
        "calibrated prefit": calibration.CalibratedClassifierCV(svm.LinearSVC(), **thorough),
        **{f"k best, {f.__name__}": make_pipeline(feature_selection.SelectKBest(f, k=2), linear_model.Ridge())
           for f in selected},
        "select from model": feature_selection.SelectFromModel(tree.DecisionTreeClassifier()),
        **{f"boosting, {n}": ensemble.GradientBoostingRegressor(n_estimators=2, loss=n)
           for n in ("squared_error", "absolute_error", "huber", "quantile")},
        "boosting, exponential": ensemble.GradientBoostingClassifier(n_estimators=2, loss="exponential"),
        "boosting, initial": ensemble.GradientBoostingClassifier(n_estimators=2, init=logistic),
        **{f"histogram boosting, {n}": ensemble.HistGradientBoostingRegressor(max_iter=2, loss=n, quantile=0.5)
           for n in ("squared_error", "absolute_error", "poisson", "gamma", "quantile")},
        "histogram boosting, early stopping": ensemble.HistGradientBoostingClassifier(max_iter=3, early_stopping=True),
        **{f"tweedie {p:g}, {n}": linear_model.TweedieRegressor(power=p, link=n)
           for p, n in [(0, "identity"), (1, "log"), (1.5, "log"), (3, "identity")]},
        **{f"neighbours, {m}, {a}": neighbors.KNeighborsClassifier(3, metric=m, algorithm=a) for m, a in [
            ("manhattan", "auto"), ("manhattan", "ball_tree"), ("chebyshev", "kd_tree"), ("euclidean", "ball_tree"),
            ("canberra", "auto"), ("braycurtis", "auto"), ("hamming", "ball_tree"), ("cosine", "brute")]},
        "neighbours, minkowski 3": neighbors.KNeighborsRegressor(3, p=3),
        "neighbours, standardised": neighbors.KNeighborsRegressor(
            3, metric="seuclidean", metric_params={"V": np.ones(3)}),
        "nearest centroid": neighbors.NearestCentroid(),
        "neighbourhood components": make_pipeline(neighbors.NeighborhoodComponentsAnalysis(max_iter=2), logistic),
        **{f"gaussian process, {type(k).__name__}": gaussian_process.GaussianProcessRegressor(k, optimizer=None,
                                                                                              alpha=99)
           for k in [kernels.Matern(), kernels.RationalQuadratic(), kernels.ExpSineSquared(), kernels.DotProduct(),
                     kernels.RBF() + kernels.WhiteKernel(), kernels.RBF() ** 2, kernels.PairwiseKernel()]},
        "gaussian process, optimized": gaussian_process.GaussianProcessClassifier(kernels.RBF()),
        "network, sgd": neural_network.MLPClassifier((3,), solver="sgd", max_iter=3),
        "network, lbfgs": neural_network.MLPRegressor(hidden_layer_sizes=(3,), solver="lbfgs", max_iter=3),
        **{f"sgd, {n}": linear_model.SGDClassifier(loss=n, max_iter=5)
           for n in ("log_loss", "modified_huber", "squared_hinge", "perceptron", "hinge")},
        **{f"sgd regressor, {n}": linear_model.SGDRegressor(loss=n, max_iter=5)
           for n in ("huber", "epsilon_insensitive", "squared_epsilon_insensitive", "squared_error")},
        "threshold, f1": model_selection.TunedThresholdClassifierCV(
            logistic, scoring="f1_macro", cv=2, thresholds=5),
        "fixed threshold": model_selection.FixedThresholdClassifier(logistic, threshold=0.3),
        "search, scored": model_selection.GridSearchCV(
            logistic, {"C": [1, 2]}, scoring="neg_log_loss", cv=model_selection.ShuffleSplit(2, random_state=0)),
        "search, two scores": model_selection.GridSearchCV(
            logistic, {"C": [1, 2]}, scoring=["roc_auc", "accuracy"], refit="roc_auc", cv=2),
        "random search": model_selection.RandomizedSearchCV(
            logistic, {"C": [1, 2, 3]}, n_iter=2, cv=model_selection.RepeatedStratifiedKFold(n_splits=2, n_repeats=1)),
        "logistic, cross-validated": linear_model.LogisticRegressionCV(Cs=2, cv=2, scoring="roc_auc",
                                                                      use_legacy_attributes=False, l1_ratios=(0,)),
        "ridge, cross-validated": linear_model.RidgeCV(scoring="r2", cv=2),
        "lasso in time": linear_model.LassoCV(cv=model_selection.TimeSeriesSplit(2), alphas=3),
        "voting": ensemble.VotingClassifier([("a", logistic), ("b", tree.DecisionTreeClassifier())], voting="soft"),
        "voting regressor": ensemble.VotingRegressor([("a", linear_model.Ridge()), ("b", svm.SVR())]),
        "stacking": ensemble.StackingClassifier([("a", logistic), ("b", neighbors.KNeighborsClassifier())], cv=2),
        "stacking regressor": ensemble.StackingRegressor([("a", linear_model.Ridge())], cv=2, passthrough=True),
        "one against rest": multiclass.OneVsRestClassifier(logistic),
        "output codes": multiclass.OutputCodeClassifier(logistic, random_state=0),
        "logarithm of the target": compose.TransformedTargetRegressor(
            linear_model.Ridge(), func=np.log1p, inverse_func=np.expm1),
        "quantiles of the target": compose.TransformedTargetRegressor(
            linear_model.Ridge(), transformer=preprocessing.QuantileTransformer(n_quantiles=4)),
        **{f"spline, {e}": make_pipeline(preprocessing.SplineTransformer(extrapolation=e), linear_model.Ridge())
           for e in ("constant", "periodic", "continue", "linear")},
        "iterative imputer": make_pipeline(
            impute.IterativeImputer(max_iter=2, imputation_order="random", random_state=0), logistic),
        "logarithm": make_pipeline(preprocessing.FunctionTransformer(np.log1p, inverse_func=np.expm1), logistic),
        "random generator": ensemble.RandomForestClassifier(2, random_state=np.random.RandomState(0)),
        "union": make_pipeline(
            FeatureUnion([("s", preprocessing.StandardScaler()), ("p", preprocessing.PolynomialFeatures(2))]),
            logistic),
        "regressor chain": multioutput.RegressorChain(linear_model.Ridge()),
    }  # fmt: skip


@cache
def _tables() -> dict[str, Any]:
    """Return pipelines for the table with text and missing values."""
    select = compose.make_column_selector
    encoders = {
        "one-hot": preprocessing.OneHotEncoder(handle_unknown="infrequent_if_exist", min_frequency=2),
        "ordinal": preprocessing.OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1, dtype=np.float32),
        "target": preprocessing.TargetEncoder(cv=2),
    }
    numbers = make_pipeline(impute.SimpleImputer(add_indicator=True), preprocessing.StandardScaler())
    boosting = ensemble.HistGradientBoostingClassifier(max_iter=2, categorical_features="from_dtype")
    return {
        **{f"selector, {name}": compose.make_column_transformer(
            (numbers, select(dtype_include=np.number)), (encoder, ["kind"]), remainder="drop")
           for name, encoder in encoders.items()},
        "selector, excluded": compose.make_column_transformer(
            (numbers, select(dtype_exclude=["object", "str"])), ("drop", select(dtype_include=object))),
        "selector, types": compose.make_column_transformer(
            (numbers, select(dtype_include=[int, float])), (encoders["one-hot"], select(pattern="kind"))),
        "selector, abstract types": compose.make_column_transformer((numbers, select(dtype_include=np.floating))),
        "remainder": compose.make_column_transformer((encoders["one-hot"], ["kind"]), ("drop", ["word"]),
                                                     remainder=impute.KNNImputer()),
        "text": compose.make_column_transformer((TfidfVectorizer(), "word"), ("passthrough", ["a"])),
        "discretized": compose.make_column_transformer(
            (preprocessing.KBinsDiscretizer(3, quantile_method="averaged_inverted_cdf"), ["a"])),
        "histogram boosting, categories": make_pipeline(compose.make_column_transformer(
            ("passthrough", ["a", "b"])).set_output(transform="pandas"), boosting),
    }  # fmt: skip


@cache
def _estimators() -> dict[str, Any]:
    """Return all unfitted estimators by name."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return {**_defaults(), **_variants(), **_tables()}


def default_names() -> list[str]:
    """Return the names of scikit-learn's estimators with the parameters that its own tests use."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return list(_defaults())


def variant_names() -> list[str]:
    """Return the names of estimators with other parameters, and of pipelines for a table with text."""
    return [*_variants(), *_tables()]


def _defaults() -> dict[str, Any]:
    """Return scikit-learn's estimators with the parameters that its own tests use, which make each fit quick."""
    defaults: dict[str, Any] = {}
    for name, class_ in all_estimators():
        predicts = hasattr(class_, "predict") or hasattr(class_, "transform")
        if name in NO_TABLE | UNSUPPORTED or not predicts:
            continue
        for number, estimator in enumerate(_construct_instances(class_)):
            if getattr(estimator, "metric", getattr(estimator, "kernel", "")) != "precomputed":
                if "random_state" in estimator.get_params():
                    estimator.set_params(random_state=0)
                defaults[f"{name} {number}" if number else name] = estimator
    return defaults


@cache
def fitted_model(name: str) -> Model:
    """Return a model that was fitted on forty rows, and these rows.

    Args:
        name: One of `default_names` or `variant_names`.
    """
    numbers, frame, labels, _ = table()
    estimator = clone(_estimators()[name])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if name in _tables():
            return Model(estimator.fit(frame, labels), frame)
        return Model(_fit(estimator, numbers), numbers)


def _fit(estimator: Any, numbers: "np.ndarray[Any, Any]") -> Any:
    """Fit an estimator on labels, or on the target that it takes."""
    _, _, labels, values = table()
    targets = [values, labels] if is_regressor(estimator) else [labels, values]
    problem: Exception | None = None
    for target in [*targets, np.column_stack([values, values]), (values > 1).astype(int)]:
        try:
            return estimator.fit(numbers, target)
        except (ValueError, TypeError, IndexError) as error:
            problem = problem or error
    raise AssertionError(f"{estimator} fits no target: {problem}")


def generated_types() -> set[str]:
    """Return the types of scikit-learn's models, beyond what every version of skops trusts: of the models above, and
    of families from which estimators choose one by a parameter."""
    found = set(OLDER)
    for name in _estimators():
        found |= set(skops.io.get_untrusted_types(data=skops.io.dumps(fitted_model(name).model)))
    scorers = {metrics.get_scorer(name)._score_func for name in metrics.get_scorer_names()}
    families: list[Any] = [
        *_classes(loss, loss.BaseLoss), *_classes(link, (link.BaseLink, link.Interval)),
        *[value for name, value in vars(_loss).items() if name.startswith("Cy") and name != "CyLossFunction"],
        *[value for name, value in vars(_dist_metrics).items()
          if name.endswith("Distance64") and name != "PyFuncDistance64"],
        *_classes(kernels, kernels.Kernel), *_classes(_split, (_split.BaseCrossValidator, _split.BaseShuffleSplit)),
        *_classes(_split, _split._RepeatedSplits), *scorers,
        impute.IterativeImputer, model_selection.HalvingGridSearchCV, model_selection.HalvingRandomSearchCV,
        np.number, np.integer, np.signedinteger, np.unsignedinteger, np.inexact, np.floating,
    ]  # fmt: skip
    return found | {f"{type_.__module__}.{type_.__name__}" for type_ in families}


def _classes(module: Any, base: Any) -> list[type]:
    """Return the classes of a module below a base class that can be instantiated."""
    classes = [value for value in vars(module).values() if isinstance(value, type) and issubclass(value, base)]
    usable = [c for c in classes if not getattr(c, "__abstractmethods__", None) and "ArrayAPI" not in c.__name__]
    return [class_ for class_ in usable if class_.__name__ not in ABSTRACT]


def are_equal(left: Any, right: Any) -> bool:
    """Return whether two predictions are equal, numbers to twelve digits: arrays, sparse matrices, or lists of them."""
    if isinstance(left, list):
        return all(are_equal(one, other) for one, other in zip(left, right, strict=True))
    left, right = (each.toarray() if hasattr(each, "toarray") else np.asarray(each) for each in (left, right))
    if left.dtype.kind == "f":
        return bool(np.allclose(left, right, rtol=1e-12, atol=1e-12, equal_nan=True))
    return bool((left == right).all())
