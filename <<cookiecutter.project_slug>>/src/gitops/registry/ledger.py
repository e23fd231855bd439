# machinery
"""The ledger: facts that only happen after a merge, appended to the store branch, and what they mean.

`verified`: this digest passed its smoke test here. `held`: this digest may not run or be promoted. `override`: until
then this digest runs, whatever main says. Every reconciler computes the same wanted state from record and ledger.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AwareDatetime, Field, TypeAdapter, ValidationError

from gitops.errors import IntegrityError
from gitops.registry.branch import Branch
from gitops.registry.record import Record
from gitops.run import Document

FILE = "ledger.jsonl"


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
    """The digest passed its smoke test."""

    kind: Literal["verified"] = "verified"


class Held(Fact):
    """The digest may neither run nor be promoted."""

    kind: Literal["held"] = "held"
    why: str


class Override(Fact):
    """Until then this digest runs, whatever main says."""

    kind: Literal["override"] = "override"
    until: AwareDatetime
    why: str


AnyFact = Annotated[Verified | Held | Override, Field(discriminator="kind")]
_FACT: TypeAdapter[Verified | Held | Override] = TypeAdapter(AnyFact)


def read(folder: Path) -> list[Verified | Held | Override]:
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


def append(branch: Branch, fact: Verified | Held | Override) -> None:
    """Write a fact, unless it stands there already."""

    def add(folder: Path) -> None:
        if fact not in read(folder):
            with (folder / FILE).open("a", encoding="utf-8", newline="\n") as ledger:
                ledger.write(_FACT.dump_json(fact).decode() + "\n")

    branch.transact(f"Ledger: {fact.kind} {fact.digest[:19]}", add)


def is_held(facts: Sequence[Fact], environment: str, digest: str) -> bool:
    """Whether a hold on this digest stands in the ledger."""
    return any(isinstance(f, Held) and (f.environment, f.digest) == (environment, digest) for f in facts)


def wanted(records: Sequence[Record], facts: Sequence[Fact], now: datetime | None = None) -> Record | None:
    """What should run: the record on main unless it is held, or else the last verified one; an override wins.

    Args:
        records: Of one environment, newest first; the first is main's.
        facts: The ledger, oldest first.
        now: For tests.

    Returns:
        The record; None where nothing may run.
    """
    if not records:
        return None
    environment, now = records[0].environment, now or datetime.now(UTC)
    overrides = [f for f in facts if isinstance(f, Override) and f.environment == environment and f.until > now]
    if overrides:
        named = [record for record in records if record.digest == overrides[-1].digest]
        if named:
            return named[0]
    if not is_held(facts, environment, records[0].digest):
        return records[0]
    verified = {f.digest for f in facts if isinstance(f, Verified) and f.environment == environment}
    safe = (r for r in records if r.digest in verified and not is_held(facts, environment, r.digest))
    return next(safe, None)
