"""Append rows to the data so that what is there stays as it is, byte for byte in a CSV, row for row in Parquet."""

from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

import pandas as pd

from gitops_ml.config import Repository
from gitops_ml.errors import ConfigError, DataRefused
from gitops_ml.ingesting.dialect import Dialect, dialect_of, header, lines
from gitops_ml.manifest import digest_bytes

PARQUET = {".parquet", ".pq"}


@dataclass(frozen=True)
class Appended:
    """The file that a merge would write.

    Attributes:
        path: Where it lies in the repository.
        digest: Of the rows' content, whatever they are appended to.
        lines: The rows as lines of a CSV with its header; None for Parquet.
    """

    path: str
    digest: str
    lines: bytes | None


def is_glob(pattern: str) -> bool:
    """Whether the data lies in several files."""
    return any(sign in pattern for sign in "*?[")


def append(repository: Repository, files: list[Path], rows: pd.DataFrame, out: Path) -> Appended:
    """Write the data with the rows at its end; where it lies in several files, a new one beside the first.

    Args:
        repository: Whose data it is.
        files: The data's files, sorted.
        rows: With the schema's types.
        out: The folder that stands for the repository.

    Raises:
        DataRefused: The rows have other columns than the file.
        ConfigError: A new file would not be read.
    """
    pattern, first = str(repository.config.data.path), files[0]
    digest = _digest(rows)
    new = is_glob(pattern)
    kind = "parquet" if first.suffix in PARQUET else "csv"
    path = first.relative_to(repository.root)
    if new:
        path = path.with_name(f"ingested-{digest.removeprefix('sha256:')[:12]}.{kind}")
        _insist_on_reading(pattern, path)
    target = out / path
    target.parent.mkdir(parents=True, exist_ok=True)
    if kind == "parquet":
        _parquet(first, rows, target, new=new)
        return Appended(path.as_posix(), digest, None)
    written = _csv(first, repository.config.data.delimiter, rows, target, new=new)
    return Appended(path.as_posix(), digest, written)


def _digest(rows: pd.DataFrame) -> str:
    """Of the content alone: the same rows from another source have the same."""
    ordered, plain = rows[sorted(rows.columns)], Dialect()
    return digest_bytes(header(plain, list(ordered.columns)) + lines(plain, ordered))


def _insist_on_reading(pattern: str, path: Path) -> None:
    if not fnmatchcase(path.as_posix(), pattern):
        raise ConfigError(
            f"New rows would lie in {path.as_posix()}, which [data] path ({pattern!r}) does not match.",
            f"Widen it, for example to {path.with_name(f'*{path.suffix}').as_posix()!r}.",
        )


def _csv(first: Path, delimiter: str, rows: pd.DataFrame, target: Path, *, new: bool) -> bytes:
    dialect = dialect_of(first, delimiter)
    names = list(pd.read_csv(first, sep=delimiter, encoding="utf-8-sig", nrows=0, index_col=False).columns)
    _insist_on_columns(names, rows, first.name)
    top, more = header(dialect, names), lines(dialect, rows[names])
    here = top if new else first.read_bytes()
    if not here.endswith(b"\n"):
        here += dialect.terminator.encode()
    target.write_bytes(here + more)
    return top + more


def _parquet(first: Path, rows: pd.DataFrame, target: Path, *, new: bool) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    with pq.ParquetFile(first) as file:
        schema, metadata = file.schema_arrow, file.metadata
        here = schema.empty_table() if new else file.read()
    _insist_on_columns(schema.names, rows, first.name)
    groups = metadata.num_row_groups and metadata.num_columns
    compression = metadata.row_group(0).column(0).compression if groups else "SNAPPY"
    try:
        more = pa.Table.from_pandas(rows[schema.names], preserve_index=False).cast(schema)
    except (pa.ArrowException, ValueError) as error:
        raise DataRefused(
            f"The new rows do not fit the types of {first.name}: {str(error).splitlines()[0]}",
            "Mend the source, or give the file the types that schema.py asks for.",
        ) from error
    pq.write_table(pa.concat_tables([here, more]), target, compression=compression)


def _insist_on_columns(names: list[str], rows: pd.DataFrame, file: str) -> None:
    missing, extra = [n for n in names if n not in rows.columns], [n for n in rows.columns if n not in names]
    if missing:
        raise DataRefused(
            f"The new rows lack {', '.join(map(repr, missing))}, which {file} has.",
            "Let the source give these columns.",
        )
    if extra:
        raise DataRefused(
            f"The new rows have {', '.join(map(repr, extra))}, which {file} has not.",
            f"Leave these columns out at the source, or add them to {file} first.",
        )
