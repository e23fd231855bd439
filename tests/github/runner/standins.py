"""Stand-ins for third-party actions."""

from pathlib import Path
from typing import Any

import yaml

ACTIONS = Path(__file__).parents[1] / "actions"


def find_folder(uses: str) -> Path | None:
    """Return the folder of an action's stand-in; None if there is none."""
    name, _, ref = uses.partition("@")
    folder = ACTIONS / name
    return folder if ref and not name.startswith(".") and (folder / "action.yml").is_file() else None


def declared_inputs(uses: str) -> dict[str, Any]:
    """Return the inputs that a stand-in supports."""
    folder = find_folder(uses)
    declared: dict[str, Any] = yaml.safe_load((folder / "action.yml").read_text())["inputs"] if folder else {}
    return declared


def uses_job_token(uses: str) -> bool:
    """Return whether an action's `token` is the job's token by default."""
    return "github.token" in str(declared_inputs(uses).get("token", {}).get("default"))
