"""What `gitops doctor` looks at in the store: can it be reached, can it be read, and will it still fit."""

import os
from dataclasses import dataclass
from pathlib import Path

from gitops_ml.config import Repository
from gitops_ml.errors import StoreError
from gitops_ml.health import Finding, check, not_applicable, ok, problem, warning
from gitops_ml.registry import versions
from gitops_ml.registry.branch import FILE_LIMIT, Branch
from gitops_ml.registry.store import DATABASE, SERVER, BranchStore, ServerStore, check_schema, connect

FULL = 0.8
ON_A_SERVER = "The store is on a server."
MOVE = "Move to a tracking server (`gitops docs store`)"


@dataclass(frozen=True)
class Shelf:
    """The store, before anybody knows whether it can be reached."""

    repository: Repository
    store: BranchStore | ServerStore

    @property
    def branch(self) -> Branch | None:
        """Where it lies; None on a server."""
        return self.store.branch if isinstance(self.store, BranchStore) else None

    def database(self, branch: Branch) -> Path | None:
        """The database at the branch's tip; None before the first version. Raises StoreError."""
        return branch.root / DATABASE if branch.refresh() else None


def find(repository: Repository) -> Shelf:
    """The store of a repository; nothing is asked yet."""
    # MLflow's client would go on asking a server that is not there for minutes.
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "15")
    store = connect(repository)
    assert isinstance(store, BranchStore | ServerStore)  # noqa: S101 (there are no others)
    return Shelf(repository, store)


@check("STORE")
def reachable(shelf: Shelf) -> Finding:
    """The store can be reached."""
    try:
        if shelf.branch is None:
            shelf.store.read(lambda client: client.search_registered_models(max_results=1), None)
            return ok(f"It is the server that {SERVER} names.")
        tip = shelf.branch.refresh()
    except StoreError as error:
        return problem(f"{error.what} {error.next}")
    name = shelf.repository.config.store.branch
    return ok(f"It is the branch {name}." if tip else f"Its branch {name} comes with the first `gitops register`.")


@check("SCHEMA")
def readable(shelf: Shelf) -> Finding:
    """The store fits the MLflow that is installed."""
    if shelf.branch is None:
        return not_applicable(ON_A_SERVER)
    database = shelf.database(shelf.branch)
    if database is None:
        return not_applicable("There is no store yet.")
    try:
        check_schema(database)
    except StoreError as error:
        return problem(f"{error.what} {error.next}")
    return ok()


@check("SIZE")
def small(shelf: Shelf) -> Finding:
    """The store stays within its budget, and its database within what Git should carry."""
    if shelf.branch is None:
        return not_applicable(ON_A_SERVER)
    database = shelf.database(shelf.branch)
    if database is None:
        return not_applicable("There is no store yet.")
    config = shelf.repository.config
    budget = config.store.budget_mib * 2**20
    taken = sum(version.bytes for version in versions.known(shelf.store, config.project.name))
    kept = database.stat().st_size if database.exists() else 0
    told = f"Versions take {_mib(taken, budget)}, the database {_mib(kept, FILE_LIMIT)}."
    if taken >= budget or kept >= FILE_LIMIT:
        return problem(f"{told} {MOVE}, or raise `budget_mib` where that is what is used up.")
    if max(taken / budget, kept / FILE_LIMIT) >= FULL:
        return warning(f"{told} {MOVE} before it is full.")
    return ok(told)


def _mib(taken: int, limit: int) -> str:
    left = max(0, limit - taken)
    return f"{taken / 2**20:.1f} of {limit / 2**20:.0f} MiB ({left / 2**20:.1f} left)"


CHECKS = (reachable, readable, small)
