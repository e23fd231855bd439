"""The locks and the library: a lock that no longer satisfies it is named, with the version that it needs."""

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


def look(root: Path) -> tuple[str, str]:
    """Verdict and text of the check."""
    row = locks.covered.examine(root)
    return row.verdict, row.text


def test_a_lock_that_satisfies_the_library_is_good(root: Path) -> None:
    """Also where names are spelt otherwise, and a package for another system is not pinned."""
    assert look(root) == ("ok", locks.covered.promise)


def test_a_version_that_is_too_old_is_named(root: Path) -> None:
    """With what the library needs, and the command that pins newer ones."""
    write(root, "serve.txt", LOCK.replace("pandas==3.1.0", "Pandas==2.1"))
    assert look(root) == (
        "problem",
        "requirements/serve.txt pins pandas 2.1, and gitops-ml 0.2.0 needs pandas>=2.2. "
        "Run `make lock`, and commit what it changes.",
    )


def test_a_package_that_is_missing_is_named(root: Path) -> None:
    """A newer library may need one more."""
    write(root, "serve.txt", LOCK.replace("prometheus-client==0.22\n", ""))
    verdict, text = look(root)
    assert verdict == "problem"
    assert text.startswith("Not pinned: prometheus-client of serve.in. Run `make lock`")


def test_each_lock_is_held_to_the_extras_that_it_names(root: Path) -> None:
    """Those of the files that it includes as well; an extra of a package belongs to no name."""
    write(root, "train.in", "-r serve.in\ngitops-ml[train]\n")
    write(root, "train.txt", LOCK + "mlflow==4.0\n")
    assert look(root)[1].startswith("requirements/train.txt pins mlflow 4.0, and gitops-ml 0.2.0 needs mlflow<4,>=3.1.")
    write(root, "train.txt", LOCK + "mlflow==3.9\n")
    assert look(root)[0] == "ok"
    write(root, "train.txt", "mlflow==3.9\n")
    assert look(root)[1].startswith("Not pinned: click of train.in, pandas of train.in, prometheus-client of train.in.")


def test_a_prerelease_that_is_pinned_counts(root: Path) -> None:
    """Whoever pins it wants it."""
    write(root, "serve.txt", LOCK.replace("pandas==3.1.0", "pandas==3.2.0rc1"))
    assert look(root)[0] == "ok"


def test_every_version_of_a_universal_lock_must_do(root: Path) -> None:
    """One for each Python."""
    lock = LOCK + "pandas==2.1 ; python_full_version < '3.12' \\\n    --hash=sha256:b\n"
    write(root, "serve.txt", lock)
    assert "pins pandas 2.1" in look(root)[1]


def test_lines_of_yours_are_held_to_their_versions_too(root: Path) -> None:
    """Somebody edited serve.in and did not lock; files, addresses, options and other systems are left out."""
    asked = "gitops-ml[serve]\npandas>=4  # newer\n./local\n-e .\n--pre\ngit+https://example.com/x\na @ https://b/c\n"
    write(root, "serve.in", asked + "pywin32; sys_platform == 'win32'\n")
    assert look(root)[1].startswith(
        "requirements/serve.txt pins pandas 3.1.0, and requirements/serve.in needs pandas>=4."
    )


def test_a_line_that_is_no_requirement_is_named(root: Path) -> None:
    """It could not be locked either."""
    write(root, "serve.in", "pandas=>2\n")
    verdict, text = look(root)
    assert verdict == "cannot tell"
    assert "requirements/serve.in: 'pandas=>2' is no requirement. Fix this line." in text


@pytest.mark.parametrize(("pinned", "verdict"), [("0.2.0", "ok"), ("0.3.0", "problem")])
def test_the_library_that_runs_is_the_one_that_is_pinned(
    root: Path, monkeypatch: pytest.MonkeyPatch, pinned: str, verdict: str
) -> None:
    """Somebody pulled a newer one and did not set up again."""
    write(root, "train.in", "gitops-ml[train]\n")
    write(root, "train.txt", "pandas==3.1.0\n")
    write(root, "gitops.txt", f"--find-links ../vendor\ngitops-ml=={pinned} --hash=sha256:a\n")
    versions = {"gitops-ml": "0.2.0", "pandas": "3.1.0"}
    monkeypatch.setattr(importlib.metadata, "version", lambda name: versions[name])
    row = locks.installed.examine(root)
    assert row.verdict == verdict
    assert ("gitops-ml is 0.2.0, not 0.3.0. Run `make setup`." in row.text) is (verdict == "problem")
