"""Reconciliation of the registry's aliases with record, ledger and proposal; aliases follow from these alone."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gitops_ml import git
from gitops_ml.config import Repository
from gitops_ml.errors import IntegrityError
from gitops_ml.registry import ledger, record
from gitops_ml.registry.branch import Branch
from gitops_ml.registry.pinned import find_contradictions
from gitops_ml.registry.propose import load_proposed_record
from gitops_ml.registry.record import Record
from gitops_ml.registry.store import BranchStore, Store, connect
from gitops_ml.registry.versions import search_versions

if TYPE_CHECKING:
    from mlflow import MlflowClient

CHAMPION, CHALLENGER = "champion", "challenger"


@dataclass(frozen=True)
class AliasMove:
    """Change of one alias.

    Attributes:
        alias: Name of the alias.
        before: Version number before; None if the alias did not exist.
        after: Version number now; None if the alias was removed.
    """

    alias: str
    before: str | None
    after: str | None

    @property
    def sentence(self) -> str:
        """Sentence that reports the change."""
        if self.after is None:
            return f"Alias {self.alias} removed in MLflow; it pointed at version {self.before}."
        came = f"; it pointed at version {self.before}" if self.before else ""
        return f"Alias {self.alias} set to version {self.after} in MLflow{came}."


def reconcile(
    repository: Repository, environment: str, *, store: Store | None = None, with_proposal: bool = True
) -> list[AliasMove]:
    """Move the aliases that differ from record, ledger and proposal; a second call moves none.

    Args:
        repository: The clone, with main and the proposals fetched.
        environment: Environment of the record. Aliases belong to the model and not to an environment: they follow the
            last environment, and for any other nothing is done.
        store: MLflow store with the aliases; the repository's own by default.
        with_proposal: Set the alias `challenger` from the proposal's branch. False if its pull request is closed.

    Returns:
        The aliases that were moved.

    Raises:
        IntegrityError: The registry's version is not the one that the record pins, or the record contradicts its files.
    """
    if environment != repository.config.deploy.environments[-1]:
        return []
    root, store = repository.root, store or connect(repository)
    entries = record.load_history(root, environment, git.main_ref(root))
    champion = champion_record(entries, load_current_facts(repository, store))
    targets = {CHAMPION: champion, CHALLENGER: load_proposed_record(root, environment) if with_proposal else None}
    model = repository.config.project.name
    moves = store.read(lambda client: _plan_moves(client, model, targets), list[AliasMove]())
    if moves:
        sentences = " ".join(move.sentence for move in moves)
        moves = store.write(
            f"Reconcile {environment}: {sentences}", lambda client: _apply_moves(client, model, targets)
        )
    return moves


def champion_record(entries: Sequence[record.HistoryEntry], facts: Sequence[ledger.Fact]) -> Record | None:
    """Return the record for the alias `champion`: the desired one if it is verified, else the last verified one.

    Args:
        entries: Records of one environment on main, newest first.
        facts: The ledger without lifted holds.
    """
    desired = ledger.desired_record(entries, facts)
    if desired is None or ledger.is_verified(facts, desired):
        return desired
    return ledger.find_fallback_record(record.records_since_removal(entries), facts)


def open_ledger(repository: Repository, store: Store | None = None) -> Branch:
    """Return the branch that holds the ledger: the store's branch, even if MLflow is a server.

    Args:
        repository: The clone.
        store: MLflow store, to use its branch if it has one.
    """
    return store.branch if isinstance(store, BranchStore) else Branch(repository)


def load_current_facts(repository: Repository, store: Store | None = None) -> list[ledger.AnyFact]:
    """Fetch the ledger and load its facts.

    Args:
        repository: The clone, with main fetched; main names the lifted holds.
        store: MLflow store, to use its branch if it has one.

    Returns:
        The facts without lifted holds, oldest first.
    """
    branch = open_ledger(repository, store)
    branch.refresh()
    lifted = ledger.load_lifted_holds(repository.root, git.main_ref(repository.root))
    return ledger.without_lifted_holds(ledger.load_facts(branch.root), lifted)


def _plan_moves(client: "MlflowClient", model: str, targets: dict[str, Record | None]) -> list[AliasMove]:
    """Return the aliases that differ from their targets."""
    versions = search_versions(client, model)
    current = {alias: version.number for version in versions for alias in version.aliases}
    digests = {version.number: version.digest for version in versions}
    moves = []
    for alias, target in targets.items():
        if target and digests.get(target.version) != target.digest:
            raise IntegrityError(
                f"The record pins version {target.version} with {target.digest[:19]}, but the registry's version "
                f"{target.version} has {str(digests.get(target.version))[:19]}. No alias was moved.",
                "Find out who changed the store: `git log` of its branch.",
            )
        contradictions = find_contradictions(client, model, target) if target else []
        if target and contradictions:
            raise IntegrityError(
                f"The record of version {target.version} contradicts the files that its digest pins: "
                f"{'; '.join(contradictions)}. No alias was moved.",
                record.RESTORE,
            )
        number = target.version if target else None
        if current.get(alias) != number:
            moves.append(AliasMove(alias, current.get(alias), number))
    return moves


def _apply_moves(client: "MlflowClient", model: str, targets: dict[str, Record | None]) -> list[AliasMove]:
    moves = _plan_moves(client, model, targets)
    for move in moves:
        if move.after:
            client.set_registered_model_alias(model, move.alias, move.after)
        else:
            client.delete_registered_model_alias(model, move.alias)
    return moves
