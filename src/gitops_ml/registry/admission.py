"""Who may be promoted where: what is held nowhere, and has served long enough in the environment before."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from gitops_ml import git
from gitops_ml.config import Repository
from gitops_ml.registry import ledger, record
from gitops_ml.registry.ledger import AnyFact, Held, Verified
from gitops_ml.registry.past import lifts
from gitops_ml.registry.reconcile import facts_of, ledger_of
from gitops_ml.registry.record import Entry, Record
from gitops_ml.registry.store import Store


def barred(repository: Repository, store: Store, environment: str, digest: str) -> str | None:
    """Why a version may not be promoted to an environment, in words; None where it may.

    Args:
        repository: The clone, refreshed.
        store: Where the ledger lies.
        environment: Where it would go.
        digest: Of the version's files.
    """
    names = repository.config.deploy.environments
    held = held_in(repository, facts_of(repository, store), digest)
    if held:
        return f"it is held in {held}"
    place = names.index(environment) if environment in names else 0
    if place == 0:
        return None
    before = names[place - 1]
    ready = ready_at(repository, store, before, digest)
    if ready is None:
        return f"it does not serve in {before}, verified"
    return f"it serves in {before} until {ready:%Y-%m-%d %H:%M} UTC first" if ready > datetime.now(UTC) else None


def held_in(repository: Repository, facts: Sequence[AnyFact], digest: str) -> str | None:
    """The first environment where a version is held; None where it is held in none."""
    names = repository.config.deploy.environments
    return next((name for name in names if ledger.is_held(facts, name, digest)), None)


def ready_at(repository: Repository, store: Store, environment: str, digest: str) -> datetime | None:
    """When a version has served in an environment for as long as model.toml asks; None where it does not serve there.

    It serves once it was verified, has done so without a break, and since its last hold there, if there was one, ended.
    """
    entries = record.history(repository.root, environment, git.main_ref(repository.root))
    facts = facts_of(repository, store)
    wanted = ledger.wanted(entries, facts)
    if wanted is None or wanted.digest != digest or not ledger.is_verified(facts, wanted):
        return None
    hours = repository.config.target(environment).soak_hours
    verified = _verified(repository, ledger.read(ledger_of(repository, store).root), wanted)
    return max(verified, _brought(entries, facts, wanted)) + timedelta(hours=hours)


def _verified(repository: Repository, facts: Sequence[AnyFact], wanted: Record) -> datetime:
    """When it was verified first since its last hold ended; when that one ended, if it was verified before."""
    ours = [f for f in facts if (f.environment, f.digest) == (wanted.environment, wanted.digest)]
    hold = next((f for f in reversed(ours) if isinstance(f, Held)), None)
    since = [f.at for f in ours if isinstance(f, Verified) and (hold is None or f.at > hold.at)]
    if since or hold is None:
        return since[0]
    return _lifted(repository, hold) or hold.at


def _lifted(repository: Repository, hold: Held) -> datetime | None:
    """When main lifted a hold."""
    every = lifts(repository.root, git.main_ref(repository.root))
    return next((when for when, end in every if not ledger.in_force([hold], [end])), None)


def _brought(entries: Sequence[Entry], facts: Sequence[AnyFact], wanted: Record) -> datetime:
    """When main, an order that overrules it, or the hold of what main names, brought the version that serves now."""
    override = ledger.override_of(entries, facts)
    if override and override.digest == wanted.digest:
        return override.at
    brought = entries[0].when
    for entry in entries:
        if entry.record is None or entry.record.digest != wanted.digest:
            break
        brought = entry.when
    main = entries[0].record
    hold = ledger.hold_of(facts, wanted.environment, main.digest) if main else None
    return hold.at if hold else datetime.fromisoformat(brought)
