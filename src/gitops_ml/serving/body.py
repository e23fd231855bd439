"""The body of a request as rows, from JSON, CSV, Parquet or an Arrow stream."""

import csv
from collections.abc import Callable, Mapping
from typing import Any

import pandas as pd

from gitops_ml.config import ServingConfig
from gitops_ml.rows import csv_table
from gitops_ml.rows.json_text import parse_json
from gitops_ml.serving.api_error import (
    MAX_NAMES,
    MAX_PROBLEMS,
    ApiError,
    RequestProblem,
    check_columns,
    check_row_count,
    schema_error,
    unknown_columns,
)
from gitops_ml.serving.json_size import check_size

JSON, CSV = "application/json", "text/csv"
PARQUET, ARROW = "application/vnd.apache.parquet", "application/vnd.apache.arrow.stream"
PACKED = frozenset({PARQUET, ARROW})  # a few bytes of them may be many rows


def check_content_type(content_type: str, encoding: str) -> str:
    """Return the content type without its parameters.

    Args:
        content_type: Value of the header Content-Type.
        encoding: Value of the header Content-Encoding.

    Raises:
        ApiError: 415, the content type or the encoding is not supported.
    """
    kind = content_type.partition(";")[0].strip().lower()
    if kind not in READERS:
        problem = f"The Content-Type {kind[:100]!r} is not supported" if kind else "The request has no Content-Type"
        raise ApiError(415, f"{problem}. Use one of {', '.join(READERS)}.")
    if encoding.strip().lower() not in {"", "identity"}:
        raise ApiError(415, f"The Content-Encoding {encoding[:100]!r} is not supported. Send the body uncompressed.")
    return kind


def read_body(content_type: str, body: bytes, columns: Mapping[str, str], limits: ServingConfig) -> pd.DataFrame:
    """Read the rows of a body.

    Args:
        content_type: One of READERS.
        body: Body of the request.
        columns: Columns of the model, with their dtypes.
        limits: Limits on rows and sizes.

    Returns:
        Rows with exactly the model's columns, in its order, with the dtypes that the body gives them.

    Raises:
        ApiError: 400, the body cannot be read; 413, it has too many rows, or is too large when unpacked; 422, a column
            is missing or unknown.
    """
    if not body:
        raise ApiError(400, "The body is empty.")
    frame = READERS[content_type](body, columns, limits)
    if frame.empty:
        raise ApiError(422, "There are no rows.", [RequestProblem(None, None, "needs at least one row")])
    return frame


def _read_json(body: bytes, columns: Mapping[str, str], limits: ServingConfig) -> pd.DataFrame:
    check_size(body, limits.max_rows, len(columns))
    try:
        content = parse_json(body)
    except ValueError as error:
        raise ApiError(400, f"The body is not valid JSON: {str(error)[:200]}.") from None
    if isinstance(content, dict) and content.keys() == {"rows"} and isinstance(content["rows"], list):
        return _from_rows(content["rows"], columns, limits)
    if isinstance(content, dict) and content.keys() == {"columns"} and isinstance(content["columns"], dict):
        return _from_columns(content["columns"], columns, limits)
    if isinstance(content, list):
        return _from_rows(content, columns, limits)
    if isinstance(content, dict) and not columns.keys().isdisjoint(content):
        return _from_rows([content], columns, limits)
    message = 'The body must be {"rows": [{...}, ...]}, that list alone, one row, or {"columns": {"name": [...], ...}}.'
    problem = RequestProblem(None, None, "needs `rows` (a list), a list of rows, one row, or `columns` (an object)")
    raise ApiError(422, message, [problem])


def _from_rows(records: list[Any], columns: Mapping[str, str], limits: ServingConfig) -> pd.DataFrame:
    check_row_count(len(records), limits.max_rows)
    problems: list[RequestProblem] = []
    for number, record in enumerate(records, 1):
        if not isinstance(record, dict):
            problems.append(RequestProblem(number, None, "a row must be an object"))
        elif record.keys() != columns.keys():
            problems += [RequestProblem(number, name, "column is missing") for name in columns if name not in record]
            problems += unknown_columns(record, columns, number)
        if len(problems) > MAX_PROBLEMS * 20:
            break  # the list of so many problems need not be complete
    if problems:
        keys = [record.keys() if isinstance(record, dict) else None for record in records]
        if keys[0] is not None and all(each == keys[0] for each in keys):
            check_columns(list(keys[0]), columns)  # a problem of every row is one of the request, as in a CSV
        raise schema_error(problems)
    return pd.DataFrame({name: _to_series([record[name] for record in records]) for name in columns})


def _from_columns(content: dict[str, Any], columns: Mapping[str, str], limits: ServingConfig) -> pd.DataFrame:
    check_columns(list(content), columns)
    problems = [
        RequestProblem(None, name, "a column must be a list") for name in columns if not isinstance(content[name], list)
    ]
    if problems:
        raise schema_error(problems)
    length = max(map(len, content.values()), default=0)
    check_row_count(length, limits.max_rows)
    problems = [RequestProblem(None, name, f"has {len(content[name])} values where another column has {length}")
                for name in columns if len(content[name]) != length]  # fmt: skip
    if problems:
        raise schema_error(problems)
    return pd.DataFrame({name: _to_series(content[name]) for name in columns})


def _to_series(values: list[Any]) -> "pd.Series[Any]":
    """Return the values unchanged; values of one type get its dtype."""
    types = {type(value) for value in values}
    if types == {float}:
        return pd.Series(values, dtype=float)
    if types == {str}:
        return pd.Series(values, dtype="str")
    return pd.Series(values, dtype=object)


def _read_csv(body: bytes, columns: Mapping[str, str], limits: ServingConfig) -> pd.DataFrame:
    try:
        header = csv_table.read_header(body, ",", len(columns) + MAX_NAMES)
        check_columns(header, columns)
        frame = next(csv_table.read_texts(body, ",", header, limits.max_rows + 1), None)
    except UnicodeDecodeError:
        raise ApiError(400, "The body is not UTF-8.") from None
    except csv_table.CsvError as error:
        raise ApiError(400, f"The body is not valid CSV: {error.problem}. {error.hint}") from None
    except csv.Error as error:
        raise ApiError(400, f"The body is not valid CSV: {str(error)[:200]}.") from None
    if frame is None:
        return pd.DataFrame()
    check_row_count(len(frame), limits.max_rows)
    return frame[list(columns)]


def _read_parquet(body: bytes, columns: Mapping[str, str], limits: ServingConfig) -> pd.DataFrame:
    from gitops_ml.serving import columnar

    return columnar.read_parquet(body, columns, limits)


def _read_arrow(body: bytes, columns: Mapping[str, str], limits: ServingConfig) -> pd.DataFrame:
    from gitops_ml.serving import columnar

    return columnar.read_arrow(body, columns, limits)


READERS: dict[str, Callable[[bytes, Mapping[str, str], ServingConfig], pd.DataFrame]] = {
    JSON: _read_json, CSV: _read_csv, PARQUET: _read_parquet, ARROW: _read_arrow,
}  # fmt: skip
