"""Five public tables that scikit-learn ships, honest strong columns for them, and ten kinds of leaks to plant."""

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
from sklearn import datasets

from gitops_ml.training.comparison_input import ComparisonInput
from gitops_ml.training.evidence import Evidence
from gitops_ml.training.findings.duplicates import find_duplicates
from gitops_ml.training.findings.leaks import find_leaks
from gitops_ml.training.gates.row_checks import DuplicatesGate, LeakageGate
from unit.comparison_inputs import (
    CLASSIFICATION,
    REGRESSION,
    comparison_input,
    label_predictions,
    number_predictions,
    scored_version,
)

Random = np.random.Generator
NAMES = ("breast_cancer", "diabetes", "wine", "digits", "iris")
COLUMN = "planted"


@cache
def load_table(name: str) -> pd.DataFrame:
    """Return a table with a key `id`, its features and the target `label`."""
    bunch: Any = getattr(datasets, f"load_{name}")(as_frame=True)
    features = bunch.data.rename(columns=str)
    return pd.DataFrame({"id": [f"k{n:05}" for n in range(len(features))], **features, "label": bunch.target})


def task_of(name: str) -> str:
    """Task of a table; its target is a number only for diabetes."""
    return "regression" if name == "diabetes" else "classification"


def _standard(table: pd.DataFrame) -> Any:
    """The target as a number with mean 0; a step from one label to the next, or a standard deviation, is 1."""
    label = table["label"].to_numpy(float)
    return (label - label.mean()) / (label.std() if len(np.unique(label)) > 20 else 1.0)


def _is_marked(table: pd.DataFrame) -> Any:
    """Rows of one outcome: the label 1, or the quarter with the highest numbers."""
    label = table["label"]
    return (label > label.quantile(0.75) if label.nunique() > 20 else label == 1).to_numpy()


def _add(table: pd.DataFrame, values: Any) -> pd.DataFrame:
    return table.assign(**{COLUMN: values})


def target_plus_noise(table: pd.DataFrame, strength: int, random: Random) -> pd.DataFrame:
    """The target with noise; at 2, its roc_auc alone is 0.973 for two labels."""
    noise = (0.15, 0.25, 0.367, 0.45, 0.3)[strength]
    return _add(table, _standard(table) + random.normal(0, noise, len(table)))


def encoded_id(table: pd.DataFrame, strength: int, random: Random) -> pd.DataFrame:
    """The mean target of each customer, of whom few have more than one row; the row itself counts too."""
    customer = random.integers(0, len(table) * (1, 2, 3, 2, 1)[strength] // 2, len(table))
    groups = pd.Series(_standard(table)).groupby(customer)
    return _add(table, (groups.transform("sum") / (groups.transform("count") + 0.5)).to_numpy())


def late_flag(table: pd.DataFrame, strength: int, random: Random) -> pd.DataFrame:
    """A flag that is set after the outcome, and only for a part of its rows."""
    coverage = (0.6, 0.9, 0.75, 0.7, 0.8)[strength]
    return _add(table, (_is_marked(table) & (random.random(len(table)) < coverage)).astype(int))


def group_mean(table: pd.DataFrame, strength: int, random: Random) -> pd.DataFrame:
    """The mean target of a household of two or three rows, with the row itself."""
    household = random.permutation(len(table)) // (2, 3, 2, 2, 3)[strength]
    return _add(table, table["label"].groupby(household).transform("mean"))


def next_target(table: pd.DataFrame, strength: int, random: Random) -> pd.DataFrame:
    """The target of the next row, in a table whose rows come in an order in which the target changes slowly."""
    jitter = (0.2, 0.3, 0.15, 0.25, 0.3)[strength]
    order = np.argsort(_standard(table) + random.normal(0, jitter, len(table)))
    ordered = table.iloc[order].reset_index(drop=True)
    return _add(ordered, ordered["label"].shift(-1).fillna(ordered["label"].iloc[-1]).to_numpy())


def row_number(table: pd.DataFrame, strength: int, random: Random) -> pd.DataFrame:
    """The number of the row in a file that was almost sorted by the target."""
    jitter = (0.3, 0.4, 0.2, 0.35, 0.3)[strength]
    return _add(table, pd.Series(_standard(table) + random.normal(0, jitter, len(table))).rank().to_numpy())


def duplicated_rows(table: pd.DataFrame, strength: int, random: Random) -> pd.DataFrame:
    """Rows once more under other keys; there is no planted column."""
    share = (0.3, 0.2, 0.4, 0.15, 0.3)[strength]
    again = table.sample(frac=share, random_state=int(random.integers(2**31)))
    return pd.concat([table, again.assign(id=[f"again{n:05}" for n in range(len(again))])], ignore_index=True)


def telling_key(table: pd.DataFrame, strength: int, random: Random) -> pd.DataFrame:
    """An identifier whose letters or number follow from the outcome, with exceptions."""
    exceptions = random.random(len(table)) < (0.02, 0.0, 0.05, 0.03, 0.05)[strength]
    outcome = np.where(exceptions, random.permutation(table["label"]), table["label"])
    if table["label"].nunique() > 20:
        number = pd.Series(outcome + random.normal(0, 0.2 * outcome.std(), len(table))).rank().astype(int)
        return _add(table, [f"R{value:06}" for value in number])
    serial = random.permutation(len(table))
    return _add(table, [f"{'ABCDEFGHIJ'[int(code)]}-{value:05}" for code, value in zip(outcome, serial, strict=True)])


def missing_pattern(table: pd.DataFrame, strength: int, random: Random) -> pd.DataFrame:
    """A column of noise that is missing for most rows of one outcome, and hardly for others."""
    covered = (0.9, 0.95, 0.85, 0.9, 0.9)[strength]
    missing = np.where(_is_marked(table), random.random(len(table)) < covered, random.random(len(table)) < 0.02)
    return _add(table, np.where(missing, np.nan, random.normal(size=len(table))))


def transformed_target(table: pd.DataFrame, strength: int, random: Random) -> pd.DataFrame:
    """The target through a monotone function, rounded, and wrong in a few rows."""
    wrong = random.random(len(table)) < (0.03, 0.02, 0.04, 0.03, 0.05)[strength]
    value = np.where(wrong, random.permutation(table["label"]), table["label"]).astype(float)
    return _add(table, np.round(np.log1p(value), 1) if table["label"].nunique() > 20 else np.exp(value / 3) * 100)


KINDS: dict[str, Callable[[pd.DataFrame, int, Random], pd.DataFrame]] = {
    "target plus noise": target_plus_noise,
    "target-encoded id": encoded_id,
    "late flag": late_flag,
    "mean of a group with the row itself": group_mean,
    "target of the next row": next_target,
    "row number": row_number,
    "rows repeated": duplicated_rows,
    "key that tells": telling_key,
    "missing where the outcome is known": missing_pattern,
    "target transformed": transformed_target,
}


def plant(kind: str, name: str, seed: int = 0) -> pd.DataFrame:
    """Return a table with a leak of a kind; each table has the leak in another strength."""
    number = NAMES.index(name)
    return KINDS[kind](load_table(name), number, np.random.default_rng([seed, number, list(KINDS).index(kind)]))


def measured_again(table: pd.DataFrame) -> pd.DataFrame:
    """The strongest column, measured a second time with a little noise."""
    strongest = table[_by_correlation(table)[0]]
    noise = np.random.default_rng(1).normal(0, 0.2 * strongest.std(), len(table))
    return table.assign(measured_again=strongest + noise)


def combined(table: pd.DataFrame) -> pd.DataFrame:
    """An index of the five strongest columns, which alone predicts better than each of them."""
    names = _by_correlation(table)[:5]
    signs = np.sign(table[names].corrwith(table["label"]))
    return table.assign(combined=((table[names] - table[names].mean()) / table[names].std() * signs).sum(axis=1))


def unrelated(table: pd.DataFrame) -> pd.DataFrame:
    """Columns that have nothing to do with the target: a place, a number and a day."""
    random, rows = np.random.default_rng(2), len(table)
    return table.assign(
        place=random.choice(["north", "south", "isle"], rows),
        number=random.normal(size=rows),
        day=pd.Timestamp("2025-01-01") + pd.to_timedelta(random.integers(0, 365, rows), unit="D"),
    )


def _by_correlation(table: pd.DataFrame) -> list[str]:
    """Names of the features, the one most correlated with the target first; its labels count as numbers."""
    features = table.drop(columns=["id", "label"])
    varying = features.loc[:, features.std() > 0]
    return list(varying.corrwith(table["label"], method="spearman").abs().sort_values(ascending=False).index)


HONEST: dict[str, Callable[[pd.DataFrame], pd.DataFrame]] = {
    "as it is": lambda table: table,
    "a strong column measured again": measured_again,
    "an index of the strongest columns": combined,
    "unrelated columns": unrelated,
}


def refusals(table: pd.DataFrame, task: str) -> dict[str, str]:
    """Return the message of each gate that refuses a version because of its rows, from the gates about leaks."""
    inputs = _compare(table, task)
    figures: Any = {"rules": inputs.config.gates, "leaks": find_leaks(inputs), "twins": find_duplicates(inputs)}
    outcomes = [gate.evaluate(Evidence.model_construct(**figures)) for gate in (LeakageGate(), DuplicatesGate())]
    return {outcome.id: outcome.message for outcome in outcomes if outcome.verdict == "refused"}


def _compare(table: pd.DataFrame, task: str) -> ComparisonInput:
    """The input of a comparison of a version that was trained on seven tenths of a table."""
    held = np.random.default_rng(0).random(len(table)) < 0.3
    trained, held_out = (table[side].reset_index(drop=True) for side in (~held, held))
    is_number = task == "regression"
    predict, config = (number_predictions, REGRESSION) if is_number else (label_predictions, CLASSIFICATION)
    version = scored_version("2", predict(held_out["label"]), held_out)
    return comparison_input(held_out, version, config=config, trained=trained)
