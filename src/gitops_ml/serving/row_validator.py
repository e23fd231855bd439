"""Validation of a request's rows against your schema, without the target and the key column."""

from collections.abc import Mapping
from typing import Any

import pandas as pd
import pandera.pandas as pa

from gitops_ml.config import ServingConfig
from gitops_ml.errors import ConfigError
from gitops_ml.rows.cell_rules import CellRules
from gitops_ml.rows.coerce import restore_types
from gitops_ml.rows.column_kinds import DEFAULT, expand_columns, kind_of, parse_rows
from gitops_ml.rows.schema_check import MEANINGS, RuleViolation, check_at_once, check_typed_rows
from gitops_ml.run import Run
from gitops_ml.serving import body, row_json_schema
from gitops_ml.serving.api_error import MAX_PROBLEMS, RequestProblem, schema_error
from gitops_ml.serving.workers import check_caller

MAX_FAST_ROWS = 20
# Rows that are searched for problems at a time, so that a request with a problem in each cell needs little memory.
MIN_CHUNK, MAX_CHUNK, CHUNK_CELLS = 100, 1000, 200_000


class RowValidator:
    """Reads and validates the rows of requests to one version.

    Attributes:
        columns: Columns of the model in its order, with the names of their pandas dtypes.
        column_schemas: Each column as JSON schema.
    """

    def __init__(
        self, schema: pa.DataFrameSchema, metadata: Run, smoke_rows: pd.DataFrame, rules: CellRules = DEFAULT
    ) -> None:
        """Prepare the schema for serving.

        Args:
            schema: Your schema, with the target and the key.
            metadata: Metadata of the version.
            smoke_rows: Rows that the version predicted in training.
            rules: Declarations of model.toml about cells.

        Raises:
            ConfigError: The schema is not the one that the version was trained with.
        """
        self.columns = metadata.columns
        self._key = metadata.key
        removed = [name for name in schema.columns if name not in metadata.columns and not schema.columns[name].regex]
        unexpected = [name for name in removed if name not in {metadata.key, metadata.target, *metadata.known_later}
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
        declared = expand_columns(self._schema, metadata.columns)
        self._kinds = {
            name: kind_of(declared[name].dtype if name in declared else dtype, rules, name)
            for name, dtype in metadata.columns.items()
        }
        schemas = {name: row_json_schema.column_schema(column, self._kinds[name]) for name, column in declared.items()}
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
        is_json = content_type == body.JSON
        if not (is_json and self._is_valid_fast(frame)):
            frame = self._read_cells(frame, is_json=is_json)
        frame = frame[list(self.columns)]
        present = frame.dtypes.to_dict()  # once, because pandas computes it again for each column
        to_cast = {name: dtype for name, dtype in self.columns.items() if str(present[name]) != dtype}
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

    def _read_cells(self, frame: pd.DataFrame, *, is_json: bool) -> pd.DataFrame:
        frame = frame.set_axis(range(1, len(frame) + 1))
        typed, wrong = parse_rows(self._kinds, frame, is_json=is_json)
        if not wrong and self._is_valid_fast(typed):
            return typed
        chunk = max(MIN_CHUNK, min(MAX_CHUNK, CHUNK_CELLS // max(len(self.columns), 1)))
        if len(frame) > chunk:
            checked = None if wrong else check_at_once(self._schema, self._key, typed)
            if checked is not None:
                return restore_types(self._schema, checked)
            self._refuse_first_problems(frame, typed, wrong, chunk)
        checked, violations = check_typed_rows(self._schema, self._key, frame, self._kinds, typed, wrong)
        problems = _list_problems(frame, violations)
        if problems:
            raise schema_error(_sort_problems(problems))
        return restore_types(self._schema, checked)

    def _refuse_first_problems(
        self, frame: pd.DataFrame, typed: pd.DataFrame, wrong: "Mapping[str, pd.Series[Any]]", chunk: int
    ) -> None:
        """Raise for the problems of the first rows that have many: to list millions takes minutes, and gigabytes."""
        problems: list[RequestProblem] = []
        for start in range(0, len(frame), chunk):
            check_caller()
            part = slice(start, start + chunk)
            masks = {name: mask.iloc[part] for name, mask in wrong.items() if mask.iloc[part].any()}
            _, violations = check_typed_rows(
                self._schema, self._key, frame.iloc[part], self._kinds, typed.iloc[part], masks
            )
            problems += _list_problems(frame, violations)
            if len(problems) > MAX_PROBLEMS:
                raise schema_error(_sort_problems(problems), complete=start + chunk >= len(frame))
        if problems:
            raise schema_error(_sort_problems(problems))


def _list_problems(frame: pd.DataFrame, violations: list[RuleViolation]) -> list[RequestProblem]:
    """Return the problem of each row and column; of several rules that a cell breaks, the first."""
    problems: dict[tuple[int | None, str | None], RequestProblem] = {}
    for violation in violations:
        subject = violation.column if violation.column in frame else ""
        rule = MEANINGS.get(violation.rule, violation.rule)
        rows: list[int | None] = [int(row) for row in violation.values.index]
        for row in rows or [None]:
            problems.setdefault((row, subject), RequestProblem(row, subject, rule))
    return list(problems.values())


def _sort_problems(problems: list[RequestProblem]) -> list[RequestProblem]:
    """Sort problems by row, those about the whole request first; a rule about whole rows has no column."""
    named = [RequestProblem(problem.row, problem.column or None, problem.rule) for problem in problems]
    return sorted(named, key=lambda problem: (problem.row or 0, problem.column or ""))


def _runs_without_target(check: Any, smoke_rows: pd.DataFrame) -> bool:
    """Return whether a check of whole rows works without the target and the key."""
    try:
        check(smoke_rows)
    except KeyError:
        return False
    return True
