"""Login to a container registry for the time of a push or pull; it is not left on the machine."""

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
def logged_in(engine: Engine, reference: str, repository: str | None) -> Iterator[Engine]:
    """Yield the engine with a login to an image's registry, or as it is if no password is known.

    Args:
        engine: Container engine.
        reference: Reference of the image.
        repository: `repository` under [image] in model.toml; the password is used for its registry only.

    Raises:
        ContainerError: The registry does not accept the login, or does not answer.
    """
    registry = reference.partition("/")[0]
    user, password = credentials(registry, (repository or GHCR).partition("/")[0])
    with tempfile.TemporaryDirectory() as folder:
        yield with_login(engine, Path(folder), registry, user, password) if password else engine


def credentials(registry: str, configured: str) -> tuple[str, str]:
    """Return user and password for a registry; empty texts if there are none.

    They come from GITOPS_REGISTRY_USER and GITOPS_REGISTRY_PASSWORD; or else, in a job of GitHub Actions, from the
    job's token for GitHub's registry.

    Args:
        registry: Host of the registry.
        configured: Host of the registry in model.toml.
    """
    if os.environ.get(PASSWORD) and registry == configured:
        return os.environ.get(USER) or "gitops", os.environ[PASSWORD]
    if registry == GHCR and git.in_actions():
        return os.environ.get("GITHUB_ACTOR") or "gitops", os.environ.get("GITHUB_TOKEN") or ""
    return "", ""
