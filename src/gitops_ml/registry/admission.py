"""Rules of admission: which version may be promoted to which environment.

A version must not be held anywhere. In every environment but the first it must also have served in the environment
before, verified, for the hours that model.toml asks for (`soak_hours`).
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from gitops_ml import git
from gitops_ml.config import Repository
from gitops_ml.registry import ledger, record
from gitops_ml.registry.history import load_hold_lifts, serving_periods
from gitops_ml.registry.ledger import AnyFact, Held, Verified
from gitops_ml.registry.reconcile import load_current_facts, open_ledger
from gitops_ml.registry.record import HistoryEntry, Record
from gitops_ml.registry.store import Store


def find_blocker(repository: Repository, store: Store, environment: str, digest: str) -> str | None:
    """Return the reason why a version may not be promoted to an environment; None if it may.

    Args:
        repository: The clone, with main fetched.
        store: The MLflow store; its branch holds the ledger.
        environment: Environment to promote to.
        digest: Digest of the version's files.

    Returns:
        The second half of a sentence that begins with the version, such as "it is held in staging".
    """
    names = repository.config.deploy.environments
    held = find_held_environment(repository, load_current_facts(repository, store), digest)
    if held:
        return f"it is held in {held}"
    position = names.index(environment) if environment in names else 0
    if position == 0:
        return None
    previous = names[position - 1]
    end = soak_end(repository, store, previous, digest)
    if end is None:
        return f"it does not serve in {previous}, or is not verified there"
    return f"it must serve in {previous} until {end:%Y-%m-%d %H:%M} UTC first" if end > datetime.now(UTC) else None


def explain_unsoaked(repository: Repository, store: Store, environment: str, digest: str) -> str | None:
    """Return why a version may not serve in an environment although its record is there or proposed; None if it may.

    It is the rule of `find_blocker`, but a version that has soaked stays admitted when another one follows it in the
    environment before.

    Args:
        repository: The clone, with main fetched.
        store: The MLflow store; its branch holds the ledger.
        environment: Environment of the record.
        digest: Digest of the version's files.
    """
    reason = find_blocker(repository, store, environment, digest)
    if reason is None or find_held_environment(repository, load_current_facts(repository, store), digest):
        return reason
    names = repository.config.deploy.environments
    previous = names[names.index(environment) - 1]
    root, main, now = repository.root, git.main_ref(repository.root), datetime.now(UTC)
    facts = [f for f in ledger.load_facts(open_ledger(repository, store).root) if f.environment == previous]
    periods = serving_periods(record.load_history(root, previous, main), facts, load_hold_lifts(root, main), now)
    times = [(period.until or now) - period.serving_since for period in periods
             if period.desired and period.serving_since and period.desired.record.digest == digest]  # fmt: skip
    hours = timedelta(hours=repository.config.target(previous).soak_hours)
    return None if any(time >= hours for time in times) else reason


def find_held_environment(repository: Repository, facts: Sequence[AnyFact], digest: str) -> str | None:
    """Return the first environment in which a version is held; None if it is held in none.

    Args:
        repository: The clone; its model.toml lists the environments.
        facts: The ledger without lifted holds.
        digest: Digest of the version's files.
    """
    names = repository.config.deploy.environments
    return next((name for name in names if ledger.is_held(facts, name, digest)), None)


def soak_end(repository: Repository, store: Store, environment: str, digest: str) -> datetime | None:
    """Return the time at which a version has served in an environment for `soak_hours`.

    The time starts when the version was verified. It starts again after each interruption and after each lifted hold.

    Args:
        repository: The clone, with main fetched.
        store: The MLflow store; its branch holds the ledger.
        environment: Environment in which the version serves.
        digest: Digest of the version's files.

    Returns:
        The time, which may lie in the future; None if the version does not serve there.
    """
    entries = record.load_history(repository.root, environment, git.main_ref(repository.root))
    facts = load_current_facts(repository, store)
    desired = ledger.desired_record(entries, facts)
    if desired is None or desired.digest != digest or not ledger.is_verified(facts, desired):
        return None
    hours = repository.config.target(environment).soak_hours
    verified = _verification_time(repository, ledger.load_facts(open_ledger(repository, store).root), desired)
    return max(verified, _serving_start(entries, facts, desired)) + timedelta(hours=hours)


def _verification_time(repository: Repository, facts: Sequence[AnyFact], desired: Record) -> datetime:
    """Return the time of the first verification after the last hold; the end of this hold if there is none after it."""
    of_version = [f for f in facts if (f.environment, f.digest) == (desired.environment, desired.digest)]
    hold = next((f for f in reversed(of_version) if isinstance(f, Held)), None)
    times = [f.at for f in of_version if isinstance(f, Verified) and (hold is None or f.at > hold.at)]
    if times or hold is None:
        return times[0]
    return _lift_time(repository, hold) or hold.at


def _lift_time(repository: Repository, hold: Held) -> datetime | None:
    """Return the time at which main lifted a hold; None if it did not."""
    lifts = load_hold_lifts(repository.root, git.main_ref(repository.root))
    return next((time for time, lifted in lifts if not ledger.without_lifted_holds([hold], [lifted])), None)


def _serving_start(entries: Sequence[HistoryEntry], facts: Sequence[AnyFact], desired: Record) -> datetime:
    """Return the time at which a merge, an override or a hold on main's version made the version the desired one."""
    override = ledger.find_override(entries, facts)
    if override and override.digest == desired.digest:
        return override.at
    start = entries[0].when
    for entry in entries:
        if entry.record is None or entry.record.digest != desired.digest:
            break
        start = entry.when
    main = entries[0].record
    hold = ledger.find_hold(facts, desired.environment, main.digest) if main else None
    return hold.at if hold else datetime.fromisoformat(start)
