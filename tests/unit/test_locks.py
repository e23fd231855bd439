"""Checks of the locks: a lock that does not satisfy the library is named, with the version that is needed."""

import importlib.metadata
from pathlib import Path

import pytest

from gitops_ml import library, locks

REQUIRES = [
    "click>=8.2",
    "pandas>=2.2; extra == 'serve'",
    "Prometheus_Client>=0.22; extra == 'serve'",
    "pandas>=2.2; extra == 'train'",
    "mlflow[extras]>=3.1,<4; extra == 'train'",
    "pywin32>=300; sys_platform == 'win32'",
]
LOCK = "click==8.5\npandas==3.1.0 \\\n    --hash=sha256:a\nprometheus-client==0.22\n"


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository whose lock for serving satisfies a library of version 0.2.0."""
    monkeypatch.setattr(importlib.metadata, "requires", lambda name: REQUIRES)
    monkeypatch.setattr(library, "version", lambda: "0.2.0")
    write(tmp_path, "serve.in", "gitops-ml[serve]\npandas\n")
    write(tmp_path, "serve.txt", LOCK)
    return tmp_path


def write(root: Path, name: str, text: str) -> None:
    """Write a file of requirements."""
    (root / "requirements").mkdir(exist_ok=True)
    (root / "requirements" / name).write_text(text)


def check(root: Path) -> tuple[str, str]:
    """Return verdict and text of the check of locks."""
    row = locks.covered.run(root)
    return row.verdict, row.text


def test_a_lock_that_satisfies_the_library_is_ok(root: Path) -> None:
    """Spelling of names does not matter, and packages of other systems need no pin."""
    assert check(root) == ("ok", locks.covered.expectation)


def test_a_version_that_is_too_old_is_named(root: Path) -> None:
    """The message has the requirement of the library, and the command that updates the lock."""
    write(root, "serve.txt", LOCK.replace("pandas==3.1.0", "Pandas==2.1"))
    assert check(root) == (
        "problem",
        "requirements/serve.txt pins pandas 2.1, and gitops-ml 0.2.0 needs pandas>=2.2. "
        "Run `make lock`, and commit what it changes.",
    )


def test_a_missing_package_is_named(root: Path) -> None:
    """A newer library may need another package."""
    write(root, "serve.txt", LOCK.replace("prometheus-client==0.22\n", ""))
    verdict, text = check(root)
    assert verdict == "problem"
    assert text.startswith("Not pinned: prometheus-client of serve.in. Run `make lock`")


def test_a_lock_must_satisfy_the_extras_that_its_input_names(root: Path) -> None:
    """Extras of included files count as well; an extra of a package is not part of its name."""
    write(root, "train.in", "-r serve.in\ngitops-ml[train]\n")
    write(root, "train.txt", LOCK + "mlflow==4.0\n")
    assert check(root)[1].startswith(
        "requirements/train.txt pins mlflow 4.0, and gitops-ml 0.2.0 needs mlflow<4,>=3.1."
    )
    write(root, "train.txt", LOCK + "mlflow==3.9\n")
    assert check(root)[0] == "ok"
    write(root, "train.txt", "mlflow==3.9\n")
    assert check(root)[1].startswith(
        "Not pinned: click of train.in, pandas of train.in, prometheus-client of train.in."
    )


def test_a_pinned_prerelease_is_ok(root: Path) -> None:
    """A pin of a prerelease is intended."""
    write(root, "serve.txt", LOCK.replace("pandas==3.1.0", "pandas==3.2.0rc1"))
    assert check(root)[0] == "ok"


def test_every_version_of_a_universal_lock_is_checked(root: Path) -> None:
    """It may pin a version for each Python."""
    lock = LOCK + "pandas==2.1 ; python_full_version < '3.12' \\\n    --hash=sha256:b\n"
    write(root, "serve.txt", lock)
    assert "pins pandas 2.1" in check(root)[1]


def test_a_lock_must_satisfy_its_input_file(root: Path) -> None:
    """serve.in was edited without `make lock`; files, URLs, options and other systems are left out."""
    lines = "gitops-ml[serve]\npandas>=4  # newer\n./local\n-e .\n--pre\ngit+https://example.com/x\na @ https://b/c\n"
    write(root, "serve.in", lines + "pywin32; sys_platform == 'win32'\n")
    assert check(root)[1].startswith(
        "requirements/serve.txt pins pandas 3.1.0, and requirements/serve.in needs pandas>=4."
    )


def test_an_invalid_requirement_is_named(root: Path) -> None:
    """It cannot be locked."""
    write(root, "serve.in", "pandas=>2\n")
    verdict, text = check(root)
    assert verdict == "cannot tell"
    assert "requirements/serve.in: 'pandas=>2' is not a valid requirement. Fix this line." in text


@pytest.mark.parametrize(("pinned", "verdict"), [("0.2.0", "ok"), ("0.3.0", "problem")])
def test_the_installed_library_must_be_the_pinned_one(
    root: Path, monkeypatch: pytest.MonkeyPatch, pinned: str, verdict: str
) -> None:
    """A newer pin was pulled without `make setup`."""
    write(root, "train.in", "gitops-ml[train]\n")
    write(root, "train.txt", "pandas==3.1.0\n")
    write(root, "gitops.txt", f"--find-links ../vendor\ngitops-ml=={pinned} --hash=sha256:a\n")
    versions = {"gitops-ml": "0.2.0", "pandas": "3.1.0"}
    monkeypatch.setattr(importlib.metadata, "version", lambda name: versions[name])
    row = locks.installed.run(root)
    assert row.verdict == verdict
    assert ("gitops-ml 0.2.0 is installed, but the lock file pins 0.3.0. Run `make setup`." in row.text) is (
        verdict == "problem"
    )
