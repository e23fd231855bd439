"""The ledger: an append-only log of deployment events in ledger.jsonl on the store branch, and the desired record
computed from it.

Each line is one entry, a fact of one of these kinds:

- `verified`: this digest passed its smoke test in this environment.
- `held`: this digest may neither run nor be promoted.
- `override`: this digest runs instead of the one that main names; `find_override` has the rule of when it ends.
- `asked`: this digest was to be compared with the champion of the environment. It does not change what serves.
- `compared`: this digest passed its gates against the champion of the environment, and `promote` wrote this record.
- `expired`: the evidence behind this merge no longer held when it was merged, so the merge is ignored.

Every reconciler computes the same desired record from main's records and the ledger. A hold can be lifted only by a
pull request, which adds a file to registry/lifted/.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AwareDatetime, Field, TypeAdapter, ValidationError

from gitops_ml import git
from gitops_ml.errors import IntegrityError
from gitops_ml.registry.branch import Branch
from gitops_ml.registry.record import FOLDER, HistoryEntry, Record, records_since_removal
from gitops_ml.run import Document

FILE = "ledger.jsonl"
LIFTED = f"{FOLDER}/lifted"
RESTORE = (
    "Restore an earlier version of the file (if [store] in model.toml names another branch than `mlflow`, use that "
    "name). Check out the branch: `git fetch origin mlflow && git worktree add --detach ../store FETCH_HEAD && cd "
    f"../store`. Choose a commit before the edit: `git log -p -- {FILE}`. Then run `git checkout COMMIT -- {FILE} && "
    "git commit -m 'Restore the ledger' && git push origin HEAD:mlflow`."
)


class Fact(Document):
    """Fields of every fact.

    Attributes:
        environment: Environment in which the fact holds.
        digest: Digest of the version's files.
        at: Time of writing.
        by: Person or workflow run that wrote it.
    """

    environment: str
    digest: str
    at: AwareDatetime
    by: str


class Verified(Fact):
    """Fact that a version passed its smoke test.

    Attributes:
        kind: Name of the kind of fact.
        image: Reference of the image that was tested; None if the version ran without an image.
    """

    kind: Literal["verified"] = "verified"
    image: str | None = None


class Held(Fact):
    """Fact that a version may neither run nor be promoted.

    Attributes:
        kind: Name of the kind of fact.
        why: Reason, as text.
        failed: True if the version failed its smoke test; False if a person held it.
    """

    kind: Literal["held"] = "held"
    why: str
    failed: bool = False


class Override(Fact):
    """Fact that a version runs instead of the one that main names, until a given time at the latest.

    Attributes:
        kind: Name of the kind of fact.
        until: Time at which the override ends.
        why: Reason, as text.
    """

    kind: Literal["override"] = "override"
    until: AwareDatetime
    why: str


class Asked(Fact):
    """Fact that the workflow Train was asked to compare a version with the champion.

    Attributes:
        kind: Name of the kind of fact.
        commit: Commit at the tip of main at that time.
    """

    kind: Literal["asked"] = "asked"
    commit: str


class Expired(Fact):
    """Fact that a version was merged on evidence that no longer held; a later merge of the version counts.

    Attributes:
        kind: Name of the kind of fact.
        commit: Merge commit.
        why: Phrase that lists what had changed.
    """

    kind: Literal["expired"] = "expired"
    commit: str
    why: str


class Compared(Fact):
    """Fact that `promote` wrote a record because of a comparison. It does not change what serves.

    Attributes:
        kind: Name of the kind of fact.
        comparison: Digest of the comparison.
        record: Digest of the record's content.
    """

    kind: Literal["compared"] = "compared"
    comparison: str
    record: str


class LiftedHold(Document):
    """A hold that was lifted by a pull request.

    Attributes:
        environment: Environment of the hold.
        digest: Digest of the version's files.
        at: Time at which the hold was written; it tells the hold from a later one on the same digest.
        why: Reason, in the words of the person who lifted the hold.
    """

    environment: str
    digest: str
    at: AwareDatetime
    why: str


AnyFact = Annotated[Verified | Held | Override | Asked | Compared | Expired, Field(discriminator="kind")]
_FACT: TypeAdapter[Verified | Held | Override | Asked | Compared | Expired] = TypeAdapter(AnyFact)


def load_facts(folder: Path) -> list[AnyFact]:
    """Return all facts, oldest first; an empty list if there is no ledger yet.

    Args:
        folder: Checkout of the store branch.

    Raises:
        IntegrityError: A line is not a valid entry.
    """
    file = folder / FILE
    lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
    facts = []
    for number, line in enumerate(lines, 1):
        try:
            facts.append(_FACT.validate_json(line))
        except ValidationError as error:
            raise IntegrityError(
                f"{FILE} on the store branch: line {number} is not a valid entry. A person probably edited the file.",
                RESTORE,
            ) from error
    return facts


def append_facts(branch: Branch, *facts: AnyFact) -> None:
    """Append facts in one transaction; facts that the ledger has already are left out.

    Args:
        branch: The store branch.
        *facts: Facts to append.
    """

    def add(folder: Path) -> None:
        existing = load_facts(folder)
        with (folder / FILE).open("a", encoding="utf-8", newline="\n") as ledger:
            ledger.writelines(_FACT.dump_json(fact).decode() + "\n" for fact in facts if fact not in existing)

    branch.transact("Ledger: " + ", ".join(f"{fact.kind} {fact.digest[:19]}" for fact in facts), add)


def append_comparison(branch: Branch, record: Record, by: str) -> None:
    """Append the fact that a comparison earned a record, unless the ledger has it already or a person overruled it.

    Args:
        branch: The store branch.
        record: Record that `promote` proposes.
        by: Person or workflow run that promotes.
    """
    branch.refresh()
    if record.comparison is None or record.overruled or find_comparison(load_facts(branch.root), record):
        return
    fact = Compared(
        environment=record.environment, digest=record.digest, at=datetime.now(UTC), by=by,
        comparison=record.comparison, record=record.content_digest,
    )  # fmt: skip
    append_facts(branch, fact)


def load_lifted_holds(root: Path, revision: str) -> list[LiftedHold]:
    """Return the holds that were lifted according to a revision.

    Args:
        root: Root folder of the clone.
        revision: Git revision to read.

    Raises:
        IntegrityError: A file in registry/lifted/ is not a lifted hold.
    """
    if git.resolve(root, revision) is None:
        return []
    names = git.run(root, "ls-tree", "--name-only", revision, f"{LIFTED}/").splitlines()
    return [_load_lifted_hold(root, revision, name) for name in names]


def _load_lifted_hold(root: Path, revision: str, path: str) -> LiftedHold:
    try:
        return LiftedHold.model_validate_json(git.read_file(root, revision, path) or "")
    except ValidationError as error:
        first = error.errors()[0]
        raise IntegrityError(
            f"{path} at {revision}: {'.'.join(map(str, first['loc']))}: {first['msg']}.",
            "Restore it from Git. Only `gitops lift` writes this file.",
        ) from error


def lifted_hold_path(lifted: LiftedHold) -> str:
    """Return the path of a lifted hold's file; each hold has its own, so that two pull requests do not conflict.

    Args:
        lifted: The lifted hold.
    """
    short = lifted.digest.removeprefix("sha256:")[:12]
    return f"{LIFTED}/{lifted.environment}-{short}-{lifted.at:%Y%m%dT%H%M%SZ}.json"


def without_lifted_holds(facts: Sequence[AnyFact], lifted: Sequence[LiftedHold]) -> list[AnyFact]:
    """Return the facts without the holds that were lifted.

    Args:
        facts: Facts to filter.
        lifted: Holds that were lifted.
    """
    keys = {(hold.environment, hold.digest, hold.at) for hold in lifted}
    return [f for f in facts if not (isinstance(f, Held) and (f.environment, f.digest, f.at) in keys)]


def is_verified(facts: Sequence[Fact], record: Record) -> bool:
    """Return whether a record's version passed its smoke test in the record's environment.

    A version that ran as a process, without an image, is verified for a record with any image.

    Args:
        facts: The ledger.
        record: Record with the version, the image and the environment.
    """
    verified = (f for f in facts if isinstance(f, Verified) and f.environment == record.environment)
    return any(f.digest == record.digest and f.image in (record.image, None) for f in verified)


def is_latest_verification(facts: Sequence[Fact], record: Record) -> bool:
    """Return whether the latest `verified` entry of the record's environment is about its version and image.

    Args:
        facts: The ledger, oldest first.
        record: Record with the version, the image and the environment.
    """
    verified = (f for f in reversed(facts) if isinstance(f, Verified) and f.environment == record.environment)
    last = next(verified, None)
    return last is not None and (last.digest, last.image) == (record.digest, record.image)


def is_held(facts: Sequence[Fact], environment: str, digest: str) -> bool:
    """Return whether the ledger has a hold on a version.

    Args:
        facts: The ledger without lifted holds.
        environment: Environment of the hold.
        digest: Digest of the version's files.
    """
    return find_hold(facts, environment, digest) is not None


def find_hold(facts: Sequence[Fact], environment: str, digest: str) -> Held | None:
    """Return the newest hold on a version; None if there is none.

    Args:
        facts: The ledger without lifted holds, oldest first.
        environment: Environment of the hold.
        digest: Digest of the version's files.
    """
    holds = (f for f in reversed(facts) if isinstance(f, Held))
    return next((f for f in holds if (f.environment, f.digest) == (environment, digest)), None)


def find_comparison_request(facts: Sequence[Fact], environment: str, digest: str) -> Asked | None:
    """Return the newest request to compare a version with the champion; None if there is none.

    Args:
        facts: The ledger, oldest first.
        environment: Environment of the champion.
        digest: Digest of the version's files.
    """
    requests = (f for f in reversed(facts) if isinstance(f, Asked))
    return next((f for f in requests if (f.environment, f.digest) == (environment, digest)), None)


def find_comparison(facts: Sequence[Fact], record: Record) -> Compared | None:
    """Return the fact that a comparison earned exactly this record; None if there is none.

    Args:
        facts: The ledger.
        record: Record to look for.
    """
    key = (record.environment, record.digest, record.comparison, record.content_digest)
    compared = (f for f in facts if isinstance(f, Compared))
    return next((f for f in compared if (f.environment, f.digest, f.comparison, f.record) == key), None)


def find_expiry(facts: Sequence[Fact], entry: HistoryEntry) -> Expired | None:
    """Return the fact that a merge's evidence had expired; None if the evidence held.

    Args:
        facts: The ledger.
        entry: The merge.
    """
    environment = entry.record.environment if entry.record else ""
    expired = (f for f in facts if isinstance(f, Expired) and f.environment == environment)
    return next((fact for fact in expired if fact.commit == entry.commit), None)


def desired_record(
    entries: Sequence[HistoryEntry], facts: Sequence[Fact], now: datetime | None = None
) -> Record | None:
    """Return the record of the version that should serve.

    An override comes first. Otherwise it is the record on main, unless its version is held or its evidence had expired
    when it was merged; then it is the fallback record.

    Args:
        entries: Records of one environment on main, newest first.
        facts: The ledger without lifted holds, oldest first.
        now: Time for which to decide; the current time by default.

    Returns:
        The record; None if no version may serve.
    """
    records = records_since_removal(entries)
    if not records:
        return None
    override = find_override(entries, facts, now)
    if override:
        return next(r for r in records if r.digest == override.digest)
    if is_held(facts, records[0].environment, records[0].digest) or find_expiry(facts, entries[0]):
        return find_fallback_record(records, facts)
    return records[0]


def find_fallback_record(records: Sequence[Record], facts: Sequence[Fact]) -> Record | None:
    """Return the record that serves while the desired one may not: the newest one that is verified and not held.

    Args:
        records: Records of one environment, newest first.
        facts: The ledger without lifted holds.
    """
    usable = (r for r in records if is_verified(facts, r) and not is_held(facts, r.environment, r.digest))
    return next(usable, None)


def find_override(
    entries: Sequence[HistoryEntry], facts: Sequence[Fact], now: datetime | None = None
) -> Override | None:
    """Return the override in force.

    Of the overrides whose time has not passed, only the newest counts. It is in force if all of this holds:

    - Its version was on main since the record was last removed.
    - Its version is not held.
    - No change of the record on main since the override was written names its version.

    Args:
        entries: Records of one environment on main, newest first.
        facts: The ledger without lifted holds, oldest first.
        now: Time for which to decide; the current time by default.

    Returns:
        The override; None if there is none in force.
    """
    records, now = records_since_removal(entries), now or datetime.now(UTC)
    digests = {record.digest for record in records}
    environment = records[0].environment if records else ""
    overrides = [f for f in facts if isinstance(f, Override) and f.environment == environment and f.until > now]
    last = overrides[-1] if overrides else None
    if last is None or last.digest not in digests or is_held(facts, environment, last.digest):
        return None
    # Git stores whole seconds.
    since = (entry for entry in entries if datetime.fromisoformat(entry.when) >= last.at.replace(microsecond=0))
    return None if any(entry.record and entry.record.digest == last.digest for entry in since) else last
