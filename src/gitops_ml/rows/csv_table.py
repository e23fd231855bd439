"""CSV as tables of texts: nothing is guessed, and a row that is too short or too long is an error."""

import csv
import io
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import IO

import pandas as pd
import pyarrow as pa
import pyarrow.csv

BLOCK = 2**22  # bytes that are parsed at a time; a row of a file must fit into one block
# Limits on the header, which is read before anything else is known about the content.
MAX_COLUMNS, MAX_HEADER = 100_000, BLOCK
COLUMNS = "Every row needs as many values as the header has columns."
QUOTES = "Close the quote, or double each quote inside of a quoted value."
HEADER = "Put the names of the columns in the first line, and leave out columns that are not needed."


class CsvError(Exception):
    """The content is not a CSV table.

    Attributes:
        problem: Fault, with its line.
        hint: Next step for the user.
    """

    def __init__(self, problem: str, hint: str) -> None:
        """Create the error."""
        super().__init__(problem)
        self.problem, self.hint = problem, hint


def read_header(source: Path | bytes, delimiter: str, max_columns: int = MAX_COLUMNS) -> list[str]:
    """Return the names in the first line of a CSV.

    Args:
        source: File or content, in UTF-8.
        delimiter: Character between the columns.
        max_columns: Largest allowed number of columns.

    Raises:
        UnicodeDecodeError: The content is not UTF-8.
        csv.Error: The line cannot be parsed.
        CsvError: The line is too long, or has too many columns; it was not parsed.
    """
    with io.TextIOWrapper(_open(source), encoding="utf-8-sig", newline="") as stream:
        return next(csv.reader(_header_lines(stream, delimiter, max_columns), delimiter=delimiter), [])


def _header_lines(stream: io.TextIOWrapper, delimiter: str, max_columns: int) -> Iterator[str]:
    """Yield lines until the header ends (a quoted name may have several); raise before a parser gets too much."""
    length, columns = 0, 1
    while line := stream.readline(MAX_HEADER + 1 - length):
        length, columns = length + len(line), columns + line.count(delimiter)
        if length > MAX_HEADER:
            raise CsvError(f"the header is longer than {MAX_HEADER // 2**20} MiB", HEADER)
        if columns > max_columns:
            raise CsvError(f"the header has more than {max_columns} columns", HEADER)
        yield line


def read_texts(source: Path | bytes, delimiter: str, names: list[str], rows: int) -> Iterator[pd.DataFrame]:
    """Yield the rows of a CSV in chunks, each cell as the text that it reads.

    Args:
        source: File or content, in UTF-8.
        delimiter: Character between the columns.
        names: Names of the columns, from `read_header`, each once.
        rows: Number of rows of a chunk.

    Raises:
        UnicodeDecodeError: The content is not UTF-8.
        CsvError: A row has another number of columns than the header, or a quote is not closed.
    """
    _check_quotes(source, delimiter)
    pending: list[pa.RecordBatch] = []
    for batch in _read_batches(source, delimiter, names):
        pending.append(batch)
        if sum(map(len, pending)) >= rows:
            table = pa.Table.from_batches(pending)
            whole = len(table) // rows * rows
            yield from (_to_frame(table.slice(start, rows)) for start in range(0, whole, rows))
            pending = table.slice(whole).to_batches()
    if pending:
        yield _to_frame(pa.Table.from_batches(pending))


def _read_batches(source: Path | bytes, delimiter: str, names: list[str]) -> Iterator["pa.RecordBatch"]:
    invalid: list[pyarrow.csv.InvalidRow] = []
    block = max(BLOCK, len(source) + 1) if isinstance(source, bytes) else BLOCK

    def stop(row: "pyarrow.csv.InvalidRow") -> str:
        invalid.append(row)
        return "error"

    options = {
        "read_options": pyarrow.csv.ReadOptions(use_threads=False, block_size=block),
        # In a table of one column, an empty line is a row.
        "parse_options": pyarrow.csv.ParseOptions(
            delimiter=delimiter, newlines_in_values=True, ignore_empty_lines=len(names) > 1, invalid_row_handler=stop
        ),
        "convert_options": pyarrow.csv.ConvertOptions(
            column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False, quoted_strings_can_be_null=False
        ),
    }
    try:
        opened = pa.BufferReader(source) if isinstance(source, bytes) else pa.OSFile(str(source))
        with opened as stream, pyarrow.csv.open_csv(stream, **options) as batches:
            if batches.schema.names != names:
                raise CsvError("the header cannot be read", "Put the names of the columns in one line, without quotes.")
            yield from batches
    except pa.ArrowInvalid as error:
        if invalid:
            row = invalid[0]
            problem = f"line {row.number} has {row.actual_columns} values, and the header {row.expected_columns}"
            raise CsvError(problem, COLUMNS) from None
        if "UTF8" in str(error):
            raise UnicodeDecodeError("utf-8", b"", 0, 0, "invalid UTF-8") from None
        if "straddling" in str(error):
            raise CsvError(f"a row is longer than {BLOCK // 2**20} MiB", QUOTES) from None
        if "Empty CSV" not in str(error):  # a header alone, without the end of its line
            raise CsvError(str(error).splitlines()[0].removeprefix("CSV parse error: ")[:200], COLUMNS) from None


def _open(source: Path | bytes) -> IO[bytes]:
    return io.BytesIO(source) if isinstance(source, bytes) else source.open("rb")


def _check_quotes(source: Path | bytes, delimiter: str) -> None:
    """Raise if a quote is not closed, so that the rest of the CSV would be one value; Arrow does not notice."""
    with closing(_open(source)) as stream:
        if sum(block.count(b'"') for block in iter(lambda: stream.read(BLOCK), b"")) % 2 == 0:
            return
    # Quotes inside of a value without quotes are only text.
    with io.TextIOWrapper(_open(source), encoding="utf-8-sig", newline="") as text:
        reader, line = csv.reader(text, delimiter=delimiter, strict=True), 1
        try:
            for _ in reader:
                line = reader.line_num + 1
        except csv.Error as error:
            if "unexpected end" in str(error) or "field limit" in str(error):
                raise CsvError(f"the quote that opens in line {line} is not closed", QUOTES) from None


def _to_frame(table: "pa.Table") -> pd.DataFrame:
    frame: pd.DataFrame = table.to_pandas()
    return frame
