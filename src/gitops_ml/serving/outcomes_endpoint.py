"""The endpoint for outcomes: the true values of predicted rows; a request is accepted whole or not at all."""

import math
import time
from typing import Any

from gitops_ml.rows.cell_rules import CellRules
from gitops_ml.rows.column_kind import WRONG, ColumnKind
from gitops_ml.rows.column_kinds import DEFAULT, kind_of
from gitops_ml.rows.json_text import parse_json
from gitops_ml.run import Run
from gitops_ml.serving import body
from gitops_ml.serving.api_error import MAX_PROBLEMS, ApiError, RequestProblem, check_row_count
from gitops_ml.serving.json_size import check_size
from gitops_ml.serving.log_entries import OutcomeEntry
from gitops_ml.serving.log_recorder import LogRecorder
from gitops_ml.serving.middleware import VALID_ID

FIELDS = ("request_id", "row", "outcome")
FORMAT = 'The body must be {"outcomes": [{"request_id": ..., "row": 0, "outcome": ...}, ...]}, without other keys.'
NO_LOG = ApiError(
    409, "Outcomes cannot be stored, because this server keeps no prediction log. Set `sink` under [log] in model.toml."
)
# Some JSON parsers do not keep larger numbers exactly.
MAX_ROW_NUMBER = 2**53
MAX_COUNTED = MAX_PROBLEMS * 20  # problems that are counted; the response lists fewer


def parse_outcomes(
    content_type: str, content: bytes, metadata: Run, max_outcomes: int, rules: CellRules = DEFAULT
) -> OutcomeEntry:
    """Parse the outcomes of a body.

    Args:
        content_type: Content type of the body.
        content: Body of the request.
        metadata: Run that trained the version: its classes are the allowed outcomes; without classes, every finite
            number is allowed.
        max_outcomes: Largest number of outcomes in one request.
        rules: Declarations of model.toml about cells.

    Returns:
        The outcomes.

    Raises:
        ApiError: The body cannot be read, or an outcome is invalid; the first invalid outcomes are named.
    """
    if content_type != body.JSON:
        raise ApiError(415, f"The Content-Type {content_type!r} is not supported here. Use {body.JSON}.")
    check_size(content, max_outcomes, len(FIELDS))
    items = _parse_items(content)
    check_row_count(len(items), max_outcomes)
    problems: list[RequestProblem] = []
    kind = _label_kind(metadata, rules)
    for position, item in enumerate(items, 1):  # from 1, as in the problems of other requests; `row` is from 0
        problems += [RequestProblem(position, field, rule) for field, rule in _broken_rules(item, metadata, kind)]
        if len(problems) > MAX_COUNTED:
            break
    if problems:
        count = f"more than {MAX_COUNTED}" if len(problems) > MAX_COUNTED else str(len(problems))
        raise ApiError(422, f"The outcomes break {count} rule(s); no outcome was accepted.", problems)
    values = [kind.parse_value(item["outcome"], is_json=True) for item in items]
    outcomes: Any = [str(value) if metadata.classes else float(value) for value in values]
    requests = [item["request_id"] for item in items]
    return OutcomeEntry(time.time_ns(), requests, [item["row"] for item in items], outcomes)


def record_outcomes(log: LogRecorder, outcomes: OutcomeEntry) -> None:
    """Queue outcomes to be written.

    Args:
        log: Prediction log.
        outcomes: Outcomes of one request.

    Raises:
        ApiError: 503, the queue is full.
    """
    if not log.record_outcomes(outcomes):
        seconds = str(math.ceil(log.settings.flush_seconds))
        message = f"The queue of the prediction log is full. Send the outcomes again after {seconds} s."
        raise ApiError(503, message, headers={"Retry-After": seconds}, code="busy")


def find_max_outcomes(log: LogRecorder, max_rows: int) -> int:
    """Return the largest number of outcomes in one request: more than the queue holds would never be accepted.

    Args:
        log: Prediction log.
        max_rows: Largest number of rows in one request to /predict.
    """
    return min(max_rows, log.settings.queue_rows)


def _parse_items(content: bytes) -> list[Any]:
    try:
        document = parse_json(content)
    except ValueError as error:
        raise ApiError(400, f"The body is not valid JSON: {str(error)[:200]}.") from None
    if not isinstance(document, dict) or document.keys() != {"outcomes"} or not isinstance(document["outcomes"], list):
        raise ApiError(422, FORMAT, [RequestProblem(None, None, "needs `outcomes` (a list)")])
    if not document["outcomes"]:
        raise ApiError(422, "There are no outcomes.", [RequestProblem(None, None, "needs at least one outcome")])
    return document["outcomes"]


def _label_kind(metadata: Run, rules: CellRules) -> ColumnKind:
    """Return the kind of the target, so that an outcome is read as a cell of the data is."""
    label = next(iter(metadata.classes), 0.0)
    return kind_of("str" if isinstance(label, str) else type(label).__name__, rules)


def _broken_rules(item: Any, metadata: Run, kind: ColumnKind) -> list[tuple[str | None, str]]:
    """Return the rules that an outcome breaks: the field and the text of each rule."""
    if not isinstance(item, dict) or item.keys() != set(FIELDS):
        return [(None, f"must have {', '.join(FIELDS)}, and nothing else")]
    request, row, outcome = (item[field] for field in FIELDS)
    rules: list[tuple[str | None, str]] = []
    if not (isinstance(request, str) and VALID_ID.fullmatch(request.encode())):
        rules.append(("request_id", "must be the id that /predict returned"))
    if not (isinstance(row, int) and not isinstance(row, bool) and 0 <= row < MAX_ROW_NUMBER):
        rules.append(("row", "must be the number of a row in the request to /predict; the first row is 0"))
    if not _is_possible(outcome, metadata, kind):
        rules.append(("outcome", _outcome_rule(metadata)))
    return rules


def _is_possible(outcome: Any, metadata: Run, kind: ColumnKind) -> bool:
    value = kind.parse_value(outcome, is_json=True)
    if value is None or value is WRONG:
        return False
    return value in metadata.classes if metadata.classes else math.isfinite(value)


def _outcome_rule(metadata: Run) -> str:
    shown = metadata.classes[:20]
    more = ", ..." if len(metadata.classes) > len(shown) else ""
    return f"must be one of {', '.join(map(str, shown))}{more}" if shown else "must be a finite number"
