"""The rule by which a record may come to main: a comparison of this repository earned it.

These records are not compared, and have a rule of their own:

- A rollback: the record was on main before, its version is verified in this environment, and it is not held.
- A removal of the record, after which no version serves.
- A record in which a person overrules the gates and the soak time by name, with the reason.

A promotion to the next environment is compared there. In addition, its version must have soaked in the environment
before.
"""

from collections.abc import Sequence
from dataclasses import replace

from gitops_ml import git
from gitops_ml.config import FILE, Repository, parse_config
from gitops_ml.errors import ConfigError, RecordRefused
from gitops_ml.registry import ledger
from gitops_ml.registry.admission import explain_unsoaked
from gitops_ml.registry.ledger import AnyFact
from gitops_ml.registry.record import HistoryEntry, Record, record_path, records_since_removal
from gitops_ml.registry.store import Store

NEXT_STEP = (
    "Merge only records that gitops proposed. Run Train, which compares the version and proposes it again, or revert "
    "this change. A person who takes the responsibility adds `overruled` with `by` and `why` to the record: `gitops "
    "docs gates`."
)


def explain_unearned(
    repository: Repository, store: Store, record: Record, earlier: Sequence[HistoryEntry], facts: Sequence[AnyFact],
    before: str | None,
) -> str | None:  # fmt: skip
    """Return the reason why a record may not come to main; None if it may.

    Args:
        repository: The clone, with main fetched.
        store: The MLflow store; its branch holds the ledger.
        record: New record of its environment.
        earlier: Changes of the record on main before this one, newest first.
        facts: The ledger without lifted holds.
        before: Revision before the change that brings the record; its model.toml has the soak time.

    Returns:
        The second half of a sentence that begins with the record.
    """
    if record.overruled:
        return None
    is_rollback = record in records_since_removal(earlier) and ledger.is_verified(facts, record)
    if is_rollback and not ledger.is_held(facts, record.environment, record.digest):
        return None
    if record.comparison is None:
        return "names no comparison: it was written by hand, or by an older library"
    if ledger.find_comparison(facts, record) is None:
        return f"was not earned: the ledger has no comparison {record.comparison[:19]} that earned exactly this record"
    rules = _repository_before(repository, before, record.environment)
    reason = explain_unsoaked(rules, store, record.environment, record.digest)
    return f"came too early: {reason}" if reason else None


def _repository_before(repository: Repository, before: str | None, environment: str) -> Repository:
    """Return the clone with model.toml of a revision, so that a change cannot shorten the soak time of its own record.

    The present model.toml counts if the revision has none that can be read, or does not know the environment yet.
    """
    text = git.read_file(repository.root, before, FILE) if before else None
    try:
        config = parse_config(text) if text else repository.config
    except ConfigError:
        return repository
    return replace(repository, config=config) if environment in config.deploy.environments else repository


def refuse(record: Record, reason: str) -> RecordRefused:
    """Return the error about a record that was not earned.

    Args:
        record: The record.
        reason: Result of `explain_unearned`.
    """
    return RecordRefused(
        f"{record_path(record.environment)} with version {record.version} {reason}.",
        NEXT_STEP,
    )
