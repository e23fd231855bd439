"""Checks of `gitops doctor` on the store: it can be reached, it can be read, and there is room for more versions."""

import os
from dataclasses import dataclass
from pathlib import Path

from gitops_ml import git
from gitops_ml.config import Repository
from gitops_ml.doctor_checks import CheckResult, check, not_applicable, ok, problem, warning
from gitops_ml.errors import StoreError
from gitops_ml.registry import versions
from gitops_ml.registry.branch import FILE_LIMIT, Branch
from gitops_ml.registry.database import DELETED, check_schema
from gitops_ml.registry.record import record_path
from gitops_ml.registry.store import DATABASE, SERVER, BranchStore, ServerStore, connect

WARNING_RATIO = 0.8
ON_A_SERVER = "The store is on a server."
MOVE = "Move to a tracking server (`gitops docs store`)"


@dataclass(frozen=True)
class StoreContext:
    """Subject of the checks: the store of a repository, which may not be reachable.

    Attributes:
        repository: The clone.
        store: The MLflow store.
    """

    repository: Repository
    store: BranchStore | ServerStore

    @property
    def branch(self) -> Branch | None:
        """The branch that holds the store; None if the store is on a server."""
        return self.store.branch if isinstance(self.store, BranchStore) else None

    def fetch_database(self, branch: Branch) -> Path | None:
        """Return the database at the branch's tip; None before the first version.

        Args:
            branch: The store's branch.

        Raises:
            StoreError: The branch cannot be reached.
        """
        return branch.root / DATABASE if branch.refresh() else None


def open_store_context(repository: Repository) -> StoreContext:
    """Return the subject of the checks; no server is asked yet.

    Args:
        repository: The clone.
    """
    # By default MLflow's client retries an unreachable server for minutes.
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "15")
    store = connect(repository)
    assert isinstance(store, BranchStore | ServerStore)  # noqa: S101 (there are no others)
    return StoreContext(repository, store)


def was_deleted(repository: Repository) -> bool:
    """Return whether a store whose branch does not exist must have existed: main has the record of a version.

    Args:
        repository: The clone.
    """
    root, main = repository.root, git.main_ref(repository.root)
    return any(git.read_file(root, main, record_path(name)) for name in repository.config.deploy.environments)


@check("STORE")
def store_reachable(context: StoreContext) -> CheckResult:
    """The store can be reached."""
    try:
        if context.branch is None:
            context.store.read(lambda client: client.search_registered_models(max_results=1), None)
            return ok(f"It is the server that {SERVER} names.")
        tip = context.branch.refresh()
    except StoreError as error:
        return problem(f"{error.problem} {error.next_step}")
    store = context.repository.config.store
    is_local = context.branch.url == str(context.repository.root)
    name = f"{store.branch} of {'this clone' if is_local else f'the remote {store.remote}'}"
    if tip is None and was_deleted(context.repository):
        return problem(f"The branch {name} does not exist, but main has the record of a version. {DELETED}")
    return ok(f"It is the branch {name}." if tip else f"The first `gitops register` creates its branch {name}.")


@check("SCHEMA")
def schema_compatible(context: StoreContext) -> CheckResult:
    """The store fits the MLflow that is installed."""
    if context.branch is None:
        return not_applicable(ON_A_SERVER)
    database = context.fetch_database(context.branch)
    if database is None:
        return not_applicable("There is no store yet.")
    try:
        check_schema(database)
    except StoreError as error:
        return problem(f"{error.problem} {error.next_step}")
    return ok()


@check("SIZE")
def size_within_budget(context: StoreContext) -> CheckResult:
    """The store stays within its budget, and its database within the size limit for a file in Git."""
    if context.branch is None:
        return not_applicable(ON_A_SERVER)
    database = context.fetch_database(context.branch)
    if database is None:
        return not_applicable("There is no store yet.")
    config = context.repository.config
    budget = config.store.budget_mib * 2**20
    version_bytes = sum(version.bytes for version in versions.list_versions(context.store, config.project.name))
    database_bytes = database.stat().st_size if database.exists() else 0
    usage = f"Versions take {_mib(version_bytes, budget)}, the database {_mib(database_bytes, FILE_LIMIT)}."
    if version_bytes >= budget or database_bytes >= FILE_LIMIT:
        return problem(f"{usage} {MOVE}, or raise `budget_mib` if the versions' budget is used up.")
    if max(version_bytes / budget, database_bytes / FILE_LIMIT) >= WARNING_RATIO:
        return warning(f"{usage} {MOVE} before it is full.")
    return ok(usage)


def _mib(size: int, limit: int) -> str:
    left = max(0, limit - size)
    return f"{size / 2**20:.1f} of {limit / 2**20:.0f} MiB ({left / 2**20:.1f} left)"


CHECKS = (store_reachable, schema_compatible, size_within_budget)
