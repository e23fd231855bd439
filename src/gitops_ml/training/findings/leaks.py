"""Leaks: columns that predict the target because they are recorded after the outcome is known, or computed from it."""

from typing import Any

import numpy as np
import pandas as pd

from gitops_ml.run import Document
from gitops_ml.training.comparison_input import ComparisonInput
from gitops_ml.training.findings import conditional_dependence as dependence
from gitops_ml.training.findings.group_means import is_group_mean
from gitops_ml.training.findings.single_columns import (
    FOLDS,
    EncodedTarget,
    Strength,
    as_float32,
    encode_target,
    measure_scores,
    measure_strength,
)

# More rows would only make it slower.
ROWS = 10_000
STRONGEST = 5
# Columns that are examined further: those that predict the target, or one of several labels, at least so well.
REGRESSION, TWO_LABELS, ONE_OF_LABELS = 0.4, 0.85, 0.9
MARKED = 0.5
# Other columns that must depend on each other, of the strongest: where all columns are independent given the target,
# the independence of one says nothing. Only columns that predict the target count: many others would hide a
# dependence.
PEERS, RELATED = 5, {"classification": 0.6, "regression": 0.05}
# A leak often comes with others, such as a status with the date and the amount that follow from it. They depend on each
# other, so up to so many strong columns are taken away before a column counts as dependent.
COMPANIONS, FEWEST_PEERS = 2, 2
TREES, LEAF_ROWS = 25, 3
# Columns as strong as this are left out of the rest, since a leak often comes with copies of itself.
NEARLY = 0.99


class Leak(Document):
    """One column as the only feature, and its relation to the other columns.

    Attributes:
        column: Name of the column.
        strength: Score of the column alone, cross-fitted: roc_auc (the mean over more than two classes), or r2.
        best: Score (roc_auc) of the label that it separates best; for regression, the same as `strength`.
        label: Label whose rows the column marks and that hardly any other row has; None without any.
        marked: Share of the rows with that label that it marks.
        is_new: True if the champion does not have the column.
        is_independent: True if it does not depend on the other columns, given the target, except for `companions`; None
            if not examined.
        companions: Strong columns that it depends on, and that do not depend on the other columns either.
        peers_depend: True if the strongest other columns depend on each other, given the target; None if not examined.
        rest: Score of all other columns together, without those that are as strong; None if not examined.
        is_group_mean: True if its value is the mean target of the rows with that value.
    """

    column: str
    strength: float
    best: float = 0.0
    label: str | None = None
    marked: float = 0.0
    is_new: bool = False
    is_independent: bool | None = None
    companions: tuple[str, ...] = ()
    peers_depend: bool | None = None
    rest: float | None = None
    is_group_mean: bool = False


def find_leaks(inputs: ComparisonInput) -> tuple[Leak, ...]:
    """Return the strongest columns and those that are examined further, with their scores, the highest first.

    Args:
        inputs: Versions to compare.
    """
    prepared, config = inputs.prepared, inputs.config
    rows = pd.concat([prepared.rows, prepared.held_out], ignore_index=True)
    if len(rows) > ROWS:
        rows = rows.sample(ROWS, random_state=config.training.seed)
    features = _dates_to_numbers(inputs.features_of(rows))
    if features.shape[1] == 0 or rows[config.data.target].value_counts().iloc[1:].sum() < FOLDS:
        return ()
    labels = rows[config.data.target]
    target = encode_target(labels, config.project.task, config.training.seed)
    strengths = {str(name): measure_strength(features[name], target) for name in features.columns}
    by_strength = sorted(strengths, key=lambda name: (-strengths[name].best, name))
    means = {str(name) for name in features.columns if is_group_mean(features[name], labels)}
    examined = [name for name in by_strength if _is_strong(strengths[name], target)]
    columns = dependence.remove_target(features, target) if examined else None
    before = inputs.champion.run.columns if inputs.champion else strengths
    leaks = []
    for name in dict.fromkeys([*examined, *by_strength[:STRONGEST], *means]):
        found = strengths[name]
        figures: dict[str, Any] = {"is_new": name not in before, "is_group_mean": name in means}
        if columns and name in examined:
            figures |= _examine(name, columns, by_strength, strengths, target)
            if figures["is_independent"] or figures["is_new"] or found.score > inputs.config.gates.leakage.alone:
                weaker = [each for each in features.columns if strengths[str(each)].score < min(found.score, NEARLY)]
                figures["rest"] = _score_rest(features[weaker], target)
        label = None if found.label is None else str(found.label)
        leaks.append(Leak(column=name, strength=found.score, best=found.best, label=label, marked=found.marked,
                          **figures))  # fmt: skip
    return tuple(sorted(leaks, key=lambda leak: (-leak.strength, leak.column)))


def _dates_to_numbers(features: pd.DataFrame) -> pd.DataFrame:
    dates = features.select_dtypes(["datetime", "datetimetz"]).columns
    return features.assign(**{str(name): features[name].astype("int64") / 1e9 for name in dates})


def _is_strong(strength: Strength, target: EncodedTarget) -> bool:
    needed = REGRESSION if target.task == "regression" else TWO_LABELS if len(target.classes) == 2 else ONE_OF_LABELS
    return strength.best >= needed or strength.marked >= MARKED


def _examine(
    name: str,
    columns: dependence.Columns,
    by_strength: list[str],
    strengths: dict[str, Strength],
    target: EncodedTarget,
) -> dict[str, Any]:
    """Return whether a column is independent of others, and whether those depend on each other, given the target."""
    related = [each for each in by_strength if each != name and strengths[each].best >= RELATED[target.task]]
    strong = [each for each in related if _is_strong(strengths[each], target)]
    closest = sorted(strong, key=lambda each: -columns.measure(name, [each]).share)[:COMPANIONS]
    for number in range(len(closest) + 1):
        companions, others = closest[:number], [each for each in related if each not in closest[:number]]
        if number and len(others) < FEWEST_PEERS:
            break
        if all(columns.measure(each, others).is_independent for each in (name, *companions)):
            return {"is_independent": True, "companions": tuple(companions),
                    "peers_depend": _depend_on_each_other(columns, others)}  # fmt: skip
    return {"is_independent": False, "peers_depend": _depend_on_each_other(columns, related)}


def _depend_on_each_other(columns: dependence.Columns, names: list[str]) -> bool:
    """Return whether most of the strongest columns depend on other columns, given the target."""
    peers = names[:PEERS]
    return sum(not columns.measure(each, names).is_independent for each in peers) > len(peers) / 2


def _score_rest(features: pd.DataFrame, target: EncodedTarget) -> float | None:
    """Return the score of a small forest on columns; None without any."""
    from sklearn.ensemble import ExtraTreesClassifier, ExtraTreesRegressor

    if features.shape[1] == 0:
        return None
    values = np.column_stack([
        as_float32(features[name]) if pd.api.types.is_numeric_dtype(features[name])
        else pd.factorize(features[name].astype(str))[0] for name in features.columns
    ])  # fmt: skip
    estimator: Any = ExtraTreesRegressor if target.task == "regression" else ExtraTreesClassifier
    predictions = np.zeros_like(target.columns, dtype=float)
    for fold in range(FOLDS):
        held = target.folds == fold
        forest = estimator(TREES, min_samples_leaf=LEAF_ROWS, max_features=0.5, random_state=0)
        forest.fit(values[~held], target.codes[~held])
        if target.task == "regression":
            predictions[held, 0] = forest.predict(values[held])
        else:
            predictions[np.ix_(held, forest.classes_)] = forest.predict_proba(values[held])
    return float(measure_scores(predictions, target).mean())
