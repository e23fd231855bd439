"""Validation of a request's rows against your schema, without the target and the key column."""

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

import pandas as pd
import pandera.pandas as pa

from gitops_ml.coerce import dtype_kind, restore_types
from gitops_ml.config import ServingConfig
from gitops_ml.errors import ConfigError
from gitops_ml.run import Run
from gitops_ml.schema_check import MEANINGS, check_rows
from gitops_ml.serving import body, row_json_schema
from gitops_ml.serving.api_error import RequestProblem, schema_error

MAX_FAST_ROWS = 20
# Types that pandas infers for the values of a column, by the kind of the schema's dtype. Text is handled separately.
NUMBERS = {"integer", "floating", "mixed-integer-float", "empty"}
ACCEPTED_TYPES = {
    "f": NUMBERS, "i": NUMBERS, "u": NUMBERS, "b": {"boolean", "empty"},
    "M": {"string", "datetime64", "datetime", "date", "empty"},
}  # fmt: skip


class RowValidator:
    """Reads and validates the rows of requests to one version.

    Attributes:
        columns: Columns of the model in its order, with the names of their pandas dtypes.
        column_schemas: Each column as JSON schema.
    """

    def __init__(self, schema: pa.DataFrameSchema, metadata: Run, smoke_rows: pd.DataFrame) -> None:
        """Prepare the schema for serving.

        Args:
            schema: Your schema, with the target and the key.
            metadata: Metadata of the version.
            smoke_rows: Rows that the version predicted in training.

        Raises:
            ConfigError: The schema is not the one that the version was trained with.
        """
        self.columns = metadata.columns
        self._key = metadata.key
        removed = [name for name in schema.columns if name not in metadata.columns and not schema.columns[name].regex]
        unexpected = [name for name in removed if name not in {metadata.key, metadata.target}
                      and schema.columns[name].required]  # fmt: skip
        missing = [name for name in metadata.columns if name not in schema.columns] if schema.strict else []
        if unexpected or missing:
            raise ConfigError(
                f"schema.py has changed since the version was trained; these columns differ: "
                f"{', '.join(unexpected + missing)}.",
                "Check out the commit that the version was trained from (`gitops history` shows it).",
            )
        self._schema = schema.remove_columns(removed)
        self._schema.checks = [check for check in schema.checks if _runs_without_target(check, smoke_rows)]
        schemas = {name: row_json_schema.column_schema(column) for name, column in self._schema.columns.items()}
        self.column_schemas = {name: schemas.get(name, ({}, False))[0] for name in metadata.columns}
        same_columns = set(metadata.columns) == set(self._schema.columns)
        has_row_rules = bool(self._schema.checks or self._schema.parsers)
        self._is_simple = same_columns and not has_row_rules and all(complete for _, complete in schemas.values())

    def read_rows(self, content_type: str, content: bytes, limits: ServingConfig) -> pd.DataFrame:
        """Return the rows of a body, with the dtypes that the model was trained on.

        Args:
            content_type: Content type of the body.
            content: Body of the request.
            limits: Limits on rows and sizes.

        Raises:
            ApiError: The body cannot be read, is too large, or breaks a rule; each broken rule is named.
        """
        frame = body.read_body(content_type, content, self.columns, limits)
        if not self._is_valid_fast(frame):
            frame = self._validate(frame, strict=content_type != body.CSV)
        frame = frame[list(self.columns)]
        to_cast = {name: dtype for name, dtype in self.columns.items() if str(frame.dtypes[name]) != dtype}
        return frame.astype(to_cast) if to_cast else frame

    def _is_valid_fast(self, frame: pd.DataFrame) -> bool:
        """Return True if a few rows are valid without a doubt; pandera takes milliseconds even for one row."""
        if not self._is_simple or len(frame) > MAX_FAST_ROWS:
            return False
        return all(
            row_json_schema.is_valid(value, schema)
            for name, schema in self.column_schemas.items()
            for value in frame[name].tolist()
        )

    def _validate(self, frame: pd.DataFrame, *, strict: bool) -> pd.DataFrame:
        problems: dict[tuple[int | None, str | None], RequestProblem] = {}

        def add(rows: Iterable[Any], column: str, rule: str) -> None:
            for row in rows:
                problems.setdefault((row, column), RequestProblem(row, column, rule))

        frame = frame.set_axis(range(1, len(frame) + 1))
        for name, column in self._schema.columns.items():
            if name not in frame:
                continue
            wrong = _rows_of_wrong_type(frame[name], column) if strict else frame.index[:0]
            if len(wrong):
                add(wrong, name, "must be text" if _is_text(column) else f"must be {column.dtype}")
                frame[name] = frame[name].astype(object).mask(frame.index.isin(wrong), None)
            is_naive_date = dtype_kind(column) == "M" and getattr(column.dtype.type, "tz", None) is None
            if is_naive_date and not pd.api.types.is_datetime64_any_dtype(frame[name]):
                dates = frame[name].map(_parse_date)
                add(frame.index[dates.isna() & frame[name].notna()], name, "must be a date in ISO 8601")
                frame[name] = pd.to_datetime(dates)
            if not column.nullable:
                add(frame.index[frame[name].isna()], name, MEANINGS["not_nullable"])
        typed, violations = check_rows(self._schema, self._key, frame)
        for violation in violations:
            subject = violation.column if violation.column in frame else None
            rule = MEANINGS.get(violation.rule, violation.rule)
            add([int(row) for row in violation.values.index] or [None], subject or "", rule)
        if problems:
            raise schema_error(_sort_problems(list(problems.values())))
        return restore_types(self._schema, typed)


def _sort_problems(problems: list[RequestProblem]) -> list[RequestProblem]:
    """Sort problems by row, those about the whole request first; a rule about whole rows has no column."""
    named = [RequestProblem(problem.row, problem.column or None, problem.rule) for problem in problems]
    return sorted(named, key=lambda problem: (problem.row or 0, problem.column or ""))


def _rows_of_wrong_type(values: pd.Series, column: pa.Column) -> pd.Index:
    """Return the rows whose value has another type than the schema's: text instead of a number, or the reverse."""
    kind = dtype_kind(column)
    accepted = ACCEPTED_TYPES.get(kind) or ({"string", "empty"} if _is_text(column) else set())
    if not accepted or pd.api.types.infer_dtype(values, skipna=True) in accepted:
        return values.index[:0]
    present = values[values.notna()]
    if kind == "M":
        return present.index[present.map(lambda value: isinstance(value, int | float | bool))]
    return present.index[~present.map(_type_test(kind)).astype(bool)]


def _parse_date(value: Any) -> Any:
    """Return a pandas timestamp if the value is a date without a time zone, else NaT.

    Each value is parsed alone, because pandas would guess the format from the first row.
    """
    try:
        date = pd.Timestamp(datetime.fromisoformat(value) if isinstance(value, str) else value).as_unit("ns")
        return date if date.tz is None else pd.NaT
    except (ValueError, TypeError, AttributeError, OverflowError):
        return pd.NaT


def _is_text(column: pa.Column) -> bool:
    return "str" in str(column.dtype)


def _type_test(kind: str) -> Callable[[Any], bool]:
    if kind in "iuf":
        return lambda value: isinstance(value, int | float) and not isinstance(value, bool)
    if kind == "b":
        return lambda value: isinstance(value, bool) or (isinstance(value, int | float) and value in (0, 1))
    return lambda value: isinstance(value, str)


def _runs_without_target(check: Any, smoke_rows: pd.DataFrame) -> bool:
    """Return whether a check of whole rows works without the target and the key."""
    try:
        check(smoke_rows)
    except KeyError:
        return False
    return True
