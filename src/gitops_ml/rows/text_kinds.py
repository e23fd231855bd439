"""Kinds of columns: texts, categories, and columns whose types this library does not read."""

from typing import Any
from uuid import UUID

import numpy as np
import pandas as pd

from gitops_ml.rows.cell_rules import CellRules
from gitops_ml.rows.column_kind import WRONG, Array, Cells, ColumnKind, without_missing


class TextKind(ColumnKind):
    """Texts, exactly as they are; an integer or a UUID of a typed source becomes its text."""

    json_type = "string"
    texts = True

    def __init__(self, rules: CellRules) -> None:
        """Create the kind."""
        super().__init__("must be text", rules)

    def parse_text(self, text: str) -> Any:
        """Return the text."""
        return text

    def parse_typed(self, value: Any) -> Any:
        """Return the text of an integer or a UUID; other values have no certain text."""
        is_certain = isinstance(value, int | UUID) and not isinstance(value, bool)
        return str(value) if is_certain else WRONG

    def json_schema(self) -> dict[str, Any]:
        """Return the JSON schema: texts that mean a missing value are none."""
        return {"type": "string", **({"not": {"enum": [*self.rules.missing]}} if self.rules.missing else {})}

    def to_array(self, values: list[Any]) -> Array:
        """Return texts as objects."""
        return np.array([*values, None], dtype=object)[:-1]

    def to_series(self, cells: Cells, index: pd.Index) -> "pd.Series[Any]":
        """Return a column of text."""
        return pd.Series(without_missing(cells.values, cells.missing), index=index, dtype="str")

    def parse(self, cells: "pd.Series[Any]", *, is_json: bool = False) -> "tuple[pd.Series[Any], Array]":
        """Read a column; one that is text already stays as it is."""
        if isinstance(cells.dtype, pd.StringDtype):
            declared = cells.isin(self.rules.missing) if self.rules.missing else np.zeros(len(cells), dtype=bool)
            found = cells.mask(declared) if declared.any() else cells
            return found.astype("str"), np.zeros(len(cells), dtype=bool)
        return super().parse(cells, is_json=is_json)


class CategoryKind(ColumnKind):
    """Values of a fixed set, which are read as values of the set's type."""

    def __init__(self, values: ColumnKind, categories: pd.Index, dtype: pd.CategoricalDtype) -> None:
        """Create the kind.

        Args:
            values: Kind of the values.
            categories: The set.
            dtype: The column's type.
        """
        super().__init__("must be one of the categories", values.rules)
        self._values = values
        self._categories = frozenset(categories)
        self._dtype = dtype
        self.texts = values.texts  # type: ignore[misc]

    def parse_text(self, text: str) -> Any:
        """Return the category of a text."""
        return self._one_of(self._values.parse_text(text))

    def parse_json_text(self, text: str) -> Any:
        """Return the category of a text in JSON."""
        return self._one_of(self._values.parse_json_text(text))

    def parse_typed(self, value: Any) -> Any:
        """Return the category of a value."""
        return self._one_of(self._values.parse_typed(value))

    def _one_of(self, value: Any) -> Any:
        return value if value in self._categories else WRONG

    def json_schema(self) -> dict[str, Any]:
        """Return the JSON schema of the values."""
        return self._values.json_schema()

    def to_array(self, values: list[Any]) -> Array:
        """Return values as objects."""
        return np.array([*values, None], dtype=object)[:-1]

    def to_series(self, cells: Cells, index: pd.Index) -> "pd.Series[Any]":
        """Return a column of categories."""
        return pd.Series(without_missing(cells.values, cells.missing), index=index).astype(self._dtype)


class FreeCategoryKind(TextKind):
    """Texts of a column of categories that names no set."""

    def parse(self, cells: "pd.Series[Any]", *, is_json: bool = False) -> "tuple[pd.Series[Any], Array]":
        """Read a column."""
        if isinstance(cells.dtype, pd.CategoricalDtype):
            cells = cells.astype(cells.cat.categories.dtype)
        values, wrong = super().parse(cells, is_json=is_json)
        return values.astype("category"), wrong


class OtherKind(TextKind):
    """A type that this library does not read: cells stay as they are, and pandera converts them."""

    texts = False

    def parse_json_text(self, text: str) -> Any:
        """Return the text."""
        return text

    def parse_typed(self, value: Any) -> Any:
        """Return the value."""
        return value

    def json_schema(self) -> dict[str, Any]:
        """Return no constraint."""
        return {}

    def parse(self, cells: "pd.Series[Any]", *, is_json: bool = False) -> "tuple[pd.Series[Any], Array]":
        """Read a column; only texts that mean a missing value change."""
        wrong = np.zeros(len(cells), dtype=bool)
        if isinstance(cells.dtype, pd.StringDtype) or cells.dtype == object:
            declared = cells.isin(self.rules.missing)
            return (cells.mask(declared) if declared.any() else cells), wrong
        is_whole = isinstance(cells.dtype, pd.Int64Dtype) and not cells.isna().any()
        return (cells.astype(np.int64) if is_whole else cells), wrong
