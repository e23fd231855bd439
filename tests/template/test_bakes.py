"""Repositories with unusual answers install from their locks and pass their checks, on each Python of this machine."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from repositories import bake, find_pythons, run, set_up

pytestmark = pytest.mark.slow
PYTHONS = find_pythons()
OLDEST = next(iter(PYTHONS))
# Each Python, both tasks, and the answers that are furthest from the defaults; where a Python is missing, the oldest.
BAKES: dict[str, dict[str, str]] = {
    "every default": {"python_version": "3.11"},
    "regression": {"python_version": "3.12", "task": "regression", "project_name": "Ada's Modèle", "description": ""},
    "a team": {
        "python_version": "3.13", "project_slug": "model-2", "package_name": "model_2", "github_owner": "octo-org",
        "maintainer": "octo-org/data-science",
    },
    "regression, one word": {
        "python_version": "3.13", "task": "regression", "project_name": "Churn", "description": "It's '''quoted'''.",
    },
}  # fmt: skip


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """mypy's cache, passed from one generated repository to the next."""
    return tmp_path_factory.mktemp("mypy")


@pytest.fixture(scope="module", params=BAKES)
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A repository with these answers, set up; its packages are removed when no test needs them any more."""
    answers = BAKES[request.param]
    root = bake(tmp_path_factory.mktemp("bake"), **answers)
    set_up(root, PYTHONS.get(answers["python_version"], PYTHONS[OLDEST]))
    yield root
    shutil.rmtree(root / ".venv")


def test_a_repository_passes_its_own_checks(made: Path, cache: Path) -> None:
    """Lint, types, the user's tests and the schema, with the command that the README names."""
    output = run(made, "make", "check", env={"MYPY_CACHE_DIR": str(cache)})
    assert " passed" in output
    assert not any(f" {word}" in output for word in ("skipped", "xfailed", "deselected"))


@pytest.mark.parametrize("made", ["regression"], indirect=True)
def test_the_first_champion_of_the_regression_sample_passes_the_default_gates(made: Path) -> None:
    """`make loop` without changes ends with a proposal; a better version replaces it."""
    assert "makes version 1 the champion" in run(made, "make", "loop")
    run(made, "git", "merge", "--quiet", "--no-ff", "--no-edit", "promote/production")
    (features,) = made.glob("src/*/features.py")
    features.write_text(features.read_text().replace('    "bmi",\n', '    "bmi",\n    "bp",\n    "s3",\n    "s5",\n'))
    run(made, "git", "commit", "--quiet", "--all", "--message", "Look at blood too")
    assert "release 1.1.0" in run(made, "make", "loop")


def test_the_oldest_python_is_among_those_tried() -> None:
    """Without it, the tests could not check the declared minimum version."""
    assert OLDEST == "3.11"


def test_set_up_refuses_an_old_python_in_a_sentence(tmp_path: Path) -> None:
    """The sentence says which Python is needed and how to name one."""
    old = tmp_path / "python"
    old.write_text('#!/bin/sh\nexec python3 -c "import sys; sys.version_info = (3, 10); exec(sys.argv[2])" "$@"\n')
    old.chmod(0o755)
    root = bake(tmp_path)
    assert "Python 3.11 or newer is needed" in run(root, "make", "setup", f"PYTHON={old}", code=2)
