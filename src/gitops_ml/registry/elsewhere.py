"""One version, one image, one release: what another record says of the same version."""

from gitops_ml import git
from gitops_ml.config import Repository
from gitops_ml.registry.propose import proposed
from gitops_ml.registry.record import Record, read


def same_version(repository: Repository, digest: str) -> list[Record]:
    """Every record of this very version, proposed or on main, in any environment.

    Args:
        repository: The clone, refreshed.
        digest: Of the version's files.
    """
    root, main = repository.root, git.main_ref(repository.root)
    names = repository.config.deploy.environments
    known = [record for name in names for record in (proposed(root, name), read(root, name, main))]
    return [record for record in known if record and record.digest == digest]
