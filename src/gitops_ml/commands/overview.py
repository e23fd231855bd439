"""All that there is to know about what serves, as one JSON document; `status` shows it, `report` publishes it."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gitops_ml.commands import main_revision
from gitops_ml.errors import ConfigError, ContainerError, ForgeError, GitopsError, StoreError
from gitops_ml.private import redacted

if TYPE_CHECKING:
    from gitops_ml.config import Repository
    from gitops_ml.registry.branch import Branch
    from gitops_ml.registry.ledger import Held, Lifted
    from gitops_ml.registry.past import Past
    from gitops_ml.registry.record import Record
    from gitops_ml.registry.store import Store

RECENT = 14


def overview(repository: "Repository", now: datetime | None = None) -> dict[str, Any]:
    """What serves where and why, what was seen of it, what is open, and what it costs.

    What cannot be asked (GitHub, the store) is None, with a sentence under `unasked`; that is never an error.

    Args:
        repository: The clone.
        now: For tests.
    """
    from gitops_ml import git
    from gitops_ml.registry import past
    from gitops_ml.registry.store import PASSWORD, connect

    now, root = now or datetime.now(UTC), repository.root
    unasked: dict[str, str] = {}
    _catch_up(root, unasked)
    main = main_revision(root)
    store = connect(repository)
    branch = _branch(repository, store, unasked)
    lifts = past.lifts(root, main) if git.resolve(root, main) else []
    environments = [
        _environment(repository, name, main, branch, lifts, now) for name in repository.config.deploy.environments
    ]
    github, size = _github(repository, now, unasked), _size(repository, store, branch, unasked)
    return {
        "model": repository.config.project.name,
        "when": now.isoformat(),
        "main": (git.resolve(root, main) or "")[:9],
        "environments": environments,
        "github": github,
        "store": size,
        # What git says of a remote may hold the password in its address, and the page may be published.
        "unasked": {what: PASSWORD.sub("://", redacted(why)) for what, why in unasked.items()},
    }


def _catch_up(root: Path, unasked: dict[str, str]) -> None:
    """The whole of main, as it is now: a job's checkout is one commit deep, and a clone may be old."""
    from gitops_ml import git

    try:
        git.catch_up(root)
    except GitopsError as error:
        unasked["main"] = f"The remote cannot be reached; main is as this clone saw it last. {error.what}"


def _branch(repository: "Repository", store: "Store", unasked: dict[str, str]) -> "Branch | None":
    """The store's branch as it is now; None where it cannot be reached."""
    from gitops_ml.registry.reconcile import ledger_of

    branch = ledger_of(repository, store)
    try:
        branch.refresh()
    except GitopsError as error:
        unasked["store"] = f"The store's branch cannot be reached, so nobody knows holds and windows: {error.what}"
        return None
    return branch


def _environment(
    repository: "Repository", name: str, main: str, branch: "Branch | None",
    lifts: "Sequence[tuple[datetime, Lifted]]", now: datetime,
) -> dict[str, Any]:  # fmt: skip
    from gitops_ml.monitoring import memory
    from gitops_ml.registry import ledger, observed, past, record
    from gitops_ml.registry.propose import proposed

    entries = record.history(repository.root, name, main)
    facts = [fact for fact in ledger.read(branch.root) if fact.environment == name] if branch else []
    period = next(iter(past.periods(entries, facts, lifts, now)), None)
    there = observed.there(branch.root, name) if branch else observed.Observed((), {})
    known = memory.parse(there.windows, there.state, name)
    offer = proposed(repository.root, name)
    then = period.past if period else None
    of_it = known.state.digest == then.record.digest if then else False
    return {
        "name": name,
        "serving": _serving(repository, then.record, then.entry.commit) if then else None,
        "image_bytes": _image_size(then.record.image) if then else None,
        "since": period.start.isoformat() if period else None,
        "verified": period.answered.isoformat() if period and period.answered else None,
        "why": _why(then) if then else "the record was removed, or nothing may serve" if period else "",
        "offer": {"version": offer.version, "release": offer.release} if offer else None,
        "holds": [_hold(fact, [entry.record for entry in entries if entry.record])
                  for fact in ledger.in_force(facts, [end for _, end in lifts]) if isinstance(fact, ledger.Held)],
        "windows": [{"until": each.until.isoformat(), "verdict": each.verdict, "rows": each.seen.rows,
                     "version": each.version} for each in known.windows[-RECENT:]],
        "judged": of_it and bool(known.served),
        "alarms": list(known.state.alarms) if of_it else [],
    }  # fmt: skip


def _serving(repository: "Repository", served: "Record", commit: str) -> dict[str, Any]:
    """The record's own words, and how it was judged."""
    figure = served.figure
    return {
        "version": served.version, "release": served.release, "digest": served.digest, "image": served.image,
        "commit": served.lineage.commit, "data": served.lineage.data, "rows": served.lineage.rows,
        "metric": figure.metric, "value": figure.value, "baseline": figure.baseline, "champion": figure.champion,
        "off": _off(repository, commit),
    }  # fmt: skip


def _off(repository: "Repository", commit: str) -> list[str] | None:
    """The gates that did not judge when it was merged; None where that commit's model.toml is of another version."""
    from gitops_ml import git
    from gitops_ml.config import FILE, parse

    try:
        return list(parse(git.show(repository.root, commit, FILE) or "").gates.off)
    except ConfigError:
        return None


def _image_size(image: str | None) -> int | None:
    """What a container engine of this machine says of the image; None where none has it."""
    import json

    from gitops_ml.deploying.engine import find

    if image is None:
        return None
    try:
        return int(json.loads(find().call("image", "inspect", image))[0]["Size"])
    except ContainerError:
        return None


def _why(past: "Past") -> str:
    """What brought it there."""
    if past.override:
        until = f"{past.override.until.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
        return f"override by {past.override.by} until {until}: {past.override.why}"
    if past.named and past.held:
        return f"version {past.named.version}, which main names, is held: {past.held.why}"
    if past.named and past.expired:
        return f"version {past.named.version}, which main names, was merged on evidence that had expired"
    return f"merged by {past.entry.who}, commit {past.entry.commit[:9]}"


def _hold(fact: "Held", records: "Sequence[Record]") -> dict[str, Any]:
    version = next((each.version for each in records if each.digest == fact.digest), None)
    return {"version": version, "digest": fact.digest, "why": fact.why, "by": fact.by, "at": fact.at.isoformat()}


def _github(repository: "Repository", now: datetime, unasked: dict[str, str]) -> dict[str, Any] | None:
    from gitops_ml.forge.activity import activity
    from gitops_ml.forge.github import connect

    try:
        return activity(connect(repository.root), now)
    except ConfigError as error:
        unasked["github"] = f"GitHub was not asked. {error.what}"
    except ForgeError as error:
        unasked["github"] = f"GitHub could not be asked. {error.what}"
    return None


def _size(
    repository: "Repository", store: "Store", branch: "Branch | None", unasked: dict[str, str]
) -> dict[str, Any] | None:
    """What the versions take, and what else the branch carries; the artefacts themselves are not fetched for it."""
    from gitops_ml.registry.store import BranchStore
    from gitops_ml.registry.versions import known

    if branch is None:
        return None
    try:
        versions = known(store, repository.config.project.name)
    except StoreError as error:
        unasked["versions"] = f"The versions cannot be listed: {error.what}"
        return None
    own = [file for file in branch.root.rglob("*") if file.is_file() and ".git" not in file.parts]
    beside = sum(file.stat().st_size for file in own) if isinstance(store, BranchStore) else 0
    return {"versions": len(versions), "bytes": sum(each.bytes for each in versions) + beside,
            "budget": repository.config.store.budget_mib * 2**20}  # fmt: skip
