"""A table of one's own: the first champion, a new line after `gitops start-over`, and a new category."""

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from gitops_ml.config import find_repository
from gitops_ml.training.review import review
from unit.facts import record
from unit.sample import Project, make_rows

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


@pytest.mark.slow
def test_one_percent_of_positive_rows(project: Project) -> None:
    """A first version is promoted and a second one compared with it; each figure is a number."""
    rows = make_rows(6000)
    score = rows["x1"] + 2 * rows["x2"] + np.random.default_rng(5).normal(size=6000)
    project.write_data(rows.assign(label=np.where(score > score.quantile(0.99), "yes", "no")))
    project.edit("src/sample/features.py", '["x1"]', '["x2"]')
    project.edit("model.toml", 'metric = "roc_auc"', 'metric = "average_precision"')
    project.edit("model.toml", "roc_auc = 0.6", "average_precision = 0.05")
    project.commit("a rare label")
    first = compare(project)
    assert (refused(first), first["verdict"]) == ([], "promote")
    assert first["challenger"]["metrics"]["average_precision"] > 10 * 0.01
    project.must("promote", "--local")
    project.git("merge", "--quiet", "--no-ff", "--no-edit", "promote/production")
    project.edit("src/sample/features.py", '["x2"]', '["x1", "x2"]')
    project.commit("another column")
    second = compare(project)
    assert set(refused(second)) <= {"CHAMPION"}, "so few positive rows may leave it undecided, and nothing else"
    for version in ("challenger", "champion"):
        assert not np.isnan(list(second[version]["metrics"].values())).any()


@pytest.mark.slow
def test_starting_over_leaves_the_champion_in_place_until_the_next_promotion(
    at_stage: Callable[[str], Project],
) -> None:
    """The end of the line is a merge; another table is then a first champion, and the record names it once merged."""
    project = at_stage("promoted")
    project.record_verification()
    before = project.git("rev-parse", "main")
    proposed = project.must("start-over", "--why", "we predict churn now").out
    assert "Proposed: branch start-over/line-1 ends the line." in proposed
    assert "Until the next promotion, main names version 1 in production, which keeps serving." in proposed
    assert "Already proposed" in project.must("start-over", "--why", "we predict churn now").out
    assert project.git("diff", "--name-only", "main...start-over/line-1") == "registry/ended/line-1.json"
    project.git("merge", "--quiet", "--no-ff", "--no-edit", "start-over/line-1")
    again = project.must("start-over", "--why", "we predict churn now").out
    assert "Nothing to do: registry/ended/line-1.json ended the line" in again
    status = project.must("status").out
    assert "version 1, release 1.0.0" in status
    assert "The line of versions was ended on " in status
    assert "No version may serve" not in project.must("deploy").out
    assert project.must("compare").outputs["verdict"] == "champion", "the version that serves is not proposed again"

    project.git("switch", "--quiet", "--force-create", "promote/production", before)
    project.write("registry/production.json", record(9).to_json())
    project.commit("a proposal of the old line, which is still open")
    project.git("switch", "--quiet", "main")
    replace_table(project)
    comparison = compare(project)
    assert (refused(comparison), comparison["champion"]) == ([], None)
    assert "version 9 was proposed before its line of versions was ended" in comparison["rival"]["message"]
    (rules,) = [gate["message"] for gate in comparison["gates"] if gate["id"] == "RULES"]
    assert rules.startswith("The line of versions was ended (we predict churn now), and no version was promoted since")
    project.must("promote", "--local")
    assert project.must("history").out.count("1.0.0") == 1
    project.git("merge", "--quiet", "--no-ff", "--no-edit", "promote/production")
    merged = json.loads((project.root / "registry" / "production.json").read_text())
    assert (merged["version"], merged["release"]) == ("2", "2.0.0")
    assert "The line of versions was ended" not in project.must("status").out


def test_before_the_first_promotion_there_is_no_line_to_end(project: Project) -> None:
    """The command says how the next version is judged."""
    result = project.must("start-over", "--why", "another table")
    assert "Nothing to do: no version was ever promoted." in result.out
    assert "The next version is judged by the rules of its own commit" in result.out


def test_starting_over_needs_a_reason(project: Project) -> None:
    """It is written to main for ever."""
    assert project.gitops("start-over", "--why", " ").code == 2


def add_category(project: Project) -> None:
    """Append forty rows with a category that the schema does not know, without a commit."""
    rows = make_rows(40, seed=9, first=501).assign(kind="d")
    project.write_data(pd.concat([pd.read_csv(project.root / "data" / "rows.csv"), rows]))


def allow_category(project: Project) -> None:
    """Let the schema accept it, without a commit."""
    project.edit("src/sample/schema.py", '["a", "b", "c"]', '["a", "b", "c", "d"]')


def test_before_the_first_promotion_the_rows_and_the_schema_may_change_together(project: Project) -> None:
    """The advice of `validate` is what RULES does: there is nothing to protect yet."""
    add_category(project)
    advice = " ".join(project.gitops("validate").err.split())
    assert "Before the first promotion, one commit may change both" in advice
    assert "in a commit of its own" not in advice


@pytest.mark.slow
def test_a_new_category_passes_if_the_schema_comes_first(at_stage: Callable[[str], Project]) -> None:
    """In one commit, RULES refuses both; its advice, and that of `validate`, is the way that passes."""
    project = at_stage("promoted")
    add_category(project)
    advice = project.gitops("validate")
    assert advice.code == 4
    assert "change src/sample/schema.py in a commit of its own, and push or merge it first" in " ".join(
        advice.err.split()
    )
    allow_category(project)
    project.commit()
    comparison = compare(project)
    assert "RULES" in refused(comparison)
    (rules,) = [gate["message"] for gate in comparison["gates"] if gate["id"] == "RULES"]
    assert "Revert the change (`git revert`) and push." in rules

    project.git("revert", "--no-edit", "HEAD")
    before = project.git("rev-parse", "HEAD")
    allow_category(project)
    project.commit("the schema first")
    assert review(find_repository(project.root), before, None).review.together == ()
    add_category(project)
    before = project.git("rev-parse", "HEAD")
    project.commit("then the rows")
    project.must("validate")
    assert set(refused(compare(project, "--before", before))) <= {"CHAMPION"}, "the model is not better by itself"
