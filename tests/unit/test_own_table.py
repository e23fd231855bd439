"""A table of one's own: the first champion, a new line after `gitops start-over`, and a new category."""

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest

from unit.sample import Project

CHURN_SCHEMA = '''"""Rows of the churn table."""

import pandera.pandas as pa


class Schema(pa.DataFrameModel):
    """One row."""

    customer: str = pa.Field(unique=True)
    tenure: int = pa.Field(ge=0)
    contract: str = pa.Field(isin=["monthly", "yearly"])
    monthly: float = pa.Field(ge=0)
    total: float = pa.Field(nullable=True)
    churn: str = pa.Field(isin=["Yes", "No"])

    class Config:
        """Strict and coerced."""

        strict = True
        coerce = True
'''


def churn_rows(number: int = 400) -> pd.DataFrame:
    """Return rows of a table that shares no column with the sample."""
    rng = np.random.default_rng(3)
    tenure, contract = rng.integers(0, 72, number), rng.choice(["monthly", "yearly"], number)
    monthly = (20 + rng.gamma(4, 12, number)).round(2)
    churn = np.where(0.5 * rng.normal(size=number) + (contract == "monthly") / 2 - tenure / 20 > -1.5, "Yes", "No")
    total = np.where(tenure == 0, np.nan, (tenure * monthly).round(2))
    return pd.DataFrame({
        "customer": [f"c{i}" for i in range(number)], "tenure": tenure, "contract": contract, "monthly": monthly,
            "total": total,
        "churn": churn,
    })  # fmt: skip


def replace_table(project: Project) -> str:
    """Commit another table with its schema, features and settings; the floor is lower, and a gate is off."""
    (project.root / "data" / "rows.csv").unlink()
    churn_rows().to_csv(project.root / "data" / "churn.csv", index=False)
    for old, new in {
        'path = "data/rows.csv"': 'path = "data/churn.csv"', 'key = "id"': 'key = "customer"',
        'target = "label"': 'target = "churn"', 'positive = "yes"': 'positive = "Yes"',
        'column = "id"': 'column = "customer"', 'metric = "roc_auc"': 'metric = "accuracy"',
        "resamples = 100": 'resamples = 100\noff = ["CALIBRATION"]', "roc_auc = 0.6": "accuracy = 0.55",
    }.items():  # fmt: skip
        project.edit("model.toml", old, new)
    project.write("src/sample/schema.py", CHURN_SCHEMA)
    project.edit("src/sample/features.py", '["x1"]', '["tenure"]')
    return project.commit("our table")


def compare(project: Project, *arguments: str) -> dict[str, Any]:
    """Train, register and compare, and return the comparison."""
    for command in (("train",), ("register",), ("compare", *arguments)):
        project.must(*command)
    document: dict[str, Any] = json.loads((project.root / ".gitops" / "comparison" / "comparison.json").read_text())
    return document


def refused(comparison: dict[str, Any]) -> list[str]:
    """Return the ids of the gates that refused."""
    return [gate["id"] for gate in comparison["gates"] if gate["verdict"] == "refused"]


@pytest.mark.slow
def test_the_first_champion_of_another_table_is_judged_by_its_own_rules(project: Project) -> None:
    """Nothing was promoted yet, so there is nothing to protect; the report says so."""
    before = project.git("rev-parse", "HEAD")
    replace_table(project)
    comparison = compare(project, "--before", before)
    assert refused(comparison) == []
    report = (project.root / ".gitops" / "comparison" / "report.md").read_text()
    assert "No version was ever promoted" in report
    project.must("promote", "--local")
