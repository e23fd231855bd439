"""Rows of a request against your schema, without the target and the key, and then as the model was trained on them."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import pandas as pd
import pandera.pandas as pa

from gitops_ml.check import MEANINGS, check
from gitops_ml.coerce import kind_of, restored
from gitops_ml.config import Serving
from gitops_ml.errors import ConfigError
from gitops_ml.run import Run
from gitops_ml.serving import body, rules
from gitops_ml.serving.refusal import Problem, broken_rows

FEW = 20
# What pandas may call the values of a column, by the kind of the schema's type; text is told by itself.
NUMBERS = {"integer", "floating", "mixed-integer-float", "empty"}
FITTING = {
    "f": NUMBERS, "i": NUMBERS, "u": NUMBERS, "b": {"boolean", "empty"},
    "M": {"string", "datetime64", "datetime", "date", "empty"},
}  # fmt: skip


class Acceptance:
    """What a request to one version must keep.

    Attributes:
        columns: Of the model, with pandas' names of their types, in its order.
        said: Each column as JSON schema.
    """

    def __init__(self, schema: pa.DataFrameSchema, described: Run, smoke: pd.DataFrame) -> None:
        """Raises ConfigError if the schema is not the one that the version was trained with.

        Args:
            schema: Yours, with the target and the key.
            described: The version.
            smoke: Rows that it was trained to answer.
        """
        self.columns = described.columns
        self._key = described.key
        gone = [name for name in schema.columns if name not in described.columns and not schema.columns[name].regex]
        strangers = [name for name in gone if name not in {described.key, described.target}
                     and schema.columns[name].required]  # fmt: skip
        missing = [name for name in described.columns if name not in schema.columns] if schema.strict else []
        if strangers or missing:
            raise ConfigError(
                f"The version was trained with other columns than schema.py has now: {', '.join(strangers + missing)}.",
                "Check out the commit that it was trained from; `gitops history` names it.",
            )
        self._schema = schema.remove_columns(gone)
        self._schema.checks = [rule for rule in schema.checks if _runs(rule, smoke)]
        described_rules = {name: rules.of_column(column) for name, column in self._schema.columns.items()}
        self.said = {name: described_rules.get(name, ({}, False))[0] for name in described.columns}
        named = set(described.columns) == set(self._schema.columns)
        alone = named and not self._schema.checks and not self._schema.parsers  # no rule about whole rows
        self._quick = alone and all(whole for _, whole in described_rules.values())

    def rows(self, kind: str, content: bytes, limits: Serving) -> pd.DataFrame:
        """The rows of a body, typed as the model was trained on them.

        Raises:
            Refusal: It cannot be read, is too large, or breaks a rule; every broken rule is named.
        """
        frame = body.read(kind, content, self.columns, limits)
        if not self._surely(frame):
            frame = self._checked(frame, strict=kind != body.CSV)
        frame = frame[list(self.columns)]
        other = {name: kind for name, kind in self.columns.items() if str(frame.dtypes[name]) != kind}
        return frame.astype(other) if other else frame

    def _surely(self, frame: pd.DataFrame) -> bool:
        """Whether a few rows keep all rules at first sight; pandera takes milliseconds even for one."""
        if not self._quick or len(frame) > FEW:
            return False
        return all(rules.keeps(value, said) for name, said in self.said.items() for value in frame[name].tolist())

    def _checked(self, frame: pd.DataFrame, *, strict: bool) -> pd.DataFrame:
        problems: dict[tuple[int | None, str | None], Problem] = {}

        def add(rows: Any, column: str, rule: str) -> None:
            for row in rows:
                problems.setdefault((row, column), Problem(row, column, rule))

        frame = frame.set_axis(range(1, len(frame) + 1))
        for name, column in self._schema.columns.items():
            if name not in frame:
                continue
            wrong = _of_another_kind(frame[name], column) if strict else frame.index[:0]
            if len(wrong):
                add(wrong, name, "must be text" if _is_text(column) else f"must be {column.dtype}")
                frame[name] = frame[name].astype(object).mask(frame.index.isin(wrong), None)
            naive = kind_of(column) == "M" and getattr(column.dtype.type, "tz", None) is None
            if naive and not pd.api.types.is_datetime64_any_dtype(frame[name]):
                moments = frame[name].map(_moment)
                add(frame.index[moments.isna() & frame[name].notna()], name, "must be a date in ISO 8601")
                frame[name] = pd.to_datetime(moments)
            if not column.nullable:
                add(frame.index[frame[name].isna()], name, MEANINGS["not_nullable"])
        typed, broken = check(self._schema, self._key, frame)
        for one in broken:
            column, rule = one.column if one.column in frame else None, MEANINGS.get(one.check, one.check)
            add([int(row) for row in one.values.index] or [None], column or "", rule)
        if problems:
            raise broken_rows(_in_order(list(problems.values())))
        return restored(self._schema, typed)


def _in_order(problems: list[Problem]) -> list[Problem]:
    """By row; what is about the whole comes first. A rule about whole rows names no column."""
    named = [Problem(one.row, one.column or None, one.rule) for one in problems]
    return sorted(named, key=lambda one: (one.row or 0, one.column or ""))


def _of_another_kind(values: pd.Series, column: pa.Column) -> pd.Index:
    """The rows whose value is there and of another kind than the schema's: text is no number, a number no text."""
    kind = kind_of(column)
    fitting = FITTING.get(kind) or ({"string", "empty"} if _is_text(column) else set())
    if not fitting or pd.api.types.infer_dtype(values, skipna=True) in fitting:
        return values.index[:0]
    there = values[values.notna()]
    if kind == "M":
        return there.index[there.map(lambda value: isinstance(value, int | float | bool))]
    return there.index[~there.map(_fits(kind)).astype(bool)]


def _moment(value: Any) -> Any:
    """A date as pandas has it, if it is one without a time zone; pandas would guess a form from the first row."""
    try:
        moment = pd.Timestamp(datetime.fromisoformat(value) if isinstance(value, str) else value).as_unit("ns")
        return moment if moment.tz is None else pd.NaT
    except (ValueError, TypeError, AttributeError, OverflowError):
        return pd.NaT


def _is_text(column: pa.Column) -> bool:
    return "str" in str(column.dtype)


def _fits(kind: str) -> Callable[[Any], bool]:
    if kind in "iuf":
        return lambda value: isinstance(value, int | float) and not isinstance(value, bool)
    wanted: Any = bool if kind == "b" else str
    return lambda value: isinstance(value, wanted)


def _runs(rule: Any, smoke: pd.DataFrame) -> bool:
    """Whether a rule about whole rows can do without the target and the key."""
    try:
        rule(smoke)
    except KeyError:
        return False
    return True
