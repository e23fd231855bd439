"""Formats of fetched rows: CSV, Parquet and JSON, saved under a size limit and converted to CSV or Parquet."""

import csv
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal, get_args

import pandas as pd

from gitops_ml.config import Repository
from gitops_ml.errors import ConfigError, DataUnreadable
from gitops_ml.ingesting.pulled_rows import CSV, PARQUET, PulledRows, has_no_rows
from gitops_ml.rows.json_text import unique_keys

Format = Literal["csv", "parquet", "json"]
EXTENSIONS: dict[str, Format] = {
    "csv": "csv", "tsv": "csv", "txt": "csv", "parquet": "parquet", "pq": "parquet", "json": "json", "jsonl": "json",
    "ndjson": "json",
}  # fmt: skip
COMPRESSED = {"gz", "bz2", "xz", "zst", "zip"}
DELIMITERS = ",;\t|"
MAX_HEADER = 2**20  # bytes of a CSV header
NO_ROWS = (
    "the model needs labels: the source {source} has no rows. Put new rows there, each with its key and its label, "
    "and run `gitops ingest` again."
)


def detect_format(repository: Repository, name: str) -> Format:
    """Return the format that model.toml names, or else the one of the file's extension.

    Args:
        repository: Repository whose model.toml may name the format.
        name: Name of the file.

    Raises:
        ConfigError: Neither names a format.
    """
    configured = repository.config.ingest.format
    extensions = [extension for extension in name.lower().split(".")[1:] if extension not in COMPRESSED]
    file_format = configured or (EXTENSIONS.get(extensions[-1]) if extensions else None)
    if file_format is None:
        raise ConfigError(
            f"model.toml: [ingest] path: the format of {name!r} cannot be detected from its name.",
            f"Set `format` under [ingest]: {', '.join(get_args(Format))}.",
        )
    return file_format


def save_chunks(chunks: Iterable[bytes], file: Path, repository: Repository, source: str) -> None:
    """Write chunks to a file, and stop at the size limit.

    Args:
        chunks: The content.
        file: File to write.
        repository: Repository whose model.toml sets the limit, `max_mib` under [data].
        source: Description of the source, for the error message.

    Raises:
        DataUnreadable: The content is larger than the limit.
    """
    limit, size = repository.config.data.max_mib, 0
    with file.open("wb") as stream:
        for chunk in chunks:
            size += len(chunk)
            if size > limit * 2**20:
                raise DataUnreadable(
                    f"{source} is larger than the {limit} MiB that model.toml allows.",
                    "Raise `max_mib` under [data] if this machine has enough memory.",
                )
            stream.write(chunk)


def convert(raw: Path, file_format: Format, repository: Repository, source: str) -> PulledRows:
    """Convert a fetched file to CSV or Parquet in the same folder, and remove it.

    Args:
        raw: The fetched file.
        file_format: Format of the file.
        repository: Repository whose model.toml names the delimiter of the data.
        source: Description of the source, for messages.

    Returns:
        Document about the rows.

    Raises:
        DataUnreadable: The file is empty, or not in this format.
    """
    if raw.stat().st_size == 0:
        raise DataUnreadable(f"{source} is empty.", "It needs a header. Perhaps its export was interrupted.")
    missing = NO_ROWS.format(source=source)
    if file_format == "csv":
        delimiter = _detect_delimiter(raw, repository.config.data.delimiter)
        if has_no_rows(raw, delimiter):
            raw.unlink()
            return PulledRows(source=source, file=None, missing=missing)
        raw.replace(raw.with_name(CSV))
        return PulledRows(source=source, file=CSV, delimiter=delimiter)
    if file_format == "json":
        return save_table(_read_json(raw, source), raw.parent, source, missing, raw)
    raw.replace(raw.with_name(PARQUET))
    return _check_parquet(raw.with_name(PARQUET), source, missing)


def save_table(rows: pd.DataFrame, folder: Path, source: str, missing: str, raw: Path | None = None) -> PulledRows:
    """Write rows that have types already to Parquet.

    Args:
        rows: The rows.
        folder: Folder to write to.
        source: Description of the source.
        missing: Message if there are no rows.
        raw: File from which they were read; it is removed.

    Returns:
        Document about the rows.

    Raises:
        DataUnreadable: A column has values of several types.
    """
    import pyarrow as pa

    if raw:
        raw.unlink()
    if rows.empty:
        return PulledRows(source=source, file=None, missing=missing)
    try:
        rows.to_parquet(folder / PARQUET, index=False)
    except (pa.ArrowException, ValueError, TypeError) as error:
        raise DataUnreadable(
            f"{source}: {str(error).splitlines()[0]}", "Each column needs values of one type, without nested values."
        ) from error
    return PulledRows(source=source, file=PARQUET)


def _detect_delimiter(raw: Path, default: str) -> str:
    """Return the data's delimiter if the header has it, else the one that gives the most columns."""
    with raw.open("rb") as stream:
        header = stream.readline(MAX_HEADER).decode("utf-8-sig", errors="replace")
    if default in header:
        return default
    columns = {delimiter: len(next(csv.reader([header], delimiter=delimiter), [])) for delimiter in DELIMITERS}
    best = max(columns, key=lambda delimiter: columns[delimiter])
    return best if columns[best] > 1 else default


def _read_json(raw: Path, source: str) -> pd.DataFrame:
    """Return the rows of a list of objects, or of one object in each line."""
    try:
        text = raw.read_text(encoding="utf-8-sig")
        is_json_lines = text.lstrip()[:1] != "["
        rows: list[Any] = [_load(line) for line in text.split("\n") if line.strip()] if is_json_lines else _load(text)
    except (ValueError, RecursionError) as error:
        raise DataUnreadable(
            f"{source} is not JSON: {error}.", "It must be a list of objects, or one object in each line."
        ) from error
    nested = (
        value for row in rows if isinstance(row, dict) for value in row.values() if isinstance(value, list | dict)
    )
    if not all(isinstance(row, dict) for row in rows) or next(nested, None) is not None:
        raise DataUnreadable(
            f"{source} is JSON, but not one flat object for each row.", 'Write each row as {"column": value, ...}.'
        )
    names = dict.fromkeys(name for row in rows for name in row)
    # Objects: pandas would make floats of integers with gaps.
    return pd.DataFrame({name: pd.Series([row.get(name) for row in rows], dtype=object) for name in names})


def _load(text: str) -> Any:
    return json.loads(text, object_pairs_hook=unique_keys, parse_constant=_refuse_constant)


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no number of JSON")


def _check_parquet(file: Path, source: str, missing: str) -> PulledRows:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        rows = pq.read_metadata(file).num_rows
    except (pa.ArrowException, OSError) as error:
        raise DataUnreadable(
            f"{source} is not a complete Parquet file: {str(error).splitlines()[0]}",
            "Perhaps its copy was interrupted.",
        ) from error
    if rows:
        return PulledRows(source=source, file=PARQUET)
    file.unlink()
    return PulledRows(source=source, file=None, missing=missing)
