"""Overview of the environments as one JSON document, which `status` prints and `report` publishes."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gitops_ml.commands import main_revision
from gitops_ml.errors import ConfigError, ContainerError, ForgeError, GitopsError, StoreError
from gitops_ml.printable import show_addresses
from gitops_ml.secrets import redact

if TYPE_CHECKING:
    from gitops_ml.config import Repository
    from gitops_ml.registry.branch import Branch
    from gitops_ml.registry.history import DesiredState
    from gitops_ml.registry.ledger import Held, LiftedHold
    from gitops_ml.registry.record import Record
    from gitops_ml.registry.store import Store

RECENT_WINDOWS = 14


def collect_overview(repository: "Repository", now: datetime | None = None) -> dict[str, Any]:
    """Collect served versions, monitoring, open pull requests and issues, and the size of the store.

    A part that cannot be read (GitHub, the store) is None, with a sentence under `unavailable`; it is not an error.

    Args:
        repository: The local clone.
        now: Current time; tests set it.

    Returns:
        The overview as a JSON-compatible dictionary.
    """
    from gitops_ml import git
    from gitops_ml.registry import history
    from gitops_ml.registry.store import connect

    now, root = now or datetime.now(UTC), repository.root
    unavailable: dict[str, str] = {}
    _fetch_main(root, unavailable)
    main = main_revision(root)
    store = connect(repository)
    branch = _open_branch(repository, store, unavailable)
    lifts = history.load_hold_lifts(root, main) if git.resolve(root, main) else []
    environments = [
        _environment(repository, name, main, branch, lifts, now) for name in repository.config.deploy.environments
    ]
    github, size = _github(repository, now, unavailable), _size(repository, store, branch, unavailable)
    return {
        "model": repository.config.project.name,
        "when": now.isoformat(),
        "main": (git.resolve(root, main) or "")[:9],
        "environments": environments,
        "ended": _ended_line(repository, main, branch),
        "github": github,
        "store": size,
        # Error messages of git may contain the password of the remote's address, and the page may be published.
        "unavailable": {part: redact(show_addresses(message)) for part, message in unavailable.items()},
    }


def _fetch_main(root: Path, unavailable: dict[str, str]) -> None:
    """Fetch all of main: the checkout of a workflow run has one commit, and a clone may be old."""
    from gitops_ml import git

    try:
        git.fetch_branches_if_tracked(root)
    except GitopsError as error:
        unavailable["main"] = f"The remote cannot be reached, so main may be out of date. {error.problem}"


def _open_branch(repository: "Repository", store: "Store", unavailable: dict[str, str]) -> "Branch | None":
    """Return the current branch of the store, or None if it cannot be reached."""
    from gitops_ml.registry.reconcile import open_ledger

    branch = open_ledger(repository, store)
    try:
        branch.refresh()
    except GitopsError as error:
        unavailable["store"] = (
            f"The store's branch cannot be reached, so holds and monitoring windows are unknown: {error.problem}"
        )
        return None
    return branch


def _environment(
    repository: "Repository", name: str, main: str, branch: "Branch | None",
    lifts: "Sequence[tuple[datetime, LiftedHold]]", now: datetime,
) -> dict[str, Any]:  # fmt: skip
    from gitops_ml.monitoring import monitoring_history
    from gitops_ml.registry import history, ledger, record, stored_monitoring
    from gitops_ml.registry.propose import load_proposed_record

    entries = record.load_history(repository.root, name, main)
    facts = [fact for fact in ledger.load_facts(branch.root) if fact.environment == name] if branch else []
    period = next(iter(history.serving_periods(entries, facts, lifts, now)), None)
    stored = (
        stored_monitoring.read_checkout(branch.root, name) if branch else stored_monitoring.StoredMonitoring((), {})
    )
    monitoring = monitoring_history.parse_history(stored.windows, stored.state, name)
    proposed = load_proposed_record(repository.root, name)
    current = period.desired if period else None
    is_monitored = monitoring.state.digest == current.record.digest if current else False
    records = [entry.record for entry in entries if entry.record]
    in_force = ledger.without_lifted_holds(facts, [end for _, end in lifts])
    return {
        "name": name,
        "serving": _serving(repository, current.record, current.entry.commit) if current else None,
        "image_bytes": _image_size(current.record.image) if current else None,
        "since": period.start.isoformat() if period else None,
        "verified": period.serving_since.isoformat() if period and period.serving_since else None,
        "why": _reason(current) if current else "the record was removed, or no version may serve" if period else "",
        "proposed": {"version": proposed.version, "release": proposed.release} if proposed else None,
        "holds": [_hold(fact, records) for fact in in_force if isinstance(fact, ledger.Held)],
        "windows": [{"until": each.until.isoformat(), "verdict": each.verdict, "rows": each.seen.rows,
                     "version": each.version} for each in monitoring.windows[-RECENT_WINDOWS:]],
        "judged": is_monitored and bool(monitoring.current_windows),
        "alarms": list(monitoring.state.alarms) if is_monitored else [],
    }  # fmt: skip


def _ended_line(repository: "Repository", main: str, branch: "Branch | None") -> dict[str, str] | None:
    """Return when and why the line of versions was ended; None if a version was promoted since, or none was ended."""
    from gitops_ml.registry import ledger, lines

    line = lines.load_line(repository.root, main, ledger.load_facts(branch.root) if branch else [])
    if line.ending is None or line.has_versions:
        return None
    return {"when": line.ending.when.isoformat(), "why": line.ending.line.why}


def _serving(repository: "Repository", served: "Record", commit: str) -> dict[str, Any]:
    """Return the facts of the served record, and the gates that were off at its promotion."""
    figure, names = served.figure, repository.config.deploy.environments
    is_process = served.environment in names and repository.config.target(served.environment).kind == "process"
    return {
        "version": served.version, "release": served.release, "digest": served.digest,
        "image": None if is_process else served.image,
        "commit": served.lineage.commit, "data": served.lineage.data, "rows": served.lineage.rows,
        "metric": figure.metric, "value": figure.value, "baseline": figure.baseline, "champion": figure.champion,
        "off": _gates_off(repository, commit),
    }  # fmt: skip


def _gates_off(repository: "Repository", commit: str) -> list[str] | None:
    """Return the gates that were off when the version was merged, or None if that model.toml is not readable."""
    from gitops_ml import git
    from gitops_ml.config import FILE, parse_config

    try:
        return list(parse_config(git.read_file(repository.root, commit, FILE) or "").gates.off)
    except ConfigError:
        return None


def _image_size(image: str | None) -> int | None:
    """Return the size of the image in bytes, or None if no container engine of this machine has it."""
    import json

    from gitops_ml.deploying.engine import find_engine

    if image is None:
        return None
    try:
        return int(json.loads(find_engine().call("image", "inspect", image))[0]["Size"])
    except ContainerError:
        return None


def _reason(state: "DesiredState") -> str:
    """Return why the version serves, as text."""
    if state.override:
        until = f"{state.override.until.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
        return f"override by {state.override.by} until {until}: {state.override.why}"
    if state.on_main and state.held:
        return f"version {state.on_main.version}, which main names, is held: {state.held.why}"
    if state.on_main and state.expired:
        return f"version {state.on_main.version}, which main names, was merged on evidence that had expired"
    return f"merged by {state.entry.who}, commit {state.entry.commit[:9]}"


def _hold(fact: "Held", records: "Sequence[Record]") -> dict[str, Any]:
    version = next((each.version for each in records if each.digest == fact.digest), None)
    return {"version": version, "digest": fact.digest, "why": fact.why, "by": fact.by, "at": fact.at.isoformat()}


def _github(repository: "Repository", now: datetime, unavailable: dict[str, str]) -> dict[str, Any] | None:
    from gitops_ml.forge.activity import fetch_activity
    from gitops_ml.forge.github import connect

    try:
        return fetch_activity(connect(repository.root), now)
    except ConfigError as error:
        unavailable["github"] = f"GitHub was not read. {error.problem}"
    except ForgeError as error:
        unavailable["github"] = f"GitHub could not be reached. {error.problem}"
    return None


def _size(
    repository: "Repository", store: "Store", branch: "Branch | None", unavailable: dict[str, str]
) -> dict[str, Any] | None:
    """Return the size of the versions and of the other files on the branch, without fetching the artefacts."""
    from gitops_ml.registry.store import BranchStore
    from gitops_ml.registry.versions import list_versions

    if branch is None:
        return None
    try:
        versions = list_versions(store, repository.config.project.name)
    except StoreError as error:
        unavailable["versions"] = f"The versions cannot be listed: {error.problem}"
        return None
    files = [file for file in branch.root.rglob("*") if file.is_file() and ".git" not in file.parts]
    other_bytes = sum(file.stat().st_size for file in files) if isinstance(store, BranchStore) else 0
    return {"versions": len(versions), "bytes": sum(each.bytes for each in versions) + other_bytes,
            "budget": repository.config.store.budget_mib * 2**20}  # fmt: skip
