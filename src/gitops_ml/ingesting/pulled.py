"""What was fetched, in a sealed folder: the rows as the source gave them, and a word about where they came from."""

import csv
import shutil
from collections.abc import Callable
from pathlib import Path

from pydantic import ValidationError

from gitops_ml.config import Repository
from gitops_ml.errors import IntegrityError
from gitops_ml.manifest import seal, verify, write_atomically
from gitops_ml.run import Document

FILE = "pulled.json"
CSV, PARQUET = "rows.csv", "rows.parquet"


class Pulled(Document):
    """What lies in the folder.

    Attributes:
        source: Where the rows came from, in words for people.
        file: Their name in the folder; None where there is not a single row.
        delimiter: Between the columns of a CSV.
        notes: What people must know of them, in sentences.
        missing: Why there are none, and how to bring some, where there are none.
    """

    source: str
    file: str | None
    delimiter: str = ","
    notes: tuple[str, ...] = ()
    missing: str = ""


Fetch = Callable[[Repository, Path], Pulled]


def keep(repository: Repository, fetch: Fetch, folder: Path) -> tuple[Pulled, str]:
    """Fetch rows into a folder, and seal it; what lay there from an earlier time is gone.

    Args:
        repository: Whose model.toml names the source.
        fetch: Puts the rows into a folder.
        folder: Where.

    Returns:
        What was fetched, and the digest of the folder's manifest.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    pulled = fetch(repository, folder)
    write_atomically(folder / FILE, pulled.to_json())
    return pulled, seal(folder)


def read(folder: Path, digest: str) -> Pulled:
    """Verify such a folder, then read what it holds.

    Raises:
        IntegrityError: It is not the one that the digest names.
    """
    verify(folder, digest)
    try:
        pulled = Pulled.model_validate_json((folder / FILE).read_bytes())
    except (OSError, ValidationError) as error:
        raise _strange(folder) from error
    if pulled.file not in {None, CSV, PARQUET}:
        raise _strange(folder)
    return pulled


def _strange(folder: Path) -> IntegrityError:
    return IntegrityError(f"{folder} was not written by this version of gitops.", "Run `gitops ingest` again.")


def as_data(repository: Repository, folder: Path, pulled: Pulled) -> Repository:
    """The same repository with these rows as its data, so that they are read and checked as the data is."""
    config = repository.config
    here = {"path": pulled.file, "query": None, "delimiter": pulled.delimiter}
    return Repository(folder, config.model_copy(update={"data": config.data.model_copy(update=here)}))


def is_empty(file: Path, delimiter: str) -> bool:
    """Whether a CSV has a header and nothing below it; what cannot be read is left to whoever says why."""
    with file.open(encoding="utf-8-sig", errors="replace", newline="") as stream:
        rows = csv.reader((line.replace("\0", "") for line in stream), delimiter=delimiter)
        return next(rows, None) is not None and not any(rows)
