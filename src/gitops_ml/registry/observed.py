"""What monitoring remembers, on the store's branch beside the ledger: windows, and where servers and alarms stand."""

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
class Observed:
    """What is remembered of one environment, as JSON has it.

    Attributes:
        windows: Oldest first.
        state: Empty before the first.
    """

    windows: Sequence[dict[str, Any]]
    state: dict[str, Any]


def read(branch: Branch, environment: str) -> Observed:
    """The newest of it.

    Raises:
        IntegrityError: A line is no JSON.
        StoreError: The branch cannot be reached.
    """
    branch.refresh()
    return there(branch.root, environment)


def change(
    branch: Branch, environment: str, message: str, what: Callable[[Observed], Observed | None]
) -> Observed | None:
    """Write what follows from the newest of it; None where that needs no writing.

    Args:
        branch: The store's.
        environment: Whose.
        message: Of the commit.
        what: Is asked anew whenever others wrote first.
    """

    def apply(folder: Path) -> Observed | None:
        after = what(there(folder, environment))
        if after is not None:
            _write(folder, environment, after)
        return after

    return branch.transact(message, apply)


def there(folder: Path, environment: str) -> Observed:
    """What the branch has where it was checked out; raises IntegrityError as `read` does."""
    windows, state = _files(folder, environment)
    try:
        lines = windows.read_text(encoding="utf-8").splitlines() if windows.exists() else []
        known = json.loads(state.read_text(encoding="utf-8")) if state.exists() else {}
        return Observed([json.loads(line) for line in lines], known)
    except ValueError as error:
        raise IntegrityError(
            f"{FOLDER}/{environment} on the store branch is not what was written there: {error}.",
            "Restore it from Git: `git log` of that branch.",
        ) from error


def _write(folder: Path, environment: str, observed: Observed) -> None:
    windows, state = _files(folder, environment)
    lines = (json.dumps(each, separators=(",", ":"), ensure_ascii=False) for each in observed.windows)
    write_atomically(windows, "".join(f"{line}\n" for line in lines))
    write_atomically(state, json.dumps(observed.state, indent=2, sort_keys=True, ensure_ascii=False) + "\n")


def _files(folder: Path, environment: str) -> tuple[Path, Path]:
    return folder / FOLDER / f"{environment}.jsonl", folder / FOLDER / f"{environment}.state.json"
