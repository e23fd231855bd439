"""Columns that are known only after the prediction is made: `known_later` under [data]."""

import json
from collections.abc import Callable

import pytest

from gitops_ml import run
from unit.sample import Project

DECLARED = 'target = "label"\nknown_later = ["x2"]'


@pytest.mark.slow
def test_no_model_receives_a_column_that_is_known_later(at_stage: Callable[[str], Project]) -> None:
    """The next version has no such column; the champion, which has it, is still compared with it."""
    project = at_stage("promoted")
    project.edit("model.toml", 'target = "label"', DECLARED)
    project.commit("x2 is known later")
    for command in ("train", "register", "compare"):
        project.must(command)
    described = json.loads((project.root / ".gitops" / "run" / run.FILE).read_text())
    assert "x2" not in described["columns"]
    assert described["known_later"] == ["x2"]
    comparison = json.loads((project.root / ".gitops" / "comparison" / "comparison.json").read_text())
    assert comparison["champion"]["metrics"]["roc_auc"] > 0.5
    gates = {gate["id"]: gate for gate in comparison["gates"]}
    assert "x2" in gates["SCHEMA"]["message"]
    assert gates["LATENCY"]["verdict"] == "passed", "a request without the column is answered"
    leaks = json.loads((project.root / ".gitops" / "comparison" / "evidence.json").read_text())["leaks"]
    assert "x2" not in [leak["column"] for leak in leaks]


@pytest.mark.parametrize(
    ("declared", "message"),
    [
        ('known_later = ["label"]', "`known_later` has 'label', which is the key or the target"),
        ('known_later = ["id"]', "`known_later` has 'id', which is the key or the target"),
        ('known_later = ["x9"]', "[data] names the column 'x9', but Schema in schema.py has no such column"),
    ],
)
def test_a_wrong_declaration_is_refused(project: Project, declared: str, message: str) -> None:
    """The name is that of another column, which is needed or does not exist."""
    project.edit("model.toml", 'target = "label"', f'target = "label"\n{declared}')
    result = project.gitops("validate")
    assert result.code == 3
    assert message in " ".join(result.err.split())
