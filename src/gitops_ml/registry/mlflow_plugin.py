"""MLflow's own entry points, so that a store on a branch can be moved to any path.

MLflow writes absolute paths into its database. These three plug-ins (pyproject.toml names them) give it addresses
without a path instead: artefacts are `store:/...`, and the database is `gitstore:<folder>`. The folder of the
artefacts comes from the environment, so the same database opens wherever the branch is checked out.
"""

import os
from pathlib import Path
from typing import TYPE_CHECKING

from mlflow.store.artifact.local_artifact_repo import LocalArtifactRepository

from gitops_ml import git
from gitops_ml.registry.store import ARTIFACTS, DATABASE, ROOT, SCHEME

if TYPE_CHECKING:
    from mlflow.store.model_registry.sqlalchemy_store import SqlAlchemyStore as RegistryStore
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore as TrackingStore


class StoreArtifacts(LocalArtifactRepository):
    """`store:/x` is the folder `artifacts/x` of the store that the environment names."""

    def __init__(self, artifact_uri: str, tracking_uri: str | None = None, registry_uri: str | None = None) -> None:
        """Keep the address; the folder is looked up at each use, for MLflow keeps these objects for long."""
        super(LocalArtifactRepository, self).__init__(artifact_uri, tracking_uri, registry_uri)

    @property
    def artifact_dir(self) -> str:
        """The folder; in a clone that left artefacts out, they are fetched now.

        Raises:
            ValueError: The address leaves the store.
        """
        root = Path(os.environ[ROOT]).resolve()
        inside = self.artifact_uri.removeprefix("store:").lstrip("/")
        folder = (root / ARTIFACTS / inside).resolve()
        if not folder.is_relative_to(root / ARTIFACTS):
            raise ValueError(f"{self.artifact_uri!r} leaves the store.")
        relative = folder.relative_to(root).as_posix()
        if not folder.exists() and git.resolve(root, "HEAD") and git.run(root, "ls-tree", "HEAD", "--", relative):
            git.run(root, "checkout", "--quiet", "--ignore-skip-worktree-bits", "HEAD", "--", relative)
        return str(folder)


def tracking_store(store_uri: str, artifact_uri: str | None = None) -> "TrackingStore":
    """MLflow's SQL tracking store on `gitstore:<folder>`."""
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    return SqlAlchemyStore(_database(store_uri), "store:/")


def registry_store(store_uri: str, tracking_uri: str | None = None) -> "RegistryStore":
    """MLflow's SQL model registry on `gitstore:<folder>`."""
    from mlflow.store.model_registry.sqlalchemy_store import SqlAlchemyStore

    return SqlAlchemyStore(_database(store_uri))


def _database(store_uri: str) -> str:
    return f"sqlite:///{store_uri.removeprefix(SCHEME + ':')}/{DATABASE}"
