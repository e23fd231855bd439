"""Records of the same version in other environments, which share its image and its release."""

from gitops_ml import git
from gitops_ml.config import Repository
from gitops_ml.registry.propose import load_proposed_record
from gitops_ml.registry.record import Record, load_record


def records_of_version(repository: Repository, digest: str) -> list[Record]:
    """Return every record of a version, proposed or on main, in any environment.

    Args:
        repository: The clone, with main and the proposals fetched.
        digest: Digest of the version's files.
    """
    root, main = repository.root, git.main_ref(repository.root)
    names = repository.config.deploy.environments
    records = [record for name in names for record in (load_proposed_record(root, name), load_record(root, name, main))]
    return [record for record in records if record and record.digest == digest]
