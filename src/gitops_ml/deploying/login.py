"""A login to a registry for as long as it is needed: a job's token opens GitHub's own, and stays on no machine."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gitops_ml import git
from gitops_ml.deploying.engine import Engine, with_login

USER, PASSWORD = "GITOPS_REGISTRY_USER", "GITOPS_REGISTRY_PASSWORD"
GHCR = "ghcr.io"


@contextmanager
def logged_in(engine: Engine, reference: str, ours: str | None) -> Iterator[Engine]:
    """The engine with a login to the registry of an image, where a password is known; else with whatever it has.

    Args:
        engine: docker, podman or buildah.
        reference: The image.
        ours: `repository` under [image] in model.toml: the password is for that registry, and for no other.

    Raises:
        ContainerError: The registry does not accept the login, or does not answer.
    """
    registry = reference.partition("/")[0]
    user, password = credentials(registry, (ours or GHCR).partition("/")[0])
    with tempfile.TemporaryDirectory() as folder:
        yield with_login(engine, Path(folder), registry, user, password) if password else engine


def credentials(registry: str, ours: str) -> tuple[str, str]:
    """User and password for a registry; empty where the engine's own login has to do.

    GITOPS_REGISTRY_USER and GITOPS_REGISTRY_PASSWORD, or else, in a job, the token of the job for GitHub's registry.
    """
    if os.environ.get(PASSWORD) and registry == ours:
        return os.environ.get(USER) or "gitops", os.environ[PASSWORD]
    if registry == GHCR and git.in_actions():
        return os.environ.get("GITHUB_ACTOR") or "gitops", os.environ.get("GITHUB_TOKEN") or ""
    return "", ""
