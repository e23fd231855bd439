"""Reading `concurrency:` of a workflow or a job."""

from collections.abc import Callable, Mapping
from typing import Any

from github.runner.expressions import evaluate, interpolate
from github.runner.groups import Ticket
from github.runner.workflow import Invalid

KEYS = {"group", "cancel-in-progress", "queue"}


def ticket(
    declared: Any, contexts: Mapping[str, Any], granted: Callable[[], None], cancelled: Callable[[], None]
) -> Ticket:
    """What asks for the group that is declared."""
    rule = declared if isinstance(declared, dict) else {"group": declared}
    if unknown := rule.keys() - KEYS:
        raise Invalid(f"`concurrency` has no {', '.join(sorted(map(str, unknown)))}.")
    if not rule.get("group"):
        raise Invalid("`concurrency` needs a `group`.")
    cancels, queue = _true(rule.get("cancel-in-progress", False), contexts), rule.get("queue", "single")
    if queue not in ("single", "max") or (cancels and queue == "max"):
        raise Invalid(f"`queue: {queue}` is unknown, or stands beside `cancel-in-progress: true`.")
    group = interpolate(str(rule["group"]), contexts).casefold()
    return Ticket(group, cancels, queue == "max", granted, cancelled)


def _true(value: Any, contexts: Mapping[str, Any]) -> bool:
    """A boolean that may be an expression."""
    return bool(evaluate(value, contexts)) if isinstance(value, str) else bool(value)
