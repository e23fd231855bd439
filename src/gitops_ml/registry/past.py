"""The past: which version served at a moment, by what main said then and what the ledger knew then."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time
from pathlib import Path

from gitops_ml import git
from gitops_ml.errors import ConfigError
from gitops_ml.registry import ledger, record
from gitops_ml.registry.ledger import AnyFact, Expired, Held, Lifted, Override, Verified
from gitops_ml.registry.record import Entry, Record

_RELEASE = re.compile(r"v?(\d+\.\d+\.\d+)")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")


@dataclass(frozen=True)
class Moment:
    """A moment of main.

    Attributes:
        when: It was.
        revision: What main was then.
    """

    when: datetime
    revision: str


@dataclass(frozen=True)
class Past:
    """What was to serve at a moment.

    Attributes:
        entry: The merge that put it on main; its record is the version.
        verified: The first fact that says that it passed its smoke test, then or later; None where there is none.
        held: The hold on what main named, which is why something else was to serve.
        expired: That the evidence behind what main named no longer held, which is another reason.
        override: The order that overruled main.
        named: The version that main named, where that is another one.
        before: The version that still answered, where this one was not verified yet; None where no other was.
    """

    entry: Entry
    verified: Verified | None
    held: Held | None
    expired: Expired | None
    override: Override | None
    named: Record | None
    before: Record | None

    @property
    def record(self) -> Record:
        """The version."""
        assert self.entry.record is not None  # noqa: S101 (an entry without one serves nothing)
        return self.entry.record


def moment(root: Path, environment: str, main: str, text: str) -> Moment:
    """The moment that a person names.

    Args:
        root: Of the clone.
        environment: Whose releases are meant.
        main: The revision that stands for main.
        text: A date (its end), a time (UTC unless it says otherwise), a release, or a commit that main has.

    Raises:
        ConfigError: It is none of these, or was before there was a main.
    """
    if _DATE.match(text):
        return _at(root, main, _time(text))
    if found := _RELEASE.fullmatch(text):
        for entry in record.history(root, environment, main):
            if entry.record and entry.record.release == found[1]:
                return Moment(_end_of_second(entry.when), entry.commit)
        raise ConfigError(f"{environment} never had a release {found[1]}.", "`gitops history` lists those it had.")
    commit = git.resolve(root, text)
    if commit is None or not git.succeeds(root, "merge-base", "--is-ancestor", commit, main):
        raise ConfigError(
            f"{text!r} is no date such as 2026-01-31, no release, and no commit that main has.",
            "`gitops history` lists releases and merges.",
        )
    landed = _landing(root, main, commit)
    return Moment(_end_of_second(git.run(root, "show", "--no-patch", "--format=%cI", landed)), landed)


def then(entries: Sequence[Entry], facts: Sequence[AnyFact], ends: Sequence[Lifted], when: datetime) -> Past | None:
    """What was to serve at a moment.

    Args:
        entries: What main had said until then, newest first.
        facts: The whole ledger, oldest first; what it learned later only tells when the version was verified.
        ends: The holds that main had lifted by then.
        when: The moment.

    Returns:
        What served, and why that one; None where nothing did.
    """
    known = ledger.in_force([fact for fact in facts if fact.at <= when], ends)
    wanted = ledger.wanted(entries, known, when)
    if not entries or wanted is None:
        return None
    main = entries[0].record
    assert main is not None  # noqa: S101 (nothing is wanted where main has no record)
    verified = ledger.is_verified(known, wanted)
    before = None if verified else ledger.last_verified(record.since_removal(entries), known)
    return Past(
        entry=next(entry for entry in entries if entry.record == wanted),
        verified=next(
            (fact for fact in facts if isinstance(fact, Verified) and ledger.is_verified([fact], wanted)), None
        ),
        held=ledger.hold_of(known, main.environment, main.digest) if wanted != main else None,
        expired=ledger.expired_of(known, entries[0]) if wanted != main else None,
        override=ledger.override_of(entries, known, when),
        named=main if wanted != main else None,
        before=before if before != wanted else None,
    )


@dataclass(frozen=True)
class Period:
    """A time in which one version was to serve.

    Attributes:
        start: Of it.
        until: Its end; None while it lasts.
        past: What was to serve, and why that one; None where nothing was.
        answered: When it answered first in this time, verified; None where it never did.
    """

    start: datetime
    until: datetime | None
    past: Past | None
    answered: datetime | None


def periods(
    entries: Sequence[Entry], facts: Sequence[AnyFact], lifts: Sequence[tuple[datetime, Lifted]], now: datetime
) -> list[Period]:
    """What was to serve from the first record on, and whether it did; newest first.

    Args:
        entries: What main has said, newest first.
        facts: The whole ledger, oldest first.
        lifts: The holds that main lifted, and when.
        now: The end of what is told.
    """
    told = {datetime.fromisoformat(entry.when) for entry in entries}
    told |= {fact.at for fact in facts} | {when for when, _ in lifts}
    told |= {fact.until for fact in facts if isinstance(fact, Override)}
    first = min((datetime.fromisoformat(entry.when) for entry in entries), default=now)
    found: list[tuple[datetime, Past | None]] = []
    for moment in sorted(each for each in told if first <= each <= now):
        said = [entry for entry in entries if datetime.fromisoformat(entry.when) <= moment]
        past = then(said, facts, [end for when, end in lifts if when <= moment], moment)
        if not found or _served(past) != _served(found[-1][1]):
            found.append((moment, past))
    ends = [*(start for start, _ in found[1:]), None][: len(found)]
    every = [
        Period(start, end, past, _answered(facts, past, start, end or now))
        for (start, past), end in zip(found, ends, strict=True)
    ]
    return every[::-1]


def _served(past: Past | None) -> tuple[object, ...]:
    """What tells two times apart: the version, the merge that brought it, and what overruled main."""
    return (past.entry, past.held, past.override) if past else ()


def _answered(facts: Sequence[AnyFact], past: Past | None, start: datetime, end: datetime) -> datetime | None:
    """When the version of a time was verified, or its beginning where it was before."""
    if past is None:
        return None
    ours = (fact for fact in facts if isinstance(fact, Verified) and ledger.is_verified([fact], past.record))
    return next((max(fact.at, start) for fact in ours if fact.at < end), None)


def lifts(root: Path, main: str) -> list[tuple[datetime, Lifted]]:
    """The holds that main has lifted, and when it did."""
    log = git.run(root, "log", "--first-parent", "--reverse", "-m", "--format=%H %cI", main, "--", ledger.LIFTED)
    found: list[tuple[datetime, Lifted]] = []
    for commit, when in (line.split() for line in log.splitlines()):
        known = [end for _, end in found]
        found += [(datetime.fromisoformat(when), end) for end in ledger.lifted(root, commit) if end not in known]
    return found


def _time(text: str) -> datetime:
    try:
        read = datetime.fromisoformat(text)
    except ValueError as error:
        raise ConfigError(f"{text!r} is no date: {error}.", "Write 2026-01-31, or 2026-01-31T12:00.") from error
    if _DATE.fullmatch(text):
        read = datetime.combine(read, time.max)
    return read if read.tzinfo else read.replace(tzinfo=UTC)


def _at(root: Path, main: str, when: datetime) -> Moment:
    # In seconds: git reads dates of this century only, and small numbers as something else.
    seconds = max(int(when.timestamp()), 100_000_000)
    revision = git.run(root, "rev-list", "-1", "--first-parent", f"--before={seconds}", main)
    if not revision:
        raise ConfigError(f"There was no main on {when:%Y-%m-%d %H:%M} UTC yet.", "Name a later moment.")
    return Moment(when, revision)


def _end_of_second(text: str) -> datetime:
    """Git keeps whole seconds, the ledger parts of them."""
    return datetime.fromisoformat(text).replace(microsecond=999_999)


def _landing(root: Path, main: str, commit: str) -> str:
    """The commit of main itself by which another one came to it."""
    own = git.run(root, "rev-list", "--first-parent", main).splitlines()
    if commit in own:
        return commit
    since = git.run(root, "rev-list", "--first-parent", "--ancestry-path", f"{commit}..{main}").splitlines()
    return since[-1]
