"""Error responses of the HTTP API: all have the same JSON format."""

import difflib
import itertools
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

MAX_PROBLEMS = 50  # problems in a response; more would not help to correct the request
# Names of columns come from the request: limits keep the response and the search for similar names small.
MAX_NAME_LENGTH = 100  # characters of an unknown column's name
MAX_NAMES = 1000  # unknown names of columns that are counted
MAX_SUGGESTIONS = 20  # unknown names that are compared with all of the model's
CODES = {
    400: "unreadable", 401: "unauthorized", 403: "forbidden", 404: "not_found", 405: "method_not_allowed",
    408: "too_slow", 409: "no_log", 413: "too_large", 415: "unknown_content_type", 422: "rows_refused", 500: "bug",
    503: "not_ready", 504: "too_slow",
}  # fmt: skip


@dataclass(frozen=True)
class RequestProblem:
    """One violation of the schema, or of another rule for requests.

    Attributes:
        row: Row number, counted from 1; None if the rule is about the column or the whole request.
        column: Name of the column; None if the rule is about the row or the whole request.
        rule: Text of the rule. It never contains the value, which may be confidential.
    """

    row: int | None
    column: str | None
    rule: str


class ApiError(Exception):
    """An error response to a request.

    Attributes:
        status: HTTP status of the response.
        message: Message in one sentence.
        problems: All violations; the response lists the first fifty.
        headers: Headers of the response.
        code: Error code for programs; by default the code of the status.
    """

    def __init__(
        self, status: int, message: str, problems: Sequence[RequestProblem] = (),
        headers: dict[str, str] | None = None, code: str | None = None,
    ) -> None:  # fmt: skip
        super().__init__(message)
        self.status, self.message, self.problems, self.headers = status, message, problems, headers or {}
        self.code = code or CODES.get(self.status, "refused")

    def to_json(self, request_id: str) -> dict[str, Any]:
        """Return the body of the response.

        Args:
            request_id: Id of the request.
        """
        shown = [asdict(problem) for problem in self.problems[:MAX_PROBLEMS]]
        more = len(self.problems) - len(shown)
        error = {"code": self.code, "message": self.message, "problems": shown, "more": more, "request_id": request_id}
        return {"error": error}


def schema_error(problems: Sequence[RequestProblem], *, complete: bool = True) -> ApiError:
    """Return the error for a request that violates the schema, with status 422.

    Args:
        problems: Violations.
        complete: False if the search for violations ended before the last row, because there are many.
    """
    limit = f"; the first {MAX_PROBLEMS} are listed" if len(problems) > MAX_PROBLEMS else ""
    count = f"{'' if complete else 'at least '}{len(problems)} problem(s)"
    return ApiError(422, f"The request violates the schema: {count}{limit}.", problems)


def unknown_columns(names: Iterable[str], columns: Mapping[str, str], row: int | None = None) -> list[RequestProblem]:
    """Return a problem for each name that the model does not have; the first suggest the most similar column.

    Args:
        names: Names in the request; only the first of them are looked at.
        columns: Columns of the model, with their dtypes.
        row: Row number; None for the whole request.
    """
    lower = {column.lower(): column for column in columns}
    problems: list[RequestProblem] = []
    for name in itertools.islice(names, MAX_NAMES + len(columns)):
        if name in columns:
            continue
        # A suggestion takes a thousand times as long as the rest, and only the first problems are listed.
        few = len(problems) < MAX_SUGGESTIONS
        similar = difflib.get_close_matches(name[:MAX_NAME_LENGTH].lower(), lower, n=1) if few else []
        hint = f"; perhaps you meant {lower[similar[0]]!r}" if similar else ""
        problems.append(RequestProblem(row, name[:MAX_NAME_LENGTH], f"column is not one of the model's{hint}"))
    return problems


def check_columns(names: Sequence[str], columns: Mapping[str, str]) -> None:
    """Check that the request has each column of the model once, and no other column.

    Args:
        names: Names in the request.
        columns: Columns of the model, with their dtypes.

    Raises:
        ApiError: 422, a column is missing, unknown or repeated.
    """
    counts = Counter(names)
    problems = [RequestProblem(None, name, "column is missing") for name in columns if not counts[name]]
    problems += unknown_columns(names, columns)
    problems += [RequestProblem(None, name, "column is repeated") for name in columns if counts[name] > 1]
    if problems:
        raise schema_error(problems)


def check_row_count(rows: int, max_rows: int) -> None:
    """Check that a request does not have too many rows.

    Args:
        rows: Number of rows in the request.
        max_rows: Largest allowed number.

    Raises:
        ApiError: 413, there are too many rows.
    """
    if rows > max_rows:
        raise ApiError(413, f"The request has more rows than the limit of {max_rows}. Split it into smaller requests.")
