"""The body of a request as rows, from JSON, CSV, Parquet or an Arrow stream."""

import csv
import io
import warnings
from collections.abc import Callable, Mapping
from typing import Any

import pandas as pd

from gitops_ml.config import Serving
from gitops_ml.serving.refusal import (
    MOST,
    Problem,
    Refusal,
    broken_rows,
    check_columns,
    check_count,
    unknown_column,
)

JSON, CSV = "application/json", "text/csv"
PARQUET, ARROW = "application/vnd.apache.parquet", "application/vnd.apache.arrow.stream"


def text_columns(columns: Mapping[str, str]) -> dict[str, str]:
    """What is read from CSV as text whatever it looks like, so that "007" keeps its zeros."""
    return {name: "str" for name, kind in columns.items() if kind in {"str", "string", "object"}}


def check_kind(content_type: str, encoding: str) -> str:
    """The bare content type.

    Raises:
        Refusal: 415; it is none that is read here.
    """
    kind = content_type.partition(";")[0].strip().lower()
    if kind not in READERS:
        said = f"{kind[:100]!r} is not read here" if kind else "The request names no Content-Type"
        raise Refusal(415, f"{said}; one of {', '.join(READERS)} is.")
    if encoding.strip().lower() not in {"", "identity"}:
        raise Refusal(415, f"Content-Encoding {encoding[:100]!r} is not read here; send the body as it is.")
    return kind


def read(kind: str, body: bytes, columns: Mapping[str, str], limits: Serving) -> pd.DataFrame:
    """Rows with exactly the model's columns, in its order, with whatever types the body gives them.

    Args:
        kind: One of READERS.
        body: Of the request.
        columns: Of the model, with their types.
        limits: On rows and sizes.

    Raises:
        Refusal: 400, it cannot be read; 413, too many rows, or too large once unpacked; 422, a column is missing or
            unknown.
    """
    if not body:
        raise Refusal(400, "The body is empty.")
    frame = READERS[kind](body, columns, limits)
    if frame.empty:
        raise Refusal(422, "There are no rows.", [Problem(None, None, "needs at least one row")])
    return frame


def _json(body: bytes, columns: Mapping[str, str], limits: Serving) -> pd.DataFrame:
    from pydantic_core import from_json

    try:
        content = from_json(body, allow_inf_nan=False)
    except ValueError as error:
        raise Refusal(400, f"The body is not JSON: {str(error)[:200]}.") from None
    if isinstance(content, dict) and content.keys() == {"rows"} and isinstance(content["rows"], list):
        return _of_rows(content["rows"], columns, limits)
    if isinstance(content, dict) and content.keys() == {"columns"} and isinstance(content["columns"], dict):
        return _of_columns(content["columns"], columns, limits)
    what = 'The body must be {"rows": [{...}, ...]} or {"columns": {"name": [...], ...}}, and nothing beside it.'
    raise Refusal(422, what, [Problem(None, None, "needs either `rows` (a list) or `columns` (an object)")])


def _of_rows(records: list[Any], columns: Mapping[str, str], limits: Serving) -> pd.DataFrame:
    check_count(len(records), limits.max_rows)
    problems: list[Problem] = []
    for number, record in enumerate(records, 1):
        if not isinstance(record, dict):
            problems.append(Problem(number, None, "a row must be an object"))
        elif record.keys() != columns.keys():
            problems += [Problem(number, name, "column is missing") for name in columns if name not in record]
            strangers = [unknown_column(name, list(columns)) for name in list(record)[:1000] if name not in columns]
            problems += [Problem(number, stranger.column, stranger.rule) for stranger in strangers]
        if len(problems) > MOST * 20:
            break  # what is that wrong needs no complete list
    if problems:
        raise broken_rows(problems)
    return pd.DataFrame({name: _plain([record[name] for record in records]) for name in columns})


def _of_columns(content: dict[str, Any], columns: Mapping[str, str], limits: Serving) -> pd.DataFrame:
    check_columns(list(content), columns)
    problems = [
        Problem(None, name, "a column must be a list") for name in columns if not isinstance(content[name], list)
    ]
    if problems:
        raise broken_rows(problems)
    length = max(map(len, content.values()), default=0)
    check_count(length, limits.max_rows)
    problems = [Problem(None, name, f"has {len(content[name])} values where another column has {length}")
                for name in columns if len(content[name]) != length]  # fmt: skip
    if problems:
        raise broken_rows(problems)
    return pd.DataFrame({name: _plain(content[name]) for name in columns})


def _plain(values: list[Any]) -> "pd.Series[Any]":
    """Values as they are; the usual case, all of one kind, with that kind's type."""
    kinds = {type(value) for value in values}
    if kinds == {float}:
        return pd.Series(values, dtype=float)
    if kinds == {str}:
        return pd.Series(values, dtype="str")
    return pd.Series(values, dtype=object)


def _csv(body: bytes, columns: Mapping[str, str], limits: Serving) -> pd.DataFrame:
    try:
        text = body.decode("utf-8-sig")
        header = next(csv.reader(io.StringIO(text, newline="")), [])
        check_columns(header, columns)
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)
            frame = pd.read_csv(
                io.StringIO(text),
                dtype=text_columns(columns),
                index_col=False,
                low_memory=False,
                nrows=limits.max_rows + 1,
            )
    except UnicodeDecodeError:
        raise Refusal(400, "The body is not UTF-8.") from None
    except (pd.errors.ParserError, pd.errors.ParserWarning, csv.Error, ValueError) as error:
        what = str(error).strip().removeprefix("Error tokenizing data. C error: ")
        raise Refusal(400, f"The body is not CSV: {what[:200]}.") from None
    check_count(len(frame), limits.max_rows)
    return frame[list(columns)]


def _parquet(body: bytes, columns: Mapping[str, str], limits: Serving) -> pd.DataFrame:
    from gitops_ml.serving import columnar

    return columnar.parquet(body, columns, limits)


def _arrow(body: bytes, columns: Mapping[str, str], limits: Serving) -> pd.DataFrame:
    from gitops_ml.serving import columnar

    return columnar.arrow(body, columns, limits)


READERS: dict[str, Callable[[bytes, Mapping[str, str], Serving], pd.DataFrame]] = {
    JSON: _json, CSV: _csv, PARQUET: _parquet, ARROW: _arrow,
}  # fmt: skip
