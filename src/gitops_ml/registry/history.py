"""History of what should have served: the desired state at any time, from main and the ledger as they were then."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time
from pathlib import Path

from gitops_ml import git
from gitops_ml.errors import ConfigError
from gitops_ml.registry import ledger, record
from gitops_ml.registry.ledger import AnyFact, Expired, Held, LiftedHold, Override, Verified
from gitops_ml.registry.record import HistoryEntry, Record

_RELEASE = re.compile(r"v?(\d+\.\d+\.\d+)")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")


@dataclass(frozen=True)
class Moment:
    """A point in the history of main.

    Attributes:
        when: Time of the moment.
        revision: Commit at the tip of main at that time.
    """

    when: datetime
    revision: str


@dataclass(frozen=True)
class DesiredState:
    """The version that should serve at a time, and the reason if it is not the one that main names.

    Attributes:
        entry: Merge that brought the version's record to main.
        verified: First fact that the version passed its smoke test, before or after that time; None if there is none.
        held: Hold on the version that main names; None unless it is the reason.
        expired: Fact that the evidence of the version that main names had expired; None unless it is the reason.
        override: Override in force; None if there is none.
        on_main: Record on main if it names another version; None otherwise.
        still_serving: Record of the version that still served because this one was not verified yet; None otherwise.
    """

    entry: HistoryEntry
    verified: Verified | None
    held: Held | None
    expired: Expired | None
    override: Override | None
    on_main: Record | None
    still_serving: Record | None

    @property
    def record(self) -> Record:
        """Record of the version that should serve."""
        assert self.entry.record is not None  # noqa: S101 (an entry without a record is never the desired one)
        return self.entry.record


def resolve_moment(root: Path, environment: str, main: str, text: str) -> Moment:
    """Return the moment that a user named.

    Args:
        root: Root folder of the clone.
        environment: Environment of the releases.
        main: Git revision of main.
        text: A date (its end), a time (in UTC unless it has an offset), a release, or a commit of main.

    Raises:
        ConfigError: The text is none of these, or the time is before the first commit of main.
    """
    if _DATE.match(text):
        return _moment_of_time(root, main, _parse_time(text))
    if release := _RELEASE.fullmatch(text):
        for entry in record.load_history(root, environment, main):
            if entry.record and entry.record.release == release[1]:
                return Moment(_end_of_second(entry.when), entry.commit)
        raise ConfigError(
            f"{environment} never had a release {release[1]}.", "Run `gitops history` to list its releases."
        )
    commit = git.resolve(root, text)
    if commit is None or not git.succeeds(root, "merge-base", "--is-ancestor", commit, main):
        raise ConfigError(
            f"{text!r} is not a date such as 2026-01-31, a release, or a commit of main.",
            "Run `gitops history` to list releases and merges.",
        )
    merge = _find_merge(root, main, commit)
    return Moment(_end_of_second(git.run(root, "show", "--no-patch", "--format=%cI", merge)), merge)


def desired_state_at(
    entries: Sequence[HistoryEntry], facts: Sequence[AnyFact], lifted: Sequence[LiftedHold], when: datetime
) -> DesiredState | None:
    """Return the version that should have served at a time, and the reason.

    Args:
        entries: Records of main until that time, newest first.
        facts: The whole ledger, oldest first; later facts tell only when the version was verified.
        lifted: Holds that main had lifted by that time.
        when: The time.

    Returns:
        The desired state; None if no version should have served.
    """
    known = ledger.without_lifted_holds([fact for fact in facts if fact.at <= when], lifted)
    desired = ledger.desired_record(entries, known, when)
    if not entries or desired is None:
        return None
    main = entries[0].record
    assert main is not None  # noqa: S101 (there is no desired record if main has none)
    verified = ledger.is_verified(known, desired)
    still_serving = None if verified else ledger.find_fallback_record(record.records_since_removal(entries), known)
    return DesiredState(
        entry=next(entry for entry in entries if entry.record == desired),
        verified=next(
            (fact for fact in facts if isinstance(fact, Verified) and ledger.is_verified([fact], desired)), None
        ),
        held=ledger.find_hold(known, main.environment, main.digest) if desired != main else None,
        expired=ledger.find_expiry(known, entries[0]) if desired != main else None,
        override=ledger.find_override(entries, known, when),
        on_main=main if desired != main else None,
        still_serving=still_serving if still_serving != desired else None,
    )


@dataclass(frozen=True)
class ServingPeriod:
    """A period in which one version should have served.

    Attributes:
        start: Start of the period.
        until: End of the period; None if it lasts until now.
        desired: Version that should have served; None if there was none.
        serving_since: Time in the period since which the version served, verified; None if it never did.
    """

    start: datetime
    until: datetime | None
    desired: DesiredState | None
    serving_since: datetime | None


def serving_periods(
    entries: Sequence[HistoryEntry],
    facts: Sequence[AnyFact],
    lifts: Sequence[tuple[datetime, LiftedHold]],
    now: datetime,
) -> list[ServingPeriod]:
    """Return the periods from the first record until now, newest first.

    Args:
        entries: Records of main, newest first.
        facts: The whole ledger, oldest first.
        lifts: Holds that main lifted, each with the time.
        now: End of the last period.
    """
    times = {datetime.fromisoformat(entry.when) for entry in entries}
    times |= {fact.at for fact in facts} | {when for when, _ in lifts}
    # The clock of this machine may be behind those that wrote the records and the ledger.
    now = max(now, *times) if times else now
    times |= {fact.until for fact in facts if isinstance(fact, Override)}
    first = min((datetime.fromisoformat(entry.when) for entry in entries), default=now)
    starts: list[tuple[datetime, DesiredState | None]] = []
    for moment in sorted(when for when in times if first <= when <= now):
        earlier = [entry for entry in entries if datetime.fromisoformat(entry.when) <= moment]
        desired = desired_state_at(earlier, facts, [lifted for when, lifted in lifts if when <= moment], moment)
        if not starts or _period_key(desired) != _period_key(starts[-1][1]):
            starts.append((moment, desired))
    ends = [*(start for start, _ in starts[1:]), None][: len(starts)]
    periods = [
        ServingPeriod(start, end, desired, _serving_since(facts, desired, start, end or now))
        for (start, desired), end in zip(starts, ends, strict=True)
    ]
    return periods[::-1]


def _period_key(desired: DesiredState | None) -> tuple[object, ...]:
    """Return what distinguishes two periods: the merge of the version, and the hold or override that replaced main."""
    return (desired.entry, desired.held, desired.override) if desired else ()


def _serving_since(
    facts: Sequence[AnyFact], desired: DesiredState | None, start: datetime, end: datetime
) -> datetime | None:
    """Return the time of the version's verification in a period; the start if it was verified before."""
    if desired is None:
        return None
    verified = (fact for fact in facts if isinstance(fact, Verified) and ledger.is_verified([fact], desired.record))
    return next((max(fact.at, start) for fact in verified if fact.at < end), None)


def load_hold_lifts(root: Path, main: str) -> list[tuple[datetime, LiftedHold]]:
    """Return the holds that main has lifted, each with the time at which it did, oldest first.

    Args:
        root: Root folder of the clone.
        main: Git revision of main.
    """
    log = git.run(root, "log", "--first-parent", "--reverse", "-m", "--format=%H %cI", main, "--", ledger.LIFTED)
    lifts: list[tuple[datetime, LiftedHold]] = []
    for commit, when in (line.split() for line in log.splitlines()):
        known = [lifted for _, lifted in lifts]
        lifts += [
            (datetime.fromisoformat(when), lifted)
            for lifted in ledger.load_lifted_holds(root, commit)
            if lifted not in known
        ]
    return lifts


def _parse_time(text: str) -> datetime:
    try:
        parsed = datetime.fromisoformat(text)
    except ValueError as error:
        raise ConfigError(f"{text!r} is not a date: {error}.", "Write 2026-01-31, or 2026-01-31T12:00.") from error
    if _DATE.fullmatch(text):
        parsed = datetime.combine(parsed, time.max)
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)


def _moment_of_time(root: Path, main: str, when: datetime) -> Moment:
    # In seconds since 1970, because git misreads other dates; it takes smaller numbers for something else.
    seconds = max(int(when.timestamp()), 100_000_000)
    revision = git.run(root, "rev-list", "-1", "--first-parent", f"--before={seconds}", main)
    if not revision:
        raise ConfigError(f"main had no commit yet on {when:%Y-%m-%d %H:%M} UTC.", "Name a later time.")
    return Moment(when, revision)


def _end_of_second(text: str) -> datetime:
    """Return the end of the second; Git stores whole seconds, the ledger fractions of them."""
    return datetime.fromisoformat(text).replace(microsecond=999_999)


def _find_merge(root: Path, main: str, commit: str) -> str:
    """Return the commit on main's first-parent history that brought a commit to main."""
    own = git.run(root, "rev-list", "--first-parent", main).splitlines()
    if commit in own:
        return commit
    since = git.run(root, "rev-list", "--first-parent", "--ancestry-path", f"{commit}..{main}").splitlines()
    return since[-1]
