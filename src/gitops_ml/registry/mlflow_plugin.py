"""Plug-ins of MLflow, which allow a store on a branch to be checked out to any path.

MLflow writes absolute paths into its database. These three plug-ins (registered in pyproject.toml) replace them by
URIs without a path: `store:/...` for artefacts, and `gitstore:<folder>` for the database. The folder of the artefacts
comes from the environment, so the same database opens from every checkout.
"""

import os
from pathlib import Path
from typing import TYPE_CHECKING

from mlflow.store.artifact.local_artifact_repo import LocalArtifactRepository

from gitops_ml import git
from gitops_ml.registry.artifact_addresses import require_address
from gitops_ml.registry.store import ARTIFACTS, DATABASE, ROOT, SCHEME

if TYPE_CHECKING:
    from mlflow.store.model_registry.sqlalchemy_store import SqlAlchemyStore as RegistryStore
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore as TrackingStore


class StoreArtifacts(LocalArtifactRepository):
    """Artefacts at `store:/x`: the folder `artifacts/x` of the store that the environment names."""

    def __init__(self, artifact_uri: str, tracking_uri: str | None = None, registry_uri: str | None = None) -> None:
        """Keep the URI; the folder is resolved at each use, because MLflow caches these objects.

        Args:
            artifact_uri: URI of the artefacts, `store:/...`.
            tracking_uri: Unused; part of MLflow's interface.
            registry_uri: Unused; part of MLflow's interface.
        """
        super(LocalArtifactRepository, self).__init__(artifact_uri, tracking_uri, registry_uri)

    @property
    def artifact_dir(self) -> str:
        """Folder of the artefacts; if the clone does not have them yet, they are fetched now.

        Raises:
            IntegrityError: The URI leads out of the store.
        """
        require_address(self.artifact_uri, "a file")
        root = Path(os.environ[ROOT]).resolve()
        path = self.artifact_uri.removeprefix("store:").lstrip("/")
        folder = (root / ARTIFACTS / path).resolve()
        relative = folder.relative_to(root).as_posix()
        if not folder.exists() and git.resolve(root, "HEAD") and git.run(root, "ls-tree", "HEAD", "--", relative):
            git.run(root, "checkout", "--quiet", "--ignore-skip-worktree-bits", "HEAD", "--", relative)
        return str(folder)


def tracking_store(store_uri: str, artifact_uri: str | None = None) -> "TrackingStore":
    """Return MLflow's SQL tracking store of `gitstore:<folder>`.

    Args:
        store_uri: URI of the database, `gitstore:<folder>`.
        artifact_uri: Unused; part of MLflow's interface.
    """
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    return SqlAlchemyStore(_database(store_uri), "store:/")


def registry_store(store_uri: str, tracking_uri: str | None = None) -> "RegistryStore":
    """Return MLflow's SQL model registry of `gitstore:<folder>`.

    Args:
        store_uri: URI of the database, `gitstore:<folder>`.
        tracking_uri: Unused; part of MLflow's interface.
    """
    from mlflow.store.model_registry.sqlalchemy_store import SqlAlchemyStore

    return SqlAlchemyStore(_database(store_uri))


def _database(store_uri: str) -> str:
    return f"sqlite:///{store_uri.removeprefix(SCHEME + ':')}/{DATABASE}"
