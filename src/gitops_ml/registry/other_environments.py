"""Records of the same version in other environments, which share its image and its release."""

from gitops_ml import git
from gitops_ml.config import Repository
from gitops_ml.registry import ledger
from gitops_ml.registry.branch import Branch
from gitops_ml.registry.propose import load_proposed_record
from gitops_ml.registry.record import Record, load_record


def records_of_version(repository: Repository, digest: str) -> list[Record]:
    """Return every record of a version, proposed or on main, in any environment.

    A branch can be pushed without a review, so a proposed record counts only if the ledger has its comparison.

    Args:
        repository: The clone, with main and the proposals fetched.
        digest: Digest of the version's files.
    """
    root, main, branch = repository.root, git.main_ref(repository.root), Branch(repository)
    branch.refresh()
    facts = ledger.load_facts(branch.root)
    records = []
    for name in repository.config.deploy.environments:
        proposed = load_proposed_record(root, name)
        records += [proposed if proposed and ledger.find_comparison(facts, proposed) else None]
        records += [load_record(root, name, main)]
    return [record for record in records if record and record.digest == digest]
