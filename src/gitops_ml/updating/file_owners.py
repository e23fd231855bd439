"""Owners of the files of a generated repository, by path, as README.md and AGENTS.md list them."""

from typing import Literal

from gitops_ml import library

Owner = Literal["yours", "record", "scaffold", "pinned", "lock", "answers"]
ANSWERS = ".cookiecutter.json"
YOURS = (
    "model.toml", ".github/CODEOWNERS", "data/", "src/", "tests/", ".github/actions/login/",
    "deploy/kubernetes/production/", "deploy/kubernetes/staging/",
)  # fmt: skip
RECORD = ("registry/", "docs/model-card")
PINNED = (f"{library.VENDOR}/{library.PACKAGE}-", library.PIN)


def find_owner(path: str) -> Owner:
    """Return the owner of a file; files that the template never had count as scaffold, which an update merges.

    Args:
        path: Path from the root of the repository.
    """
    if path == ANSWERS:
        return "answers"
    if path.startswith(PINNED):
        return "pinned"
    if path.startswith(RECORD):
        return "record"
    if path.startswith(YOURS):
        return "yours"
    folder, _, name = path.rpartition("/")
    if folder == "requirements":
        return "lock" if name.endswith(".txt") else "yours" if name.endswith(".in") else "scaffold"
    return "scaffold"
