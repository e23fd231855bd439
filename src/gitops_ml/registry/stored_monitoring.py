"""Stored results of monitoring, on the store's branch beside the ledger: the windows, and the state of the alarms."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gitops_ml.errors import IntegrityError
from gitops_ml.manifest import write_atomically
from gitops_ml.registry.branch import Branch

FOLDER = "monitoring"


@dataclass(frozen=True)
class StoredMonitoring:
    """Stored monitoring of one environment, as parsed JSON.

    Attributes:
        windows: Evaluated windows, oldest first.
        state: State of servers and alarms; empty before the first window.
    """

    windows: Sequence[dict[str, Any]]
    state: dict[str, Any]


def load_monitoring(branch: Branch, environment: str) -> StoredMonitoring:
    """Fetch the branch and load the stored monitoring of an environment.

    Args:
        branch: The store's branch.
        environment: Name of the environment.

    Returns:
        The stored monitoring.

    Raises:
        IntegrityError: A line is not JSON.
        StoreError: The branch cannot be reached.
    """
    branch.refresh()
    return read_checkout(branch.root, environment)


def update_monitoring(
    branch: Branch,
    environment: str,
    message: str,
    change: Callable[[StoredMonitoring], StoredMonitoring | None],
) -> StoredMonitoring | None:
    """Compute new monitoring from the stored one and write it, in one transaction.

    Args:
        branch: The store's branch.
        environment: Name of the environment.
        message: Commit message.
        change: Function of the stored monitoring that returns the new one, or None to write nothing. It is called
            again when another push came first.

    Returns:
        What `change` returned.
    """

    def apply(folder: Path) -> StoredMonitoring | None:
        after = change(read_checkout(folder, environment))
        if after is not None:
            _write(folder, environment, after)
        return after

    return branch.transact(message, apply)


def read_checkout(folder: Path, environment: str) -> StoredMonitoring:
    """Return the stored monitoring of an environment from a checkout of the branch.

    Args:
        folder: Root folder of the checkout.
        environment: Name of the environment.

    Raises:
        IntegrityError: A line is not JSON.
    """
    windows, state = _files(folder, environment)
    try:
        lines = windows.read_text(encoding="utf-8").splitlines() if windows.exists() else []
        stored_state = json.loads(state.read_text(encoding="utf-8")) if state.exists() else {}
        return StoredMonitoring([json.loads(line) for line in lines], stored_state)
    except ValueError as error:
        raise IntegrityError(
            f"{FOLDER}/{environment} on the store branch is not valid JSON: {error}.",
            "Restore it from Git: `git log` of that branch.",
        ) from error


def _write(folder: Path, environment: str, monitoring: StoredMonitoring) -> None:
    windows, state = _files(folder, environment)
    lines = (json.dumps(window, separators=(",", ":"), ensure_ascii=False) for window in monitoring.windows)
    write_atomically(windows, "".join(f"{line}\n" for line in lines))
    write_atomically(state, json.dumps(monitoring.state, indent=2, sort_keys=True, ensure_ascii=False) + "\n")


def _files(folder: Path, environment: str) -> tuple[Path, Path]:
    return folder / FOLDER / f"{environment}.jsonl", folder / FOLDER / f"{environment}.state.json"
