"""The truth about rows that were answered, as callers tell it later: taken whole, or not at all."""

import math
import sys
import time
from typing import Any

from gitops_ml.run import Run
from gitops_ml.serving import body
from gitops_ml.serving.desk import WELL_FORMED
from gitops_ml.serving.entries import Truths
from gitops_ml.serving.log import Log
from gitops_ml.serving.refusal import MOST, Problem, Refusal, check_count

FIELDS = ("request_id", "row", "outcome")
SHAPE = 'The body must be {"outcomes": [{"request_id": ..., "row": 0, "outcome": ...}, ...]}, and nothing beside it.'
NO_LOG = Refusal(409, "No prediction log is kept here, so outcomes have no place; name its `sink` under [log].")
# Larger numbers are not kept exactly by every reader of JSON.
LAST_ROW = 2**53


def read(kind: str, content: bytes, described: Run, most: int) -> Truths:
    """The outcomes of a body.

    Args:
        kind: Its content type.
        content: The body.
        described: The version; its classes are the outcomes there are.
        most: Outcomes at once.

    Raises:
        Refusal: It is none that is read here, or one of its outcomes cannot be one; each such is named.
    """
    if kind != body.JSON:
        raise Refusal(415, f"{kind!r} is not read here; {body.JSON} is.")
    items = _items(content)
    check_count(len(items), most)
    problems: list[Problem] = []
    for number, item in enumerate(items, 1):
        problems += [Problem(number, field, rule) for field, rule in _wrong(item, described)]
        if len(problems) > MOST * 20:
            break  # what is that wrong needs no complete list
    if problems:
        raise Refusal(422, f"The outcomes break {len(problems)} rule(s); none was taken.", problems)
    outcomes: Any = [str(item["outcome"]) if described.classes else float(item["outcome"]) for item in items]
    return Truths(time.time_ns(), [item["request_id"] for item in items], [item["row"] for item in items], outcomes)


def take(log: Log, truths: Truths) -> None:
    """Let outcomes wait to be written; raises Refusal where there is no room."""
    if not log.told(truths):
        seconds = str(math.ceil(log.settings.flush_seconds))
        raise Refusal(503, "Too much waits to be written; tell it again later.", headers={"Retry-After": seconds},
                      code="busy")  # fmt: skip


def room(log: Log, max_rows: int) -> int:
    """How many outcomes may come at once: more than may wait would never be taken."""
    return min(max_rows, log.settings.queue_rows)


def _items(content: bytes) -> list[Any]:
    from pydantic_core import from_json

    try:
        said = from_json(content, allow_inf_nan=False)
    except ValueError as error:
        raise Refusal(400, f"The body is not JSON: {str(error)[:200]}.") from None
    if not isinstance(said, dict) or said.keys() != {"outcomes"} or not isinstance(said["outcomes"], list):
        raise Refusal(422, SHAPE, [Problem(None, None, "needs `outcomes` (a list)")])
    if not said["outcomes"]:
        raise Refusal(422, "There are no outcomes.", [Problem(None, None, "needs at least one outcome")])
    return said["outcomes"]


def _wrong(item: Any, described: Run) -> list[tuple[str | None, str]]:
    """What an outcome breaks: the field, and the rule in words."""
    if not isinstance(item, dict) or item.keys() != set(FIELDS):
        return [(None, f"must have {', '.join(FIELDS)}, and nothing else")]
    request, row, outcome = (item[field] for field in FIELDS)
    wrong: list[tuple[str | None, str]] = []
    if not (isinstance(request, str) and WELL_FORMED.fullmatch(request.encode())):
        wrong.append(("request_id", "must be the id that /predict returned"))
    if not (isinstance(row, int) and not isinstance(row, bool) and 0 <= row < LAST_ROW):
        wrong.append(("row", "must be the number of a row in that request, from 0"))
    if not _possible(outcome, described):
        wrong.append(("outcome", _rule(described)))
    return wrong


def _possible(outcome: Any, described: Run) -> bool:
    if described.classes:
        return isinstance(outcome, str | int | bool) and str(outcome) in map(str, described.classes)
    largest = sys.float_info.max
    return isinstance(outcome, int | float) and not isinstance(outcome, bool) and -largest <= outcome <= largest


def _rule(described: Run) -> str:
    few = described.classes[:20]
    more = ", ..." if len(described.classes) > len(few) else ""
    return f"must be one of {', '.join(map(str, few))}{more}" if few else "must be a finite number"
