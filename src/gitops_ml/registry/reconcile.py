"""Make the registry's aliases say what record, ledger and proposal say; aliases are projections, never the truth."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gitops_ml import git
from gitops_ml.config import Repository
from gitops_ml.errors import IntegrityError
from gitops_ml.registry import ledger, record
from gitops_ml.registry.branch import Branch
from gitops_ml.registry.propose import proposed
from gitops_ml.registry.record import Record
from gitops_ml.registry.store import BranchStore, Store, connect
from gitops_ml.registry.versions import versions

if TYPE_CHECKING:
    from mlflow import MlflowClient

CHAMPION, CHALLENGER = "champion", "challenger"


@dataclass(frozen=True)
class Move:
    """An alias that was not where it should be.

    Attributes:
        alias: Its name.
        before: The version it pointed at; None for none.
        after: The version it points at now; None for none.
    """

    alias: str
    before: str | None
    after: str | None

    @property
    def sentence(self) -> str:
        """For people."""
        if self.after is None:
            return f"Alias {self.alias} removed; it pointed at version {self.before}."
        came = f"; it pointed at version {self.before}" if self.before else ""
        return f"Alias {self.alias} set to version {self.after}{came}."


def reconcile(
    repository: Repository, environment: str, *, store: Store | None = None, offered: bool = True
) -> list[Move]:
    """Move what has to move, and nothing else; twice is once.

    Args:
        repository: The clone; its main says what the champion is.
        environment: Whose record. Aliases are of the model, not of a place: they follow the environment where promotion
            ends, and no other.
        store: Whose aliases; the repository's own unless named.
        offered: Whether a proposal's branch counts; not where its pull request is known to be closed.

    Returns:
        The aliases that were moved.

    Raises:
        IntegrityError: The registry's version is not the one that the record pins.
    """
    if environment != repository.config.deploy.environments[-1]:
        return []
    root, store = repository.root, store or connect(repository)
    entries = record.history(root, environment, git.main_ref(root))
    champion = serving(entries, facts_of(repository, store))
    targets = {CHAMPION: champion, CHALLENGER: proposed(root, environment) if offered else None}
    model = repository.config.project.name
    moves = store.read(lambda client: _moves(client, model, targets), list[Move]())
    if moves:
        said = " ".join(move.sentence for move in moves)
        moves = store.write(f"Reconcile {environment}: {said}", lambda client: _apply(client, model, targets))
    return moves


def serving(entries: Sequence[record.Entry], facts: Sequence[ledger.Fact]) -> Record | None:
    """The version that the alias `champion` names: what is wanted, once it was verified; until then, what was."""
    wanted = ledger.wanted(entries, facts)
    if wanted is None or ledger.is_verified(facts, wanted):
        return wanted
    return ledger.last_verified(record.since_removal(entries), facts)


def ledger_of(repository: Repository, store: Store | None = None) -> Branch:
    """Where the ledger lies: on the store's branch, even where MLflow is a server."""
    return store.branch if isinstance(store, BranchStore) else Branch(repository)


def facts_of(repository: Repository, store: Store | None = None) -> list[ledger.AnyFact]:
    """The newest ledger, oldest first, without the holds that people lifted on main."""
    branch = ledger_of(repository, store)
    branch.refresh()
    ends = ledger.lifted(repository.root, git.main_ref(repository.root))
    return ledger.in_force(ledger.read(branch.root), ends)


def _moves(client: "MlflowClient", model: str, targets: dict[str, Record | None]) -> list[Move]:
    """The difference between what is and what is wanted."""
    known = versions(client, model)
    now = {alias: version.number for version in known for alias in version.aliases}
    digests = {version.number: version.digest for version in known}
    moves = []
    for alias, target in targets.items():
        if target and digests.get(target.version) != target.digest:
            raise IntegrityError(
                f"The record pins version {target.version} with {target.digest[:19]}, but the registry's version "
                f"{target.version} has {str(digests.get(target.version))[:19]}. No alias was moved.",
                "Find out who changed the store: `git log` of its branch.",
            )
        wanted = target.version if target else None
        if now.get(alias) != wanted:
            moves.append(Move(alias, now.get(alias), wanted))
    return moves


def _apply(client: "MlflowClient", model: str, targets: dict[str, Record | None]) -> list[Move]:
    moves = _moves(client, model, targets)
    for move in moves:
        if move.after:
            client.set_registered_model_alias(model, move.alias, move.after)
        else:
            client.delete_registered_model_alias(model, move.alias)
    return moves
