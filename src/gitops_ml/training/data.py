"""Reading of rows in chunks, from CSV files, Parquet files or a SQL query, with clear errors for unreadable data."""

import csv
import re
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from gitops_ml.config import Repository
from gitops_ml.errors import DataUnreadable
from gitops_ml.manifest import digest_bytes, digest_file
from gitops_ml.query import Query, read_rows

OTHER_DELIMITERS = ",;\t|"
PARQUET = {".parquet", ".pq"}


@dataclass(frozen=True)
class Chunk:
    """Consecutive rows.

    Attributes:
        frame: The rows; its index counts from `first_row`.
        source: File, relative to the repository, or "query".
        first_row: Number of the first row: the line number in a CSV file, whose header is line 1.
    """

    frame: pd.DataFrame
    source: str
    first_row: int


def data_files(repository: Repository) -> list[Path]:
    """Return the data files that model.toml names, sorted; an empty list if it names a query.

    Args:
        repository: Repository with model.toml.

    Raises:
        DataUnreadable: No file matches; or one is not a file, is outside the repository, or all exceed `max_mib`.
    """
    pattern = repository.config.data.path
    if pattern is None:
        return []
    if Path(pattern).is_absolute() or ".." in Path(pattern).parts:
        raise DataUnreadable(f"{pattern!r} is outside the repository.", "Copy the data into the repository.")
    found = sorted(repository.root.glob(pattern)) if any(c in pattern for c in "*?[") else [repository.root / pattern]
    if not found:
        raise DataUnreadable(f"No file matches {pattern!r}.", "Fix `path` under [data] in model.toml, or add the data.")
    for file in found:
        _check_file(repository.root, file)
    size, limit = sum(file.stat().st_size for file in found), repository.config.data.max_mib
    if size > limit * 2**20:
        raise DataUnreadable(
            f"{pattern!r} is {size / 2**20:.1f} MiB, more than the {limit} MiB that model.toml allows.",
            "Raise `max_mib` under [data] if this machine has the memory to train on it.",
        )
    return found


def _check_file(root: Path, file: Path) -> None:
    name = file.relative_to(root)
    if not file.exists():
        raise DataUnreadable(f"{name} does not exist.", "Fix `path` under [data] in model.toml, or add the file.")
    if not file.resolve().is_relative_to(root.resolve()):
        raise DataUnreadable(
            f"{name} is a symbolic link to a path outside the repository.", "Replace the link by the file."
        )
    if not file.is_file():
        raise DataUnreadable(f"{name} is a directory.", f"Set `path` to the files in it, such as {f'{name}/*.csv'!r}.")
    if file.stat().st_size == 0:
        raise DataUnreadable(
            f"{name} is empty.", "A data file needs a header and rows; its export may have stopped early."
        )


def read_chunks(repository: Repository, text_columns: frozenset[str]) -> Iterator[Chunk]:
    """Yield the data in chunks of `chunk_rows` rows.

    Args:
        repository: Repository with model.toml.
        text_columns: Columns to read as text, so that "007" keeps its zeros.

    Raises:
        DataUnreadable: A file or the database cannot be read; the message names the file and, if known, the row.
        ConfigError: The environment variable with the address of the database is not set.
    """
    if repository.config.data.query is not None:
        yield from _query(repository, repository.config.data.query)
        return
    for file in data_files(repository):
        name = file.relative_to(repository.root).as_posix()
        read_file = _parquet if file.suffix in PARQUET else _csv
        yield from read_file(repository, file, name, text_columns)


def _csv(repository: Repository, file: Path, name: str, text_columns: frozenset[str]) -> Iterator[Chunk]:
    data = repository.config.data
    header = _header(file, name, data.delimiter)
    dtypes: Mapping[str, str] = {column: "str" for column in header if column in text_columns}
    row = 2
    with _csv_failures(file, name), warnings.catch_warnings():
        warnings.simplefilter("error", pd.errors.ParserWarning)
        with pd.read_csv(
            file, sep=data.delimiter, encoding="utf-8-sig", chunksize=data.chunk_rows, dtype=dtypes,
            low_memory=False, index_col=False,
        ) as reader:  # fmt: skip
            for frame in reader:
                yield Chunk(frame.set_axis(range(row, row + len(frame))), name, row)
                row += len(frame)


def _header(file: Path, name: str, delimiter: str) -> list[str]:
    """Return the column names of a CSV file, which must be unique and separated by the delimiter in model.toml."""
    with _csv_failures(file, name), file.open(encoding="utf-8-sig", newline="") as stream:
        header = next(csv.reader(stream, delimiter=delimiter), [])
    if len(header) < 2:
        delimiters = [d for d in OTHER_DELIMITERS if d != delimiter and d in "".join(header)]
        hint = "The first line must name the columns."
        if delimiters:
            hint = f"The delimiter is probably {delimiters[0]!r}: set `delimiter = {_toml_string(delimiters[0])}`."
        raise DataUnreadable(f"{name}: with the delimiter {delimiter!r}, the header has only one column.", hint)
    repeated = sorted({column for column in header if header.count(column) > 1})
    if repeated:
        raise DataUnreadable(
            f"{name}: the column {repeated[0]!r} is {header.count(repeated[0])} times in the header.",
            "Rename or remove the repeated column.",
        )
    return header


def _toml_string(delimiter: str) -> str:
    return '"\\t"' if delimiter == "\t" else f'"{delimiter}"'


@contextmanager
def _csv_failures(file: Path, name: str) -> Iterator[None]:
    try:
        yield
    except UnicodeDecodeError as error:
        raise DataUnreadable(
            f"{name}: line {_first_undecodable(file)} is not UTF-8.",
            "Save the file as UTF-8; spreadsheets call it 'CSV UTF-8'.",
        ) from error
    except (pd.errors.ParserError, pd.errors.ParserWarning, csv.Error) as error:
        problem = str(error).strip().removeprefix("Error tokenizing data. C error: ")
        # pandas counts rows from zero.
        problem = re.sub(r"at row (\d+)", lambda match: f"in line {int(match[1]) + 1}", problem)
        raise DataUnreadable(
            f"{name}: {problem}.", "Every row needs as many values as the header has columns."
        ) from error
    except OSError as error:
        raise DataUnreadable(f"{name} cannot be read: {error.strerror}.", "Check its permissions.") from error


def _first_undecodable(file: Path) -> int:
    with file.open("rb") as stream:
        for number, line in enumerate(stream, 1):
            try:
                line.decode("utf-8")
            except UnicodeDecodeError:
                return number
    return 0


def _parquet(repository: Repository, file: Path, name: str, text_columns: frozenset[str]) -> Iterator[Chunk]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    row = 1
    try:
        with pq.ParquetFile(file) as parquet:
            for batch in parquet.iter_batches(repository.config.data.chunk_rows):
                frame = batch.to_pandas()
                yield Chunk(frame.set_axis(range(row, row + len(frame))), name, row)
                row += len(frame)
    except (pa.ArrowException, OSError) as error:
        raise DataUnreadable(
            f"{name} is not a complete Parquet file: {str(error).splitlines()[0]}",
            "The download may be incomplete; fetch the file again.",
        ) from error


def _query(repository: Repository, sql: str) -> Iterator[Chunk]:
    data, row = repository.config.data, 1
    for frame in read_rows(Query("data", sql, data.url_env, data.max_rows, data.chunk_rows)):
        yield Chunk(frame.set_axis(range(row, row + len(frame))), "query", row)
        row += len(frame)


def digest_files(repository: Repository) -> str:
    """Return the digest of the data files' content, in the order of their names.

    Args:
        repository: Repository with model.toml.
    """
    return digest_bytes("\n".join(digest_file(file) for file in data_files(repository)).encode())


def row_hashes(frame: pd.DataFrame) -> "np.ndarray[Any, Any]":
    """Return one 64-bit hash for each row; equal rows have equal hashes on every machine.

    Args:
        frame: Rows; shape (n, columns).
    """
    return pd.util.hash_pandas_object(frame, index=False).to_numpy()
