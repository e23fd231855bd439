"""The ledger: facts that only happen after a merge, appended to the store branch, and what they mean.

`verified`: this digest passed its smoke test here. `held`: this digest may not run or be promoted. `override`: until
then, or until main says the same, this digest runs, whatever main says. `asked`: this digest was to be compared with
the champion there; what serves does not depend on it. `expired`: the evidence behind this merge no longer held when it
was merged, so the merge is passed over. Every reconciler computes the same wanted state from record and ledger. A hold
ends by pull request only: registry/lifted/ on main names those that ended, each in a file of its own.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AwareDatetime, Field, TypeAdapter, ValidationError

from gitops_ml import git
from gitops_ml.errors import IntegrityError
from gitops_ml.registry.branch import Branch
from gitops_ml.registry.record import FOLDER, Entry, Record, since_removal
from gitops_ml.run import Document

FILE = "ledger.jsonl"
LIFTED = f"{FOLDER}/lifted"


class Fact(Document):
    """What every fact has.

    Attributes:
        environment: Where it holds.
        digest: Of the version's files.
        at: When it was written.
        by: Who, or which run, wrote it.
    """

    environment: str
    digest: str
    at: AwareDatetime
    by: str


class Verified(Fact):
    """The digest passed its smoke test.

    Attributes:
        image: Of which image; None where it ran without one.
    """

    kind: Literal["verified"] = "verified"
    image: str | None = None


class Held(Fact):
    """The digest may neither run nor be promoted.

    Attributes:
        why: In words.
        failed: Whether it failed its smoke test; otherwise a person held it.
    """

    kind: Literal["held"] = "held"
    why: str
    failed: bool = False


class Override(Fact):
    """Until then this digest runs, whatever main says."""

    kind: Literal["override"] = "override"
    until: AwareDatetime
    why: str


class Asked(Fact):
    """Train was asked to compare the digest with the champion there.

    Attributes:
        commit: What main was then.
    """

    kind: Literal["asked"] = "asked"
    commit: str


class Expired(Fact):
    """The digest was merged on evidence that no longer held; another merge of it counts.

    Attributes:
        commit: The merge.
        why: What had changed, in words.
    """

    kind: Literal["expired"] = "expired"
    commit: str
    why: str


class Lifted(Document):
    """A hold that people lifted.

    Attributes:
        environment: Where it held.
        digest: Of the version's files.
        at: When the hold was written; a later hold on the same digest is another one.
        why: In the words of whoever lifted it.
    """

    environment: str
    digest: str
    at: AwareDatetime
    why: str


AnyFact = Annotated[Verified | Held | Override | Asked | Expired, Field(discriminator="kind")]
_FACT: TypeAdapter[Verified | Held | Override | Asked | Expired] = TypeAdapter(AnyFact)


def read(folder: Path) -> list[AnyFact]:
    """All facts, oldest first; none where there is no ledger yet.

    Raises:
        IntegrityError: A line is not a fact.
    """
    file = folder / FILE
    lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
    facts = []
    for number, line in enumerate(lines, 1):
        try:
            facts.append(_FACT.validate_json(line))
        except ValidationError as error:
            raise IntegrityError(
                f"{FILE} on the store branch: line {number} is not a fact.", "Restore it from Git: `git log`."
            ) from error
    return facts


def append(branch: Branch, *facts: AnyFact) -> None:
    """Write facts in one step, but for those that stand there already."""

    def add(folder: Path) -> None:
        there = read(folder)
        with (folder / FILE).open("a", encoding="utf-8", newline="\n") as ledger:
            ledger.writelines(_FACT.dump_json(fact).decode() + "\n" for fact in facts if fact not in there)

    branch.transact("Ledger: " + ", ".join(f"{fact.kind} {fact.digest[:19]}" for fact in facts), add)


def lifted(root: Path, revision: str) -> list[Lifted]:
    """The holds that people lifted, as a revision says.

    Raises:
        IntegrityError: A file of theirs is not as it must be.
    """
    if git.resolve(root, revision) is None:
        return []
    names = git.run(root, "ls-tree", "--name-only", revision, f"{LIFTED}/").splitlines()
    return [_lifted(root, revision, name) for name in names]


def _lifted(root: Path, revision: str, path: str) -> Lifted:
    try:
        return Lifted.model_validate_json(git.show(root, revision, path) or "")
    except ValidationError as error:
        first = error.errors()[0]
        raise IntegrityError(
            f"{path} at {revision}: {'.'.join(map(str, first['loc']))}: {first['msg']}.",
            "Restore it from Git; `gitops lift` writes this file, people merge it.",
        ) from error


def lifted_path(end: Lifted) -> str:
    """Where a lifted hold is written down: two that are lifted at a time are in no way of each other."""
    short = end.digest.removeprefix("sha256:")[:12]
    return f"{LIFTED}/{end.environment}-{short}-{end.at:%Y%m%dT%H%M%SZ}.json"


def in_force(facts: Sequence[AnyFact], ends: Sequence[Lifted]) -> list[AnyFact]:
    """The facts without the holds that were lifted."""
    gone = {(end.environment, end.digest, end.at) for end in ends}
    return [f for f in facts if not (isinstance(f, Held) and (f.environment, f.digest, f.at) in gone)]


def is_verified(facts: Sequence[Fact], record: Record) -> bool:
    """Whether this very version, in this very image, passed its smoke test where the record is for."""
    found = (f for f in facts if isinstance(f, Verified) and f.environment == record.environment)
    return any((f.digest, f.image) == (record.digest, record.image) for f in found)


def is_newest(facts: Sequence[Fact], record: Record) -> bool:
    """Whether nothing else was verified in its environment since the record was."""
    found = (f for f in reversed(facts) if isinstance(f, Verified) and f.environment == record.environment)
    last = next(found, None)
    return last is not None and (last.digest, last.image) == (record.digest, record.image)


def is_held(facts: Sequence[Fact], environment: str, digest: str) -> bool:
    """Whether a hold on this digest stands in the ledger."""
    return hold_of(facts, environment, digest) is not None


def hold_of(facts: Sequence[Fact], environment: str, digest: str) -> Held | None:
    """The newest hold on this digest; None where there is none."""
    holds = (f for f in reversed(facts) if isinstance(f, Held))
    return next((f for f in holds if (f.environment, f.digest) == (environment, digest)), None)


def asked_of(facts: Sequence[Fact], environment: str, digest: str) -> Asked | None:
    """When this digest was compared there last; None where it never was."""
    asked = (f for f in reversed(facts) if isinstance(f, Asked))
    return next((f for f in asked if (f.environment, f.digest) == (environment, digest)), None)


def expired_of(facts: Sequence[Fact], entry: Entry) -> Expired | None:
    """That the evidence behind this merge no longer held; None where it did."""
    environment = entry.record.environment if entry.record else ""
    merges = (f for f in facts if isinstance(f, Expired) and f.environment == environment)
    return next((fact for fact in merges if fact.commit == entry.commit), None)


def wanted(entries: Sequence[Entry], facts: Sequence[Fact], now: datetime | None = None) -> Record | None:
    """What should run: the record on main unless it is held or expired, or else the last verified; an override wins.

    Args:
        entries: What main said, and says, of one environment; newest first.
        facts: The ledger, oldest first, without holds that were lifted.
        now: For tests.

    Returns:
        The record; None where nothing may run.
    """
    records = since_removal(entries)
    if not records:
        return None
    override = override_of(entries, facts, now)
    if override:
        return next(r for r in records if r.digest == override.digest)
    if is_held(facts, records[0].environment, records[0].digest) or expired_of(facts, entries[0]):
        return last_verified(records, facts)
    return records[0]


def last_verified(records: Sequence[Record], facts: Sequence[Fact]) -> Record | None:
    """The newest record that passed its smoke test and is not held; None where there is none."""
    safe = (r for r in records if is_verified(facts, r) and not is_held(facts, r.environment, r.digest))
    return next(safe, None)


def override_of(entries: Sequence[Entry], facts: Sequence[Fact], now: datetime | None = None) -> Override | None:
    """The override in force: the newest that has not expired, is not held, and that main has not caught up with."""
    records, now = since_removal(entries), now or datetime.now(UTC)
    known = {record.digest for record in records}
    environment = records[0].environment if records else ""
    ours = [f for f in facts if isinstance(f, Override) and f.environment == environment and f.until > now]
    last = ours[-1] if ours else None
    if last is None or last.digest not in known or is_held(facts, environment, last.digest):
        return None
    # Git keeps whole seconds.
    since = (entry for entry in entries if datetime.fromisoformat(entry.when) >= last.at.replace(microsecond=0))
    return None if any(entry.record and entry.record.digest == last.digest for entry in since) else last
