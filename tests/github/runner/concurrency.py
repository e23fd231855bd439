"""Parse `concurrency:` of a workflow or a job."""

from collections.abc import Callable, Mapping
from typing import Any

from github.runner.expressions import evaluate, interpolate
from github.runner.groups import Ticket
from github.runner.workflow import InvalidWorkflow

KEYS = {"group", "cancel-in-progress", "queue"}


def make_ticket(
    declared: Any, contexts: Mapping[str, Any], granted: Callable[[], None], cancelled: Callable[[], None]
) -> Ticket:
    """Return a ticket for the declared concurrency group."""
    rule = declared if isinstance(declared, dict) else {"group": declared}
    if unknown := rule.keys() - KEYS:
        raise InvalidWorkflow(f"`concurrency` has no {', '.join(sorted(map(str, unknown)))}.")
    if not rule.get("group"):
        raise InvalidWorkflow("`concurrency` needs a `group`.")
    cancels_running, queue = _to_bool(rule.get("cancel-in-progress", False), contexts), rule.get("queue", "single")
    if queue not in ("single", "max") or (cancels_running and queue == "max"):
        raise InvalidWorkflow(f"`queue: {queue}` is unknown, or combined with `cancel-in-progress: true`.")
    group = interpolate(str(rule["group"]), contexts).casefold()
    return Ticket(group, cancels_running, queue == "max", granted, cancelled)


def _to_bool(value: Any, contexts: Mapping[str, Any]) -> bool:
    """Return a boolean that may be an expression."""
    return bool(evaluate(value, contexts)) if isinstance(value, str) else bool(value)
