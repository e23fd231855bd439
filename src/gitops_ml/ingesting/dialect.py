"""How a CSV is written, so that lines can be added to it that look like those that are there."""

import csv
import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pandas as pd

HEAD = 2**18
Quoting = Literal[0, 1, 2]


@dataclass(frozen=True)
class Dialect:
    """What differs from one CSV to the next.

    Attributes:
        delimiter: Between columns.
        terminator: Ends a line.
        quoting: As the standard library counts it: what must be quoted, all, or all but numbers.
    """

    delimiter: str = ","
    terminator: str = "\n"
    quoting: Quoting = csv.QUOTE_MINIMAL


def dialect_of(file: Path, delimiter: str) -> Dialect:
    """The dialect under which the first lines of a file come out as they are.

    Args:
        file: A CSV that can be read.
        delimiter: As model.toml names it.
    """
    with file.open(encoding="utf-8-sig", newline="") as stream:
        text = stream.read(HEAD)
    terminator = "\r\n" if text.partition("\n")[0].endswith("\r") else "\n"
    whole = text[: text.rfind(terminator) + len(terminator)] if terminator in text else text
    plain, everything = (Dialect(delimiter, terminator, how) for how in (csv.QUOTE_MINIMAL, csv.QUOTE_ALL))
    rows = list(csv.reader(io.StringIO(whole, newline=""), delimiter=delimiter))
    for dialect in (plain, everything):
        if _written(dialect, rows).startswith(whole[: _most(whole)]):
            return dialect
    return Dialect(delimiter, terminator, csv.QUOTE_NONNUMERIC) if _numbers_are_bare(whole, delimiter) else plain


def _most(text: str) -> int:
    """A quoted text may be cut where the head of the file ends; the lines well before that are whole."""
    return len(text) if len(text) < HEAD // 2 else HEAD // 2


def _numbers_are_bare(text: str, delimiter: str) -> bool:
    try:
        rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, quoting=csv.QUOTE_NONNUMERIC))
    except ValueError:
        return False
    return any(isinstance(value, str) for value in rows[0])


def _written(dialect: Dialect, rows: list[list[Any]]) -> str:
    stream = io.StringIO(newline="")
    writer = csv.writer(stream, delimiter=dialect.delimiter, lineterminator=dialect.terminator, quoting=dialect.quoting)
    writer.writerows(rows)
    return stream.getvalue()


def lines(dialect: Dialect, rows: pd.DataFrame) -> bytes:
    """Rows as lines of such a file, without a header."""
    columns = [_cells(rows[name]) for name in rows.columns]
    return _written(dialect, [list(row) for row in zip(*columns, strict=True)]).encode()


def header(dialect: Dialect, names: list[str]) -> bytes:
    """The first line of such a file."""
    return _written(dialect, [names]).encode()


def _cells(column: pd.Series) -> list[Any]:
    """The values of a column as they stand in a file; nothing where one is missing."""
    if pd.api.types.is_datetime64_any_dtype(column):
        days = column.dropna()
        whole = bool((days == days.dt.normalize()).all()) and days.dt.tz is None
        return ["" if pd.isna(each) else str(each.date()) if whole else each.isoformat(sep=" ") for each in column]
    if pd.api.types.is_bool_dtype(column):
        return ["" if pd.isna(each) else str(bool(each)) for each in column]
    # A float of fewer digits would get those of a longer one.
    narrow = pd.api.types.is_float_dtype(column) and getattr(column.dtype, "itemsize", 8) < 8
    return ["" if pd.isna(each) else float(str(each)) if narrow else each for each in column.astype(object)]
