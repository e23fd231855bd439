"""What was offered, and is held by now: its pull request is closed, for a held version is not promoted."""

from typing import TYPE_CHECKING

from gitops_ml import git
from gitops_ml.forge import pull_request
from gitops_ml.forge.github import GitHub
from gitops_ml.registry import ledger
from gitops_ml.registry.admission import held_in
from gitops_ml.registry.propose import branch_name, proposed
from gitops_ml.registry.reconcile import facts_of

if TYPE_CHECKING:
    from gitops_ml.config import Repository
    from gitops_ml.registry.store import Store


def withdraw(github: GitHub, repository: "Repository", store: "Store") -> list[str]:
    """Close the open pull requests that offer what is held in some environment; what was done, in sentences."""
    git.refresh(repository.root)
    facts, told = facts_of(repository, store), []
    for environment in repository.config.deploy.environments:
        offered = proposed(repository.root, environment)
        held = held_in(repository, facts, offered.digest) if offered else None
        open_now = pull_request.find(github, branch_name(environment)) if held else None
        if offered and held and open_now:
            hold = ledger.hold_of(facts, held, offered.digest)
            why = hold.why if hold else ""
            pull_request.withdraw(github, open_now, offered.version, held, why)
            told.append(f"Closed {open_now.page}: version {offered.version} is held in {held}.")
    return told
