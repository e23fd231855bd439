"""The dialect of a CSV file: delimiter, line ends and quoting, so that added lines look like the existing ones."""

import csv
import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from gitops_ml.rows.cell_rules import CellRules
from gitops_ml.rows.column_kinds import DEFAULT, kind_of

# Number of characters that are read to detect a dialect.
SAMPLE = 2**18
Quoting = Literal[0, 1, 2]


@dataclass(frozen=True)
class Dialect:
    """Format of a CSV file.

    Attributes:
        delimiter: Character between columns.
        terminator: End of a line.
        quoting: Constant of the standard library's `csv`: quote if needed, quote all, or quote all but numbers.
    """

    delimiter: str = ","
    terminator: str = "\n"
    quoting: Quoting = csv.QUOTE_MINIMAL


def detect_dialect(file: Path, delimiter: str) -> Dialect:
    """Return the dialect in which the first lines of a file are written.

    Args:
        file: A readable CSV file.
        delimiter: `delimiter` under [data] in model.toml.
    """
    with file.open(encoding="utf-8-sig", newline="") as stream:
        text = stream.read(SAMPLE)
    terminator = "\r\n" if text.partition("\n")[0].endswith("\r") else "\n"
    lines = text[: text.rfind(terminator) + len(terminator)] if terminator in text else text
    minimal, quoted = (Dialect(delimiter, terminator, quoting) for quoting in (csv.QUOTE_MINIMAL, csv.QUOTE_ALL))
    rows = list(csv.reader(io.StringIO(lines, newline=""), delimiter=delimiter))
    for dialect in (minimal, quoted):
        if _format(dialect, rows).startswith(lines[: _compared_length(lines)]):
            return dialect
    return Dialect(delimiter, terminator, csv.QUOTE_NONNUMERIC) if _numbers_are_bare(lines, delimiter) else minimal


def _compared_length(text: str) -> int:
    """Return how many characters to compare; a quoted value may be cut at the end of the sample, not before."""
    return len(text) if len(text) < SAMPLE // 2 else SAMPLE // 2


def _numbers_are_bare(text: str, delimiter: str) -> bool:
    try:
        rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, quoting=csv.QUOTE_NONNUMERIC))
    except ValueError:
        return False
    return any(isinstance(value, str) for value in rows[0])


def _format(dialect: Dialect, rows: list[list[Any]]) -> str:
    stream = io.StringIO(newline="")
    writer = csv.writer(stream, delimiter=dialect.delimiter, lineterminator=dialect.terminator, quoting=dialect.quoting)
    writer.writerows(rows)
    return stream.getvalue()


def format_rows(dialect: Dialect, rows: pd.DataFrame, rules: CellRules = DEFAULT) -> bytes:
    """Return rows as CSV lines in UTF-8, without a header.

    Args:
        dialect: Format of the lines.
        rows: The rows, with the types of the schema.
        rules: Declarations of model.toml about cells, in which values are written as they are read.
    """
    columns = [kind_of(rows[name].dtype, rules, str(name)).to_csv(rows[name]) for name in rows.columns]
    return _format(dialect, [list(row) for row in zip(*columns, strict=True)]).encode()


def format_header(dialect: Dialect, names: list[str]) -> bytes:
    """Return the header line of a CSV file in UTF-8.

    Args:
        dialect: Format of the line.
        names: Names of the columns.
    """
    return _format(dialect, [names]).encode()
