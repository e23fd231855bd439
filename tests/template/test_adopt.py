"""`gitops docs adopt`: a repository with data, code and history of its own gets the workflows by a merge."""

import sys
from pathlib import Path

import pytest

from repositories import TEMPLATE, run

PAGE = TEMPLATE / "src" / "gitops_ml" / "data" / "docs" / "adopt.md"
OWN = {
    "README.md": "# Churn\n\nOur model.\n",
    ".gitignore": "*.ckpt\n",
    "data/churn.csv": "id,tenure,churn\nc1,3,yes\n",
    "notebooks/first.ipynb": '{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}\n',
    "train.py": "print('training')\n",
}


def commands() -> str:
    """Return the commands of the page, with the address of this checkout."""
    block = PAGE.read_text(encoding="utf-8").split("```\n")[1]
    cookiecutter = f"{sys.executable} -m cookiecutter {TEMPLATE} --no-input project_slug=churn"
    wanted = "cookiecutter ADDRESS-OF-THE-TEMPLATE"
    assert wanted in block
    return block.replace(wanted, cookiecutter)


@pytest.fixture
def existing(tmp_path: Path) -> Path:
    """A repository with two commits, whose files are not those of the template."""
    root = tmp_path / "churn"
    root.mkdir()
    run(root, "git", "init", "--quiet", "--initial-branch", "main")
    for number, (name, text) in enumerate(OWN.items()):
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")
        run(root, "git", "add", "--all")
        run(root, "git", "commit", "--quiet", "--message", f"change {number}")
    return root


def test_the_merge_stops_only_at_files_that_both_have(existing: Path) -> None:
    """Nothing of one's own changes; after the conflicts that the page names, the data is validated."""
    run(existing, "bash", "-c", commands(), env={"HOME": str(existing.parent)}, code=1)
    conflicts = run(existing, "git", "diff", "--name-only", "--diff-filter=U").split()
    assert conflicts == [".gitignore", "README.md"]
    assert all(f"| `{name}` |" in PAGE.read_text(encoding="utf-8") for name in conflicts)
    run(existing, "git", "checkout", "--ours", "README.md")
    ignored = run(existing, "git", "show", "FETCH_HEAD:.gitignore") + OWN[".gitignore"]
    (existing / ".gitignore").write_text(ignored, encoding="utf-8")
    run(existing, "git", "add", "--all")
    run(existing, "git", "commit", "--quiet", "--no-edit")
    for name, text in OWN.items():
        assert name == ".gitignore" or (existing / name).read_text(encoding="utf-8") == text
    assert len(run(existing, "git", "log", "--format=%h", "--no-merges").split()) == len(OWN) + 1
    validated = run(existing, sys.executable, "-m", "gitops_ml", "validate")
    assert "Accepted: 569 rows" in validated
