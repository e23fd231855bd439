"""Why a request gets no prediction, in one shape for every reason."""

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

MOST = 50
CODES = {
    400: "unreadable", 401: "unauthorized", 403: "forbidden", 404: "not_found", 405: "method_not_allowed",
    408: "too_slow", 409: "no_log", 413: "too_large", 415: "unknown_content_type", 422: "rows_refused", 500: "bug",
    503: "not_ready", 504: "too_slow",
}  # fmt: skip


@dataclass(frozen=True)
class Problem:
    """One rule that a request breaks.

    Attributes:
        row: Counted from 1; None where the rule is about the column or the whole request.
        column: None where the rule is about the row or the whole request.
        rule: What must be, in words; never the value, which may be nobody's business.
    """

    row: int | None
    column: str | None
    rule: str


class Refusal(Exception):
    """The request cannot be answered.

    Attributes:
        status: Of the answer.
        message: One sentence.
        problems: Every broken rule; the answer names the first fifty.
        headers: That go with the status.
        code: A word for programs; the status has one of its own unless another is named.
    """

    def __init__(
        self, status: int, message: str, problems: Sequence[Problem] = (), headers: dict[str, str] | None = None,
        code: str | None = None,
    ) -> None:  # fmt: skip
        super().__init__(message)
        self.status, self.message, self.problems, self.headers = status, message, problems, headers or {}
        self.code = code or CODES.get(self.status, "refused")

    def content(self, request_id: str) -> dict[str, Any]:
        """The body of the answer."""
        shown = [asdict(problem) for problem in self.problems[:MOST]]
        more = len(self.problems) - len(shown)
        error = {"code": self.code, "message": self.message, "problems": shown, "more": more, "request_id": request_id}
        return {"error": error}


def broken_rows(problems: Sequence[Problem]) -> Refusal:
    """422: the rows break the schema."""
    few = f"; the first {MOST} are listed" if len(problems) > MOST else ""
    return Refusal(422, f"The rows break {len(problems)} rule(s) of the schema{few}.", problems)


def unknown_column(name: str, known: Sequence[str]) -> Problem:
    """A column that the model does not have, with the one that was perhaps meant."""
    lower = {column.lower(): column for column in known}
    near = difflib.get_close_matches(name[:100].lower(), lower, n=1)
    hint = f"; perhaps you meant {lower[near[0]]!r}" if near else ""
    return Problem(None, name[:100], f"column is not one of the model's{hint}")


def check_columns(names: Sequence[str], columns: Mapping[str, str]) -> None:
    """Every column of the model, once, and no other; raises Refusal."""
    problems = [Problem(None, name, "column is missing") for name in columns if name not in names]
    problems += [unknown_column(name, list(columns)) for name in names[:1000] if name not in columns]
    problems += [Problem(None, name, "column stands there more than once")
                 for name in columns if names.count(name) > 1]  # fmt: skip
    if problems:
        raise broken_rows(problems)


def check_count(rows: int, most: int) -> None:
    """Not more rows than are allowed; raises Refusal."""
    if rows > most:
        raise Refusal(413, f"The request has more than the {most} rows that are allowed; send it in parts.")
