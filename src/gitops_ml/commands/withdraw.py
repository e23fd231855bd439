"""Withdrawal of proposals whose version is held, because a held version must not be promoted."""

from typing import TYPE_CHECKING

from gitops_ml import git
from gitops_ml.forge import pull_request
from gitops_ml.forge.github import GitHub
from gitops_ml.registry import ledger
from gitops_ml.registry.admission import find_held_environment
from gitops_ml.registry.propose import load_proposed_record, promotion_branch
from gitops_ml.registry.reconcile import load_current_facts

if TYPE_CHECKING:
    from gitops_ml.config import Repository
    from gitops_ml.registry.store import Store


def withdraw_held(github: GitHub, repository: "Repository", store: "Store") -> list[str]:
    """Close the open promotion pull requests whose version is held in some environment.

    Args:
        github: Client of the repository on GitHub.
        repository: The local clone.
        store: Model store with the ledger.

    Returns:
        One sentence for each pull request that was closed.
    """
    git.fetch_branches(repository.root)
    facts, messages = load_current_facts(repository, store), []
    for environment in repository.config.deploy.environments:
        proposed = load_proposed_record(repository.root, environment)
        held_environment = find_held_environment(repository, facts, proposed.digest) if proposed else None
        open_pull = pull_request.find_open(github, promotion_branch(environment)) if held_environment else None
        if proposed and held_environment and open_pull:
            hold = ledger.find_hold(facts, held_environment, proposed.digest)
            reason = hold.why if hold else ""
            pull_request.withdraw(github, open_pull, proposed.version, held_environment, reason)
            messages.append(f"Closed {open_pull.page}: version {proposed.version} is held in {held_environment}.")
    return messages
