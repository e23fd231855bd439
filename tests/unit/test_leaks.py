"""The gates about leaks find planted leaks of ten kinds, and pass public tables with honest strong columns.

`benchmarks/leaks.py` measures more of them; benchmarks/leaks.md has the figures.
"""

import numpy as np
import pandas as pd
import pytest

from gitops_ml.training.findings.group_means import is_group_mean
from planted_leaks import COLUMN, HONEST, KINDS, load_table, plant, refusals, task_of

# A table for each kind, in which the leak is neither the weakest nor the strongest.
TABLES = dict(zip(KINDS, ["wine", "diabetes", "breast_cancer", "iris", "diabetes"] * 2, strict=True)) | {
    "missing where the outcome is known": "diabetes"
}


@pytest.mark.parametrize(("kind", "name"), TABLES.items(), ids=KINDS)
def test_a_planted_leak_is_refused(kind: str, name: str) -> None:
    """The message names the column, or rows that are held out and trained on."""
    refused = refusals(plant(kind, name), task_of(name))
    if kind == "rows repeated":
        assert "held-out rows" in refused["DUPLICATES"]
    else:
        assert repr(COLUMN) in refused["LEAKAGE"]
        assert "add its name to `known` under [gates.leakage]" in refused["LEAKAGE"]


def test_the_target_with_noise_is_refused_below_the_limit_of_one_column() -> None:
    """Alone it has a roc_auc of about 0.97, as honest columns of the same table have."""
    table = load_table("breast_cancer")
    honest = refusals(table, "classification")
    noise = pd.Series(range(len(table))).sample(frac=1, random_state=0).rank(pct=True).to_numpy() - 0.5
    refused = refusals(table.assign(x=table["label"] + 1.9 * noise), "classification")
    assert honest == {}
    assert "it does not depend on any other column among rows with the same target" in refused["LEAKAGE"]


@pytest.mark.parametrize("number", [1, 2])
@pytest.mark.parametrize("name", ["breast_cancer", "diabetes"])
def test_a_leak_with_companions_is_refused(name: str, number: int) -> None:
    """A status and the columns that are derived from it depend on each other, and on no other column."""
    table, random = plant("late flag", name), np.random.default_rng(0)
    for companion in range(number):
        table[f"derived{companion}"] = table[COLUMN] + random.normal(0, 0.2, len(table))
    message = refusals(table, task_of(name))["LEAKAGE"]
    assert repr(COLUMN) in message
    assert "it depends on no column but 'derived" in message


@pytest.mark.parametrize("name", ["breast_cancer", "diabetes", "wine", "iris"])
@pytest.mark.parametrize("change", HONEST)
def test_an_honest_table_passes(name: str, change: str) -> None:
    """Some of their columns alone have a roc_auc of 0.97."""
    assert refusals(HONEST[change](load_table(name)), task_of(name)) == {}


def test_the_mean_of_a_group_contains_the_row_itself() -> None:
    """A column of whole numbers, a constant, and a mean without the row itself are no such means."""
    target = pd.Series(np.random.default_rng(0).integers(0, 99, 60).astype(float))
    group = pd.Series(range(60)) // 3
    assert is_group_mean(target.groupby(group).transform("mean"), target)
    assert is_group_mean((target > 40).groupby(group).transform("mean"), target > 40)
    others = (target.groupby(group).transform("sum") - target) / 2
    assert not is_group_mean(others, target)
    assert not is_group_mean(group, target)
    assert not is_group_mean(pd.Series([target.mean()] * 60), target)
