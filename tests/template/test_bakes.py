"""Every supported repository installs from its locks and passes its own checks, on each Python of this machine."""

from pathlib import Path

import memory
import pytest
from house import bake, pythons, run, set_up
from template.answers import SUPPORTED


def _order(version: str) -> list[int]:
    return [int(part) for part in version.split(".")]


PYTHONS = pythons()
OLDEST, NEWEST = min(PYTHONS, key=_order), max(PYTHONS, key=_order)
# Every answer on the oldest Python, and every Python with the defaults.
COMBINATIONS = {
    f"{version}-{name}": (version, answers)
    for version in PYTHONS
    for name, answers in SUPPORTED.items()
    if version == OLDEST or not answers
}


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What mypy learnt of the libraries, handed from one bake to the next."""
    return tmp_path_factory.mktemp("mypy")


def test_a_repository_passes_make_check(tmp_path: Path, cache: Path) -> None:
    """Lint, types and all its tests, by the command that its README names; on the newest Python here, for journeys and
    demo run the machinery on the oldest."""
    root = bake(tmp_path, python_version=NEWEST)
    set_up(root, PYTHONS[NEWEST])
    assert run(root, ".venv/bin/python", "--version").startswith(f"Python {NEWEST}.")
    with memory.lent(tmp_path) as temporary:
        env = {"MYPY_CACHE_DIR": str(cache / NEWEST), "TMPDIR": str(temporary)}
        last = run(root, "make", "check", env=env).splitlines()[-1]
    assert "passed" in last
    assert not any(word in last for word in ("skipped", "xfailed", "deselected"))


@pytest.mark.parametrize(("version", "answers"), COMBINATIONS.values(), ids=COMBINATIONS)
def test_every_supported_answer_passes_what_depends_on_it(
    tmp_path: Path, cache: Path, version: str, answers: dict[str, str]
) -> None:
    """It installs from its locks and passes lint, types and the tests of yours; the machinery never differs."""
    root = bake(tmp_path, **{"python_version": version, **answers})
    set_up(root, PYTHONS[version])
    run(root, "make", "lint", "types", "test", env={"MYPY_CACHE_DIR": str(cache / version)})
    run(root, ".venv/bin/gitops", "validate")


def test_the_oldest_python_is_among_those_tried() -> None:
    """A machine without it could not tell whether the promise holds."""
    assert "3.11" in PYTHONS


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
