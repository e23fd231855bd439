"""CSV, Parquet and JSON from elsewhere: landed under a limit, and in a form that is read as the data is."""

import csv
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal, get_args

import pandas as pd

from gitops_ml.config import Repository
from gitops_ml.errors import ConfigError, DataUnreadable
from gitops_ml.ingesting.pulled import CSV, PARQUET, Pulled, is_empty

Format = Literal["csv", "parquet", "json"]
ENDINGS: dict[str, Format] = {
    "csv": "csv", "tsv": "csv", "txt": "csv", "parquet": "parquet", "pq": "parquet", "json": "json", "jsonl": "json",
    "ndjson": "json",
}  # fmt: skip
PACKED = {"gz", "bz2", "xz", "zst", "zip"}
DELIMITERS = ",;\t|"
HEADER = 2**20  # of a CSV: no header is longer
NOTHING = (
    "needs labels: the source {source} has no rows. Put new rows there, each with its key and its truth, and run "
    "`gitops ingest` again."
)


def of(repository: Repository, name: str) -> Format:
    """The format of what is read: by model.toml, or else by its name.

    Raises:
        ConfigError: Neither says.
    """
    named = repository.config.ingest.format
    endings = [ending for ending in name.lower().split(".")[1:] if ending not in PACKED]
    found = named or (ENDINGS.get(endings[-1]) if endings else None)
    if found is None:
        raise ConfigError(
            f"model.toml: [ingest] path: the name {name!r} does not say in which format it is.",
            f"Set `format` under [ingest]: {', '.join(get_args(Format))}.",
        )
    return found


def land(pieces: Iterable[bytes], file: Path, repository: Repository, source: str) -> None:
    """Write what comes, and stop when it becomes too much.

    Raises:
        DataUnreadable: It is larger than `max_mib`.
    """
    limit, size = repository.config.data.max_mib, 0
    with file.open("wb") as stream:
        for piece in pieces:
            size += len(piece)
            if size > limit * 2**20:
                raise DataUnreadable(
                    f"{source} is larger than the {limit} MiB that model.toml allows.",
                    "Raise `max_mib` under [data] if this machine has the memory for it.",
                )
            stream.write(piece)


def settle(raw: Path, kind: Format, repository: Repository, source: str) -> Pulled:
    """Bring what has landed into a form that is read as the data is, beside where it landed; the raw file goes.

    Raises:
        DataUnreadable: It is empty, or no JSON of rows.
    """
    if raw.stat().st_size == 0:
        raise DataUnreadable(f"{source} is empty.", "It needs a header; perhaps its export was cut off.")
    missing = NOTHING.format(source=source)
    if kind == "csv":
        delimiter = _delimiter(raw, repository.config.data.delimiter)
        if is_empty(raw, delimiter):
            raw.unlink()
            return Pulled(source=source, file=None, missing=missing)
        raw.replace(raw.with_name(CSV))
        return Pulled(source=source, file=CSV, delimiter=delimiter)
    if kind == "json":
        return table(_records(raw, source), raw.parent, source, missing, raw)
    raw.replace(raw.with_name(PARQUET))
    return _parquet(raw.with_name(PARQUET), source, missing)


def table(rows: pd.DataFrame, folder: Path, source: str, missing: str, raw: Path | None = None) -> Pulled:
    """Keep rows that have types already.

    Args:
        rows: As the source gave them.
        folder: Where to.
        source: In words.
        missing: What to say where there are none.
        raw: What they were read from, and that is not needed any more.

    Raises:
        DataUnreadable: A column holds values of several types.
    """
    import pyarrow as pa

    if raw:
        raw.unlink()
    if rows.empty:
        return Pulled(source=source, file=None, missing=missing)
    try:
        rows.to_parquet(folder / PARQUET, index=False)
    except (pa.ArrowException, ValueError, TypeError) as error:
        raise DataUnreadable(
            f"{source}: {str(error).splitlines()[0]}", "Each column needs values of one type, and none within another."
        ) from error
    return Pulled(source=source, file=PARQUET)


def _delimiter(raw: Path, ours: str) -> str:
    """What cuts the header: what cuts the data's, or else what cuts it most often."""
    with raw.open("rb") as stream:
        header = stream.readline(HEADER).decode("utf-8-sig", errors="replace")
    if ours in header:
        return ours
    cut = {delimiter: len(next(csv.reader([header], delimiter=delimiter), [])) for delimiter in DELIMITERS}
    most = max(cut, key=lambda delimiter: cut[delimiter])
    return most if cut[most] > 1 else ours


def _records(raw: Path, source: str) -> pd.DataFrame:
    """Rows out of a list of objects, or of an object in each line."""
    try:
        text = raw.read_text(encoding="utf-8-sig")
        lines = text.lstrip()[:1] != "["
        found: list[Any] = (
            [json.loads(line) for line in text.splitlines() if line.strip()] if lines else json.loads(text)
        )
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise DataUnreadable(
            f"{source} is not JSON: {error}.", "It must be a list of objects, or one in each line."
        ) from error
    nested = (
        value for row in found if isinstance(row, dict) for value in row.values() if isinstance(value, list | dict)
    )
    if not all(isinstance(row, dict) for row in found) or next(nested, None) is not None:
        raise DataUnreadable(
            f"{source} is JSON, but not one flat object for each row.", 'Each row is {"column": value, ...}.'
        )
    return pd.DataFrame(found)


def _parquet(file: Path, source: str, missing: str) -> Pulled:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        rows = pq.read_metadata(file).num_rows
    except (pa.ArrowException, OSError) as error:
        raise DataUnreadable(
            f"{source} is not a whole Parquet file: {str(error).splitlines()[0]}", "Perhaps its copy was cut off."
        ) from error
    if rows:
        return Pulled(source=source, file=PARQUET)
    file.unlink()
    return Pulled(source=source, file=None, missing=missing)
