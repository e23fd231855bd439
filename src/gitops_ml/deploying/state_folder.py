"""Folders with the state of deployments on this machine, outside of every clone, because runners clean up clones."""

import hashlib
import os
import re
from pathlib import Path

from gitops_ml import git
from gitops_ml.config import Repository

STATE = "GITOPS_STATE"


def environment_folder(repository: Repository, environment: str) -> Path:
    """Return the folder of an environment; each repository and environment on a machine has its own.

    Args:
        repository: The clone.
        environment: Name of the environment.
    """
    return state_folder() / repository_id(repository) / environment


def repository_id(repository: Repository) -> str:
    """Return twelve hexadecimal digits of a repository, the same in each of its clones.

    Two repositories may have a model of the same name; their ids differ.

    Args:
        repository: The clone.
    """
    root = repository.root
    has_origin = git.succeeds(root, "remote", "get-url", "origin")
    origin = _normalize(git.run(root, "remote", "get-url", "origin")) if has_origin else str(root)
    return hashlib.sha256(origin.encode()).hexdigest()[:12]


def _normalize(url: str) -> str:
    """Return `host/owner/name`, which is the same for HTTPS and SSH URLs of a repository."""
    bare = re.sub(r"^\w+://", "", url.strip()).rpartition("@")[2].removesuffix("/").removesuffix(".git")
    return re.sub(r"^([^/:]+)(:\d+)?[:/]+", r"\1/", bare).lower()


def state_folder() -> Path:
    """Return the folder with the state of all repositories' deployments on this machine."""
    default = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state", "gitops")
    return Path(os.environ.get(STATE) or default)
