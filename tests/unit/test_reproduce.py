"""Tests of `gitops reproduce`: a version that is trained again from its commit, data and lock."""

import shutil
from collections.abc import Callable

import pytest

from unit.sample import TEMPLATE, Project, make_rows

pytestmark = pytest.mark.slow


def with_complete_lock(project: Project) -> Project:
    """Add the complete training lock and the library, as in generated repositories; other tests use a smaller lock."""
    shutil.copy(TEMPLATE / "requirements" / "train.txt", project.root / "requirements" / "train.txt")
    project.vendor()
    return project


def test_version_is_reproduced(at_stage: Callable[[str], Project]) -> None:
    """The training uses the version's own commit; recorded rows and holdout get the same predictions."""
    project = with_complete_lock(at_stage("promoted"))
    project.must("train", "--force")
    project.must("register")
    project.improve()
    project.write_data(make_rows(600, seed=3))
    project.commit("another model, other data")
    # Files of an earlier run must not be used.
    stale = project.root / ".gitops" / "reproduce" / "tree" / "src" / "sample"
    stale.mkdir(parents=True)
    (stale / "estimator.py").write_text("raise SystemExit(1)")
    result = project.must("reproduce", "2")
    assert "makes the same predictions again" in result.out
    packages = project.root / ".gitops" / "reproduce" / "environment" / "lib"
    assert {each.name for each in packages.glob("*/site-packages/*")} > {"sklearn", "skops"}
    assert not list(packages.glob("*/site-packages/pytest"))
    assert [line.split("│")[1].split()[0] for line in result.out.splitlines() if "│" in line] == ["recorded", "holdout"]
    assert result.outputs == {}


def test_version_with_other_predictions_is_error(at_stage: Callable[[str], Project]) -> None:
    """The exit code is 15 if the training is random in spite of the seed."""
    project = with_complete_lock(at_stage("promoted"))
    project.edit("src/sample/estimator.py", "LogisticRegression(random_state=seed)",
                 "LogisticRegression(random_state=seed, C=random.SystemRandom().uniform(0.001, 0.1))")  # fmt: skip
    project.edit("src/sample/estimator.py", "from sklearn.linear_model", "import random\n\nfrom sklearn.linear_model")
    project.commit("random")
    project.must("train")
    project.must("register")
    result = project.gitops("reproduce", "2")
    assert result.code == 15
    assert "random in spite of the seed" in result.err


def test_version_without_data_in_git_cannot_be_reproduced(at_stage: Callable[[str], Project]) -> None:
    """Uncommitted files, data that is not in Git, and data with another digest each give a message."""
    project = at_stage("promoted")
    assert "There is no version '7'" in project.gitops("reproduce", "7").err
    project.improve()
    project.must("train")
    project.must("register")
    assert "never committed" in project.gitops("reproduce", "2").err
    project.git("rm", "--quiet", "--cached", "data/rows.csv")
    project.write(".gitignore", ".gitops/\n__pycache__/\ndata/rows.csv\n")
    project.commit("data elsewhere")
    project.must("train", "--force")
    project.must("register")
    result = project.gitops("reproduce", "3")
    assert (result.code, "is not in Git at commit" in result.err) == (3, True)
    project.git("add", "--force", "data/rows.csv")
    project.commit("data again")
    project.git("update-index", "--assume-unchanged", "data/rows.csv")
    project.write_data(make_rows(700, seed=5))
    project.must("train")
    project.must("register")
    result = project.gitops("reproduce", "4")
    assert (result.code, "but it was trained on" in result.err) == (3, True)
