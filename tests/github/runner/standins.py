"""What stands in for third-party actions."""

from pathlib import Path
from typing import Any

import yaml

ACTIONS = Path(__file__).parents[1] / "actions"


def folder(uses: str) -> Path | None:
    """The folder of an action's stand-in; None where there is none."""
    name, _, ref = uses.partition("@")
    found = ACTIONS / name
    return found if ref and not name.startswith(".") and (found / "action.yml").is_file() else None


def inputs(uses: str) -> dict[str, Any]:
    """The inputs that a stand-in honours."""
    found = folder(uses)
    declared: dict[str, Any] = yaml.safe_load((found / "action.yml").read_text())["inputs"] if found else {}
    return declared


def takes_token(uses: str) -> bool:
    """Whether an action's `token` is the job's own unless told otherwise."""
    return "github.token" in str(inputs(uses).get("token", {}).get("default"))
