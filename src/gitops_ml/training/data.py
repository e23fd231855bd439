"""Reading of rows in chunks, from CSV files, Parquet files or a SQL query, with clear errors for unreadable data."""

import csv
from collections.abc import Iterator
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
from gitops_ml.rows import csv_table
from gitops_ml.rows.arrow_table import to_frame
from gitops_ml.rows.column_names import find_name_problem
from gitops_ml.rows.file_kinds import find_other_kind

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
    if kind := find_other_kind(file):
        raise DataUnreadable(f"{name} is {kind.name}.", kind.advice)


def read_chunks(repository: Repository) -> Iterator[Chunk]:
    """Yield the data in chunks of `chunk_rows` rows; the cells of a CSV are texts.

    Args:
        repository: Repository with model.toml.

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
        yield from read_file(repository, file, name)


def _csv(repository: Repository, file: Path, name: str) -> Iterator[Chunk]:
    data = repository.config.data
    header = _header(file, name, data.delimiter)
    row = 2
    with _csv_failures(file, name):
        for frame in csv_table.read_texts(file, data.delimiter, header, data.chunk_rows):
            yield Chunk(frame.set_axis(range(row, row + len(frame))), name, row)
            row += len(frame)


def _header(file: Path, name: str, delimiter: str) -> list[str]:
    """Return the column names of a CSV file, which must be unique and separated by the delimiter in model.toml."""
    with _csv_failures(file, name):
        header = csv_table.read_header(file, delimiter)
    if len(header) < 2:
        delimiters = [d for d in OTHER_DELIMITERS if d != delimiter and d in "".join(header)]
        hint = "The first line must name the columns."
        if delimiters:
            hint = f"The delimiter is probably {delimiters[0]!r}: set `delimiter = {_toml_string(delimiters[0])}`."
        raise DataUnreadable(f"{name}: with the delimiter {delimiter!r}, the header has only one column.", hint)
    _check_names(name, header)
    return header


def _check_names(file: str, names: list[str]) -> None:
    problem = find_name_problem(names)
    if problem:
        raise DataUnreadable(f"{file}: {problem}.", "Rename or remove one of the columns.")


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
    except csv_table.CsvError as error:
        raise DataUnreadable(f"{name}: {error.problem}.", error.hint) from error
    except csv.Error as error:
        raise DataUnreadable(f"{name}: {error}.", csv_table.COLUMNS) from error
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


def _parquet(repository: Repository, file: Path, name: str) -> Iterator[Chunk]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    row = 1
    try:
        with pq.ParquetFile(file) as parquet:
            _check_names(name, parquet.schema_arrow.names)
            for batch in parquet.iter_batches(repository.config.data.chunk_rows):
                frame = to_frame(batch)
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
