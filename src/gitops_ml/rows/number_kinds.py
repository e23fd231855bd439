"""Kinds of columns: booleans, integers and numbers."""

import math
import re
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from gitops_ml.rows.cell_rules import CellRules
from gitops_ml.rows.column_kind import WRONG, Array, Cells, ColumnKind

BOOLEANS = {"true": True, "false": False}
WHOLE = re.compile(r"[+-]?[0-9]+")
NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
INFINITY = re.compile(r"[+-]?inf(inity)?", re.IGNORECASE)
# Texts that Arrow converts as Python does, and that fit into eight bytes. The others are read one by one.
PLAIN_WHOLE = r"^-?[0-9]{1,18}$"
PLAIN_NUMBER = r"^-?[0-9]{1,20}(\.[0-9]{1,20})?([eE][+-]?[0-9]{1,2})?$"
# From here on, a float may stand for several integers.
EXACT = 2**53
LONGEST = 400  # characters of the text of a number


class BooleanKind(ColumnKind):
    """true and false in any case, 1 and 0, and the texts that model.toml declares."""

    json_type = "boolean"

    def __init__(self, rule: str, rules: CellRules) -> None:
        """Create the kind."""
        super().__init__(rule, rules)
        self._declared = dict.fromkeys(rules.true, True) | dict.fromkeys(rules.false, False)

    def parse_text(self, text: str) -> Any:
        """Return the boolean of a text."""
        if text in self._declared:
            return self._declared[text]
        text = text.strip(" \t").lower()
        if len(text) <= LONGEST and NUMBER.fullmatch(text):
            return self.parse_typed(float(text))
        return BOOLEANS.get(text, WRONG)

    def parse_json_text(self, text: str) -> Any:
        """Return the boolean of a declared text."""
        return self._declared.get(text, WRONG)

    def parse_typed(self, value: Any) -> Any:
        """Return a boolean; 1 and 0 are booleans too."""
        is_number = isinstance(value, bool | int | float | Decimal)
        return bool(value) if is_number and value in (0, 1) else WRONG

    def to_cell(self, value: Any) -> str:
        """Return the first text that model.toml declares, or else True or False."""
        return next(iter(self.rules.true if value else self.rules.false), str(bool(value)))

    def json_schema(self) -> dict[str, Any]:
        """Return the JSON schema; declared texts are listed."""
        if not self._declared:
            return super().json_schema()
        return {"type": ["boolean", "string"], "enum": [True, False, *self._declared]}

    def to_array(self, values: list[Any]) -> Array:
        """Return booleans."""
        return np.array([bool(value) for value in values], dtype=bool)

    def to_series(self, cells: Cells, index: pd.Index) -> "pd.Series[Any]":
        """Return nullable booleans."""
        return pd.Series(pd.arrays.BooleanArray(cells.values.astype(bool), cells.missing), index=index)

    def _parse_array(self, values: Array, missing: Array, *, is_json: bool) -> Cells:
        wrong = ~missing & (values != 0) & (values != 1)
        return Cells(values == 1, missing | wrong, wrong)


class IntegerKind(ColumnKind):
    """Whole numbers within the bounds of the column's type."""

    json_type = "integer"
    is_number = True

    def __init__(self, rule: str, rules: CellRules, dtype: "np.dtype[Any]") -> None:
        """Create the kind of a NumPy type."""
        super().__init__(rule, rules)
        self._bounds = np.iinfo(dtype)
        self._dtype = np.uint64 if dtype.kind == "u" else np.int64

    def parse_text(self, text: str) -> Any:
        """Return the integer of digits, or of a number in decimal notation that is whole, such as 3.0 or 1e3."""
        text = text.strip(" \t")
        if len(text) > LONGEST:
            return WRONG
        if WHOLE.fullmatch(text):
            return self._within(int(text))
        return self.parse_typed(float(text)) if NUMBER.fullmatch(text) else WRONG

    def parse_typed(self, value: Any) -> Any:
        """Return a whole number; a float only if it stands for one integer alone."""
        if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
            return WRONG
        if isinstance(value, float) and not abs(value) < EXACT:
            return WRONG
        if isinstance(value, Decimal) and not (value.is_finite() and abs(value) < 2**64):
            return WRONG
        return self._within(int(value)) if value == int(value) else WRONG

    def _within(self, value: int) -> Any:
        return value if self._bounds.min <= value <= self._bounds.max else WRONG

    def to_array(self, values: list[Any]) -> Array:
        """Return integers of eight bytes."""
        return np.array([value or 0 for value in values], dtype=self._dtype)

    def to_series(self, cells: Cells, index: pd.Index) -> "pd.Series[Any]":
        """Return nullable integers."""
        values = np.where(cells.missing, 0, cells.values).astype(self._dtype)
        return pd.Series(pd.arrays.IntegerArray(values, cells.missing), index=index)

    def _parse_texts(self, texts: "pa.Array") -> Cells:
        numbers, plain = _cast_plain(texts, PLAIN_WHOLE, pa.int64())
        wrong = plain & ((numbers < self._bounds.min) | (numbers > min(self._bounds.max, 2**63 - 1)))
        found = Cells(np.where(wrong, 0, numbers).astype(self._dtype), wrong | ~plain, wrong)
        return _complete(self, texts, plain, found)

    def _parse_array(self, values: Array, missing: Array, *, is_json: bool) -> Cells:
        if values.dtype.kind == "b":
            return Cells(np.zeros(len(values), dtype=self._dtype), np.ones(len(values), dtype=bool), ~missing)
        if values.dtype.kind == "f":
            values = values.astype(float)
            fits = np.abs(values) < EXACT
            numbers = np.where(fits & ~missing, values, 0).astype(np.int64)
            fits &= numbers == values
        else:
            numbers, fits = values, np.ones(len(values), dtype=bool)
        # Python's integers, because NumPy compares int64 and uint64 as floats.
        low, high = np.iinfo(numbers.dtype).min, np.iinfo(numbers.dtype).max
        fits &= (numbers >= max(self._bounds.min, low)) & (numbers <= min(self._bounds.max, high))
        wrong = ~missing & ~fits
        return Cells(np.where(wrong | missing, 0, numbers).astype(self._dtype), missing | wrong, wrong)


class FloatKind(ColumnKind):
    """Numbers with the precision of the column's type; infinite ones are found by the check of the rows."""

    json_type = "number"
    is_number = True

    def __init__(self, rule: str, rules: CellRules, dtype: Any) -> None:
        """Create the kind of a float type."""
        super().__init__(rule, rules)
        self._dtype = dtype
        self._precision = np.dtype(getattr(dtype, "numpy_dtype", dtype))

    def parse_text(self, text: str) -> Any:
        """Return the number of a text in decimal notation."""
        text = text.strip(" \t")
        if len(text) > LONGEST or not (NUMBER.fullmatch(text) or INFINITY.fullmatch(text)):
            return WRONG
        return self._round(float(text))

    def parse_typed(self, value: Any) -> Any:
        """Return the nearest float."""
        if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
            return WRONG
        if isinstance(value, Decimal) and value.is_nan():
            return None
        try:
            return self._round(float(value))
        except OverflowError:
            return math.inf if value > 0 else -math.inf

    def _round(self, numbers: Any) -> Any:
        """Return a number, or an array of numbers, as the column's type can hold them."""
        if self._precision.itemsize >= 8:
            return numbers
        with np.errstate(over="ignore"):  # a number that is too large becomes infinite, and is refused
            rounded = np.asarray(numbers).astype(self._precision).astype(float)
        return rounded if isinstance(numbers, np.ndarray) else float(rounded)

    def to_cell(self, value: Any) -> Any:
        """Return a number; one of fewer than 8 bytes without the meaningless digits that 8 bytes would add."""
        return float(str(value)) if isinstance(value, np.floating) and value.itemsize < 8 else value

    def to_array(self, values: list[Any]) -> Array:
        """Return floats of eight bytes."""
        return np.array([math.nan if value is None else value for value in values], dtype=float)

    def to_series(self, cells: Cells, index: pd.Index) -> "pd.Series[Any]":
        """Return floats of the column's type."""
        values = pd.Series(np.where(cells.missing, np.nan, cells.values.astype(float)), index=index)
        return values if self._dtype == np.float64 else values.astype(self._dtype)

    def _parse_texts(self, texts: "pa.Array") -> Cells:
        numbers, plain = _cast_plain(texts, PLAIN_NUMBER, pa.float64())
        return _complete(self, texts, plain, Cells(self._round(numbers), ~plain, np.zeros(len(numbers), dtype=bool)))

    def _parse_array(self, values: Array, missing: Array, *, is_json: bool) -> Cells:
        if values.dtype.kind == "b":
            return Cells(np.zeros(len(values)), np.ones(len(values), dtype=bool), ~missing)
        return Cells(self._round(values.astype(float)), missing, np.zeros(len(values), dtype=bool))


def _cast_plain(texts: "pa.Array", pattern: str, kind: "pa.DataType") -> tuple[Array, Array]:
    """Return the numbers of texts that match a pattern, and the mask of these texts."""
    plain = pc.match_substring_regex(texts, pattern).fill_null(False)
    numbers = pc.if_else(plain, texts, pa.scalar("0", texts.type)).cast(kind)
    return numbers.to_numpy(zero_copy_only=False), plain.to_numpy(zero_copy_only=False)


def _complete(kind: ColumnKind, texts: "pa.Array", plain: Array, found: Cells) -> Cells:
    """Return the cells with those of the texts that are not plain, or that model.toml declares to be missing."""
    missing = kind.is_missing(texts)
    others = ~plain & ~missing
    values, absent, wrong = found.values.copy(), found.missing | missing, found.wrong & ~missing
    if others.any():
        rest = ColumnKind._parse_texts(kind, texts.filter(pa.array(others)))
        values[others], absent[others], wrong[others] = rest
    return Cells(values, absent, wrong)
