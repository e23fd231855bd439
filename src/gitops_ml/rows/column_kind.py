"""Reading of the cells of a column: texts of a CSV, values of JSON, and the typed values of Parquet, Arrow and SQL.

`parse_value` of a kind defines what one cell becomes; a long column is read as a whole where that gives the same.
"""

from abc import ABC, abstractmethod
from functools import cached_property
from typing import Any, ClassVar, NamedTuple, TypeAlias

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from gitops_ml.rows.cell_rules import CellRules

Array: TypeAlias = "np.ndarray[Any, Any]"
# Result of reading a cell that is not certainly a value of its column.
WRONG: Any = object()
# Up to this many cells are read one by one, which is faster then.
FEW_CELLS = 64


class Cells(NamedTuple):
    """Cells as NumPy arrays of shape (n,).

    Attributes:
        values: The values; those of missing and wrong cells have no meaning.
        missing: Mask of cells without a value, wrong cells included.
        wrong: Mask of cells that are not certainly a value of the column.
    """

    values: Array
    missing: Array
    wrong: Array


class ColumnKind(ABC):
    """Reader and writer of the cells of one column.

    Attributes:
        rule: Rule that a wrong cell violates, for messages.
        json_type: Type of a value in JSON schema; None if it has none.
        texts: True if JSON has the values of this kind as text.
        is_number: True if values are binned between edges; others are binned by value, if there are few.
    """

    json_type: ClassVar[str | None] = None
    texts: ClassVar[bool] = False
    is_number: ClassVar[bool] = False

    def __init__(self, rule: str, rules: CellRules) -> None:
        """Create a kind.

        Args:
            rule: Rule that a wrong cell violates.
            rules: Declarations about cells.
        """
        self.rule = rule
        self.rules = rules
        self._missing = frozenset(rules.missing)

    @cached_property
    def missing_values(self) -> tuple[Any, ...]:
        """Values that mean a missing value, such as -999: what the declared texts are in this column."""
        found = (WRONG if text == "" else self.parse_text(text) for text in self.rules.missing)
        return tuple(value for value in found if value is not WRONG)

    @abstractmethod
    def parse_text(self, text: str) -> Any:
        """Return the value of a text that is not missing; WRONG if it is not certainly one.

        Args:
            text: The cell.
        """

    @abstractmethod
    def parse_typed(self, value: Any) -> Any:
        """Return the value of a cell that has a type of its own, and is no text; WRONG if it is not certainly one.

        Args:
            value: The cell.
        """

    @abstractmethod
    def to_series(self, cells: Cells, index: pd.Index) -> "pd.Series[Any]":
        """Return cells as a column of pandas that can have missing values.

        Args:
            cells: The cells.
            index: Index of the column.
        """

    @abstractmethod
    def to_array(self, values: list[Any]) -> Array:
        """Return values as an array.

        Args:
            values: Values; None stands for a missing one, whose place in the array may hold anything.
        """

    def json_schema(self) -> dict[str, Any]:
        """Return the JSON schema of a value that is not missing."""
        return {"type": self.json_type} if self.json_type else {}

    def to_csv(self, values: "pd.Series[Any]") -> list[Any]:
        """Return values for the writer of a CSV: numbers as they are, others as text.

        Args:
            values: A column with the types of the schema.
        """
        objects = without_missing(values.to_numpy(object), values.isna().to_numpy())
        return [self.rules.missing_text if value is None else self.to_cell(value) for value in objects.tolist()]

    def to_cell(self, value: Any) -> Any:
        """Return one value for the writer of a CSV.

        Args:
            value: Value with the type of the schema, not missing.
        """
        return value

    def parse_value(self, value: Any, *, is_json: bool = False) -> Any:
        """Return what one cell becomes: the definition that reading a whole column keeps to.

        Args:
            value: The cell: text, or a value with a type.
            is_json: The cell is of JSON, where a text is a number or a boolean only if model.toml declares it.

        Returns:
            The value; None if it is missing, WRONG if it is not certainly a value of this column.
        """
        found = self._parse_value(value, is_json=is_json)
        return None if found is not WRONG and found in self.missing_values else found

    def _parse_value(self, value: Any, *, is_json: bool) -> Any:
        if isinstance(value, np.generic):
            value = pd.Timestamp(value) if isinstance(value, np.datetime64) else value.item()
        if isinstance(value, str):
            if value in self._missing:
                return None
            return self.parse_json_text(value) if is_json else self.parse_text(value)
        if value is None or value is pd.NA or value is pd.NaT or (isinstance(value, float) and value != value):
            return None
        return WRONG if is_json and self.texts else self.parse_typed(value)

    def parse_json_text(self, text: str) -> Any:
        """Return the value of a text in JSON that is not missing; WRONG if a text is no value of this column there.

        Args:
            text: The cell.
        """
        return self.parse_text(text) if self.texts else WRONG

    def parse(self, cells: "pd.Series[Any]", *, is_json: bool = False) -> "tuple[pd.Series[Any], Array]":
        """Read a column.

        Args:
            cells: Column as it was read.
            is_json: The cells are of JSON.

        Returns:
            The values, and a mask of wrong cells, which are missing in the values.
        """
        if isinstance(cells.dtype, pd.CategoricalDtype):
            cells = cells.astype(cells.cat.categories.dtype)
        found = self._parse(cells, is_json=is_json)
        if self.missing_values and found.values.dtype != object:
            declared = np.isin(found.values, self.to_array(list(self.missing_values))) & ~found.missing
            found = Cells(found.values, found.missing | declared, found.wrong)
        return self.to_series(found, cells.index), found.wrong

    def _parse(self, cells: "pd.Series[Any]", *, is_json: bool) -> Cells:
        if len(cells) <= FEW_CELLS:
            return self._parse_one_by_one(cells.tolist(), is_json=is_json)
        if isinstance(cells.dtype, pd.StringDtype) and (self.texts or not is_json):
            return self._parse_texts(_to_arrow(cells))
        kind = getattr(cells.dtype, "kind", "O")
        if kind in "biuf":
            missing = cells.isna().to_numpy()
            values = cells.to_numpy() if isinstance(cells.dtype, np.dtype) else _fill_missing(cells)
            return self._parse_array(values, missing, is_json=is_json)
        return self._parse_objects(cells.tolist(), is_json=is_json)

    def _parse_objects(self, values: list[Any], *, is_json: bool) -> Cells:
        types = {type(value) for value in values} - {type(None)}
        if types == {str} and (self.texts or not is_json):
            return self._parse_texts(pa.array(values, pa.large_string()))
        if types in ({int}, {float}):
            missing = np.array([value is None for value in values])
            array = np.array([0 if value is None else value for value in values])
            if array.dtype.kind in "if":  # integers that are longer are objects
                return self._parse_array(array, missing | (array != array), is_json=is_json)
        return self._parse_one_by_one(values, is_json=is_json)

    def _parse_one_by_one(self, values: list[Any], *, is_json: bool) -> Cells:
        parsed = [self.parse_value(value, is_json=is_json) for value in values]
        wrong = np.array([value is WRONG for value in parsed], dtype=bool)
        missing = np.array([value is None or value is WRONG for value in parsed], dtype=bool)
        return Cells(self.to_array([None if value is WRONG else value for value in parsed]), missing, wrong)

    def _parse_texts(self, texts: "pa.Array") -> Cells:
        """Read a column of texts: each distinct text once."""
        encoded = texts.dictionary_encode()
        found = self._parse_one_by_one(encoded.dictionary.to_pylist(), is_json=False)
        is_null = encoded.indices.is_null().to_numpy(zero_copy_only=False)
        codes = encoded.indices.fill_null(0).to_numpy(zero_copy_only=False)
        if not len(found.values):
            return self._parse_one_by_one([None] * len(texts), is_json=False)
        return Cells(found.values[codes], found.missing[codes] | is_null, found.wrong[codes] & ~is_null)

    def _parse_array(self, values: Array, missing: Array, *, is_json: bool) -> Cells:
        """Read a column of numbers or booleans."""
        return self._parse_one_by_one(without_missing(values, missing).tolist(), is_json=is_json)

    def is_missing(self, texts: "pa.Array") -> Array:
        """Return the mask of missing cells.

        Args:
            texts: Column of texts.
        """
        declared = pc.is_in(texts, value_set=pa.array(self.rules.missing, texts.type))
        return pc.or_(declared, texts.is_null()).to_numpy(zero_copy_only=False)  # type: ignore[no-any-return]


def without_missing(values: Array, missing: Array) -> Array:
    """Return values as objects, with None for missing ones.

    Args:
        values: The values, shape (n,).
        missing: Mask of missing values, shape (n,).
    """
    objects = values.astype(object)
    objects[missing] = None
    return objects


def _to_arrow(cells: "pd.Series[Any]") -> "pa.Array":
    array = pa.array(cells.array, pa.large_string(), from_pandas=True)
    return array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array


def _fill_missing(cells: "pd.Series[Any]") -> Array:
    """Return the values of a column with pandas' own type; those of missing cells have no meaning."""
    numpy_type: Any = getattr(cells.dtype, "numpy_dtype", np.dtype(object))
    fill: Any = None if numpy_type.kind == "O" else numpy_type.type(0)
    return cells.to_numpy(numpy_type, na_value=fill)
