"""Append rows to the data without changing existing rows: byte for byte in a CSV, row for row in Parquet."""

from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

import pandas as pd

from gitops_ml.config import DataConfig, Repository
from gitops_ml.errors import ConfigError, DataRefused
from gitops_ml.ingesting.dialect import Dialect, detect_dialect, format_header, format_rows
from gitops_ml.manifest import digest_bytes
from gitops_ml.rows.cell_rules import cell_rules
from gitops_ml.rows.csv_table import read_header

PARQUET = {".parquet", ".pq"}


@dataclass(frozen=True)
class AppendResult:
    """The written file.

    Attributes:
        path: Path of the file in the repository.
        digest: Digest of the added rows; it does not depend on the file to which they are appended.
        lines: The added rows as CSV with a header; None for Parquet.
    """

    path: str
    digest: str
    lines: bytes | None


def is_glob(pattern: str) -> bool:
    """Return whether the data's path is a pattern for several files.

    Args:
        pattern: `path` under [data] in model.toml.
    """
    return any(character in pattern for character in "*?[")


def append_rows(repository: Repository, files: list[Path], rows: pd.DataFrame, out: Path) -> AppendResult:
    """Write the data with rows appended; if the data has several files, write a new file beside the first.

    Args:
        repository: Repository of the data.
        files: Files of the data, sorted.
        rows: Rows to append, with the types of the schema.
        out: Folder to write to, with the repository's paths below it.

    Returns:
        The written file.

    Raises:
        DataRefused: The rows have other columns or types than the file.
        ConfigError: `path` under [data] does not match the new file.
    """
    pattern, first = str(repository.config.data.path), files[0]
    digest = _digest(rows)
    new = is_glob(pattern)
    extension = "parquet" if first.suffix in PARQUET else "csv"
    path = first.relative_to(repository.root)
    if new:
        path = path.with_name(f"ingested-{digest.removeprefix('sha256:')[:12]}.{extension}")
        _check_matches(pattern, path)
    target = out / path
    target.parent.mkdir(parents=True, exist_ok=True)
    if extension == "parquet":
        _write_parquet(first, rows, target, new=new)
        return AppendResult(path.as_posix(), digest, None)
    lines = _write_csv(first, repository.config.data, rows, target, new=new)
    return AppendResult(path.as_posix(), digest, lines)


def _digest(rows: pd.DataFrame) -> str:
    """Return a digest of the content alone; the same rows from another source have the same."""
    ordered, plain = rows[sorted(rows.columns)], Dialect()
    return digest_bytes(format_header(plain, list(ordered.columns)) + format_rows(plain, ordered))


def _check_matches(pattern: str, path: Path) -> None:
    if not fnmatchcase(path.as_posix(), pattern):
        raise ConfigError(
            f"The new file {path.as_posix()} would not match `path` under [data] in model.toml ({pattern!r}).",
            f"Widen the pattern, for example to {path.with_name(f'*{path.suffix}').as_posix()!r}.",
        )


def _write_csv(first: Path, data: DataConfig, rows: pd.DataFrame, target: Path, *, new: bool) -> bytes:
    dialect = detect_dialect(first, data.delimiter)
    names = read_header(first, data.delimiter)
    _check_columns(names, rows, first.name)
    header, lines = format_header(dialect, names), format_rows(dialect, rows[names], cell_rules(data))
    existing = header if new else first.read_bytes()
    if not existing.endswith(b"\n"):
        existing += dialect.terminator.encode()
    target.write_bytes(existing + lines)
    return header + lines


def _write_parquet(first: Path, rows: pd.DataFrame, target: Path, *, new: bool) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    with pq.ParquetFile(first) as file:
        schema, metadata = file.schema_arrow, file.metadata
        existing = schema.empty_table() if new else file.read()
    _check_columns(schema.names, rows, first.name)
    groups = metadata.num_row_groups and metadata.num_columns
    compression = metadata.row_group(0).column(0).compression if groups else "SNAPPY"
    try:
        added = pa.Table.from_pandas(rows[schema.names], preserve_index=False).cast(schema)
    except (pa.ArrowException, ValueError) as error:
        raise DataRefused(
            f"The new rows do not fit the types of {first.name}: {str(error).splitlines()[0]}",
            "Fix the source, or give the file the types of schema.py.",
        ) from error
    pq.write_table(pa.concat_tables([existing, added]), target, compression=compression)


def _check_columns(names: list[str], rows: pd.DataFrame, file: str) -> None:
    missing, extra = [n for n in names if n not in rows.columns], [n for n in rows.columns if n not in names]
    if missing:
        raise DataRefused(
            f"The new rows lack the columns {', '.join(map(repr, missing))} of {file}.",
            "Add these columns at the source.",
        )
    if extra:
        raise DataRefused(
            f"The new rows have the columns {', '.join(map(repr, extra))}, which {file} does not have.",
            f"Remove these columns at the source, or add them to {file} first.",
        )
