"""Every supported repository installs from its locks and passes its own checks, on each Python of this machine."""

from pathlib import Path

import pytest
from house import bake, pythons, run, set_up

PYTHONS = pythons()


def _check(root: Path, *tests: str) -> None:
    """Lint, types and tests, as the repository's own `make check` runs them."""
    run(root, ".venv/bin/ruff", "check", ".")
    run(root, ".venv/bin/ruff", "format", "--check", ".")
    run(root, ".venv/bin/mypy")
    told = run(root, ".venv/bin/pytest", "--quiet", "--numprocesses", "2", *tests)
    print(told.splitlines()[-1])


@pytest.mark.parametrize("version", PYTHONS)
def test_a_repository_passes_its_own_checks(tmp_path: Path, version: str) -> None:
    """`make setup` and `make check`, on each Python that is on the machine."""
    root = bake(tmp_path, python_version=version)
    set_up(root, PYTHONS[version])
    assert run(root, ".venv/bin/python", "--version").startswith(f"Python {version}.")
    _check(root)


def test_the_oldest_python_is_among_those_tried() -> None:
    """A machine without it could not tell whether the promise holds."""
    assert "3.11" in PYTHONS


def test_the_regression_sample_passes_its_own_checks(tmp_path: Path) -> None:
    """Its data, its schema and its pipeline; the machinery is the same and was checked above."""
    root = bake(tmp_path, task="regression")
    set_up(root)
    _check(root, "tests/model")


def test_the_first_champion_of_the_regression_sample_passes_the_default_gates(tmp_path: Path) -> None:
    """`make loop` ends with a proposal, nothing changed; a better one replaces it."""
    root = bake(tmp_path, task="regression")
    set_up(root)
    assert "makes version 1 the champion" in run(root, "make", "loop")
    run(root, "git", "merge", "--quiet", "--no-ff", "--no-edit", "promote/production")
    features = root / "src" / "tumour_screening" / "features.py"
    features.write_text(features.read_text().replace('    "bmi",\n', '    "bmi",\n    "bp",\n    "s3",\n    "s5",\n'))
    run(root, "git", "commit", "--quiet", "--all", "--message", "Look at blood too")
    assert "release 1.1.0" in run(root, "make", "loop")


def test_set_up_refuses_an_old_python_in_a_sentence(tmp_path: Path) -> None:
    """The sentence says which Python is needed and how to name one."""
    old = tmp_path / "python"
    old.write_text('#!/bin/sh\nexec python3 -c "import sys; sys.version_info = (3, 10); exec(sys.argv[2])" "$@"\n')
    old.chmod(0o755)
    root = bake(tmp_path)
    assert "Python 3.11 or newer is needed" in run(root, "make", "setup", f"PYTHON={old}", code=2)
