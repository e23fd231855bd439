"""Where this machine keeps what serves: outside of every clone, for a runner sweeps those."""

import hashlib
import os
import re
from pathlib import Path

from gitops_ml import git
from gitops_ml.config import Repository

STATE = "GITOPS_STATE"


def home(repository: Repository, environment: str) -> Path:
    """Where the servers of an environment are kept: one folder for each repository and environment on a machine."""
    return state() / identity(repository) / environment


def identity(repository: Repository) -> str:
    """Twelve digits of a repository, the same in each of its clones: two may have a model of the same name."""
    root = repository.root
    named = git.succeeds(root, "remote", "get-url", "origin")
    origin = _same(git.run(root, "remote", "get-url", "origin")) if named else str(root)
    return hashlib.sha256(origin.encode()).hexdigest()[:12]


def _same(url: str) -> str:
    """One name for a repository, whichever way a clone reaches it: `host/owner/name`."""
    bare = re.sub(r"^\w+://", "", url.strip()).rpartition("@")[2].removesuffix("/").removesuffix(".git")
    return re.sub(r"^([^/:]+)(:\d+)?[:/]+", r"\1/", bare).lower()


def state() -> Path:
    """Where this machine keeps what serves, whichever clone it came from."""
    usual = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state", "gitops")
    return Path(os.environ.get(STATE) or usual)
