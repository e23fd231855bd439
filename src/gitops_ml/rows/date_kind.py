"""Kind of a column of dates and times: in ISO 8601, or in the format that model.toml declares for the column."""

import re
from datetime import date, datetime
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from gitops_ml.rows.cell_rules import CellRules
from gitops_ml.rows.column_kind import WRONG, Array, Cells, ColumnKind

NAIVE = r"[0-9]{4}-[0-9]{2}-[0-9]{2}([T ]([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9](\.[0-9]{1,9})?)?)?"
ISO = re.compile(NAIVE + r"([Zz]|[+-][0-9]{2}:?[0-9]{2})?")
# A date without a time in JSON schema.
JSON_PATTERN = r"^\d{4}-\d{2}-\d{2}"
LONGEST = 100  # characters of a date


class DateKind(ColumnKind):
    """Dates without an offset; in a column with a time zone, dates with an offset."""

    json_type = "string"
    texts = True

    def __init__(self, rules: CellRules, dtype: Any, date_format: str | None) -> None:
        """Create the kind.

        Args:
            rules: Declarations about cells.
            dtype: The column's type, of NumPy or of pandas.
            date_format: Format that model.toml declares for the column; None if there is none.
        """
        self._zone = getattr(dtype, "tz", None)
        self._unit: Any = getattr(dtype, "unit", None) or np.datetime_data(dtype)[0]
        self._format = date_format
        declared = f"in the format {date_format!r} or " if date_format else ""
        super().__init__(
            f"must be a date {declared}in ISO 8601, {'with' if self._zone else 'without'} an offset", rules
        )

    def parse_text(self, text: str) -> Any:
        """Return the time of a text."""
        text = text.strip(" \t")
        if ISO.fullmatch(text):
            try:
                return self.parse_typed(pd.Timestamp(text))
            except ValueError:
                return WRONG
        if not self._format or len(text) > LONGEST:
            return WRONG
        found = pd.to_datetime([text], format=self._format, errors="coerce")[0]
        return WRONG if pd.isna(found) else self.parse_typed(found)

    def parse_typed(self, value: Any) -> Any:
        """Return the time of a date or a datetime that the column's type can hold."""
        if not isinstance(value, date | datetime):
            return WRONG
        try:
            found = pd.Timestamp(value)
            if (found.tz is None) == (self._zone is None):
                return found.tz_convert(self._zone).as_unit(self._unit, round_ok=False) if self._zone else (
                    found.as_unit(self._unit, round_ok=False)
                )  # fmt: skip
        except (ValueError, OverflowError):
            pass
        return WRONG

    def to_csv(self, values: "pd.Series[Any]") -> list[Any]:
        """Return the texts of dates, in the declared format or in ISO 8601; of days alone, without a time."""
        times = values.dropna()
        if not self._format and not self._zone and (times == times.dt.normalize()).all():
            return [self.rules.missing_text if pd.isna(value) else str(value.date()) for value in values]
        return super().to_csv(values)

    def to_cell(self, value: Any) -> str:
        """Return the text of a time."""
        time = pd.Timestamp(value)
        return time.strftime(self._format) if self._format else time.isoformat(sep=" ")

    def json_schema(self) -> dict[str, Any]:
        """Return the JSON schema of a date."""
        return {"type": "string"} if self._format else {"type": "string", "pattern": JSON_PATTERN}

    def to_array(self, values: list[Any]) -> Array:
        """Return times in UTC, or without a time zone."""
        plain = [pd.NaT if each is None else each.tz_convert(None) if self._zone else each for each in values]
        return pd.DatetimeIndex(plain, dtype=f"datetime64[{self._unit}]").to_numpy()

    def to_series(self, cells: Cells, index: pd.Index) -> "pd.Series[Any]":
        """Return a column of times."""
        times = pd.DatetimeIndex(np.where(cells.missing, np.datetime64("NaT", self._unit), cells.values))
        if self._zone:
            times = times.tz_localize("UTC").tz_convert(self._zone)
        return pd.Series(times.to_numpy() if not self._zone else times, index=index)

    def _parse(self, cells: "pd.Series[Any]", *, is_json: bool) -> Cells:
        if getattr(cells.dtype, "kind", "O") != "M":
            return super()._parse(cells, is_json=is_json)
        absent = cells.isna().to_numpy()
        has_zone = getattr(cells.dtype, "tz", None) is not None
        if has_zone != (self._zone is not None):
            return Cells(np.full(len(cells), "NaT", f"M8[{self._unit}]"), np.ones(len(cells), dtype=bool), ~absent)
        times = pd.DatetimeIndex(cells)
        times = times.tz_convert(None) if has_zone else times
        try:
            values = times.as_unit(self._unit)
            if (values == times)[~absent].all():
                return Cells(values.to_numpy(), absent, np.zeros(len(cells), dtype=bool))
        except ValueError:
            pass  # some are outside of the bounds
        return self._parse_one_by_one(cells.tolist(), is_json=is_json)

    def _parse_texts(self, texts: "pa.Array") -> Cells:
        """Read dates without an offset as a whole; the others by their distinct texts."""
        missing = self.is_missing(texts)
        plain = pc.match_substring_regex(texts, f"^{NAIVE}$").fill_null(False).to_numpy(zero_copy_only=False) & ~missing
        values = np.full(len(texts), "NaT", f"M8[{self._unit}]")
        absent, wrong = missing.copy(), np.zeros(len(texts), dtype=bool)
        if self._zone is None and plain.any():
            found = pd.to_datetime(texts.filter(pa.array(plain)).to_pylist(), format="ISO8601", errors="coerce")
            try:
                values[plain] = found.as_unit(self._unit).to_numpy()
                wrong[plain] = absent[plain] = found.isna()
            except ValueError:
                plain = np.zeros(len(texts), dtype=bool)
        else:
            plain = np.zeros(len(texts), dtype=bool)
        others = ~plain & ~missing
        if others.any():
            values[others], absent[others], wrong[others] = super()._parse_texts(texts.filter(pa.array(others)))
        return Cells(values, absent, wrong)
