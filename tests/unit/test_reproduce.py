"""Reproduce: a version trained again from its commit, data and lock says the same, or it is told that it does not."""

import shutil
from collections.abc import Callable

import pytest

from unit.sample import TEMPLATE, Project, rows

pytestmark = pytest.mark.slow


def with_a_whole_lock(project: Project) -> Project:
    """With all that training needs, and the library, as generated repositories have; other tests do with less."""
    shutil.copy(TEMPLATE / "requirements" / "train.txt", project.root / "requirements" / "train.txt")
    project.vendor()
    return project


def test_a_version_is_made_again(at_stage: Callable[[str], Project]) -> None:
    """From its own commit, whatever lies here now; the recorded rows and the holdout get the same predictions."""
    project = with_a_whole_lock(at_stage("promoted"))
    project.must("train", "--force")
    project.must("register")
    project.improve()
    project.data(rows(600, seed=3))
    project.commit("another model, other data")
    # What lies about from an earlier time must not be believed.
    left = project.root / ".gitops" / "reproduce" / "tree" / "src" / "sample"
    left.mkdir(parents=True)
    (left / "estimator.py").write_text("raise SystemExit(1)")
    result = project.must("reproduce", "2")
    assert "says the same again" in result.out
    packages = project.root / ".gitops" / "reproduce" / "environment" / "lib"
    assert {each.name for each in packages.glob("*/site-packages/*")} > {"sklearn", "skops"}
    assert not list(packages.glob("*/site-packages/pytest"))
    assert [line.split("│")[1].split()[0] for line in result.out.splitlines() if "│" in line] == ["recorded", "holdout"]
    assert result.outputs == {}


def test_a_version_that_comes_out_otherwise_is_told(at_stage: Callable[[str], Project]) -> None:
    """Exit code 15: what is random in spite of the seed shows."""
    project = with_a_whole_lock(at_stage("promoted"))
    project.edit("src/sample/estimator.py", "LogisticRegression(random_state=seed)",
                 "LogisticRegression(random_state=seed, C=random.SystemRandom().uniform(0.001, 0.1))")  # fmt: skip
    project.edit("src/sample/estimator.py", "from sklearn.linear_model", "import random\n\nfrom sklearn.linear_model")
    project.commit("random")
    project.must("train")
    project.must("register")
    result = project.gitops("reproduce", "2")
    assert result.code == 15
    assert "random in spite of the seed" in result.err


def test_what_git_does_not_keep_cannot_be_made_again(at_stage: Callable[[str], Project]) -> None:
    """Uncommitted files, data that is not in Git, and data of another digest: each is a sentence."""
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
    project.data(rows(700, seed=5))
    project.must("train")
    project.must("register")
    result = project.gitops("reproduce", "4")
    assert (result.code, "and it was trained on" in result.err) == (3, True)
