"""Fetched rows, in a folder with a manifest: the rows in the source's form, and a document about their source."""

import csv
import shutil
from collections.abc import Callable
from pathlib import Path

from pydantic import ValidationError

from gitops_ml.config import Repository
from gitops_ml.errors import IntegrityError
from gitops_ml.manifest import verify, write_atomically, write_manifest
from gitops_ml.run import Document

FILE = "pulled.json"
CSV, PARQUET = "rows.csv", "rows.parquet"


class PulledRows(Document):
    """Document about the rows in a folder.

    Attributes:
        source: Description of the source, for people.
        file: Name of the file with the rows; None if there are none.
        delimiter: Character between the columns of a CSV.
        notes: Notes for the reviewer, in sentences.
        missing: If there are no rows, the reason and what to do.
    """

    source: str
    file: str | None
    delimiter: str = ","
    notes: tuple[str, ...] = ()
    missing: str = ""


Fetch = Callable[[Repository, Path], PulledRows]


def fetch_into(repository: Repository, fetch: Fetch, folder: Path) -> tuple[PulledRows, str]:
    """Fetch rows into a folder, and write its manifest.

    Args:
        repository: Repository whose model.toml names the source.
        fetch: Function that fetches the rows into a folder.
        folder: Folder to write; its old content is removed.

    Returns:
        The fetched rows, and the digest of the folder's manifest.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    pulled = fetch(repository, folder)
    write_atomically(folder / FILE, pulled.to_json())
    return pulled, write_manifest(folder)


def load_pulled_rows(folder: Path, digest: str) -> PulledRows:
    """Verify a folder of fetched rows and load its document.

    Args:
        folder: Folder with the manifest.
        digest: Digest of the manifest.

    Returns:
        Document about the rows.

    Raises:
        IntegrityError: The folder is not the one that the digest names, or was written by another version of gitops.
    """
    verify(folder, digest)
    try:
        pulled = PulledRows.model_validate_json((folder / FILE).read_bytes())
    except (OSError, ValidationError) as error:
        raise _unknown_format(folder) from error
    if pulled.file not in {None, CSV, PARQUET}:
        raise _unknown_format(folder)
    return pulled


def _unknown_format(folder: Path) -> IntegrityError:
    return IntegrityError(f"{folder} was not written by this version of gitops.", "Run `gitops ingest` again.")


def with_rows_as_data(repository: Repository, folder: Path, pulled: PulledRows) -> Repository:
    """Return the repository with the fetched rows as its data, so that they are read and checked like the data.

    Args:
        repository: The repository.
        folder: Folder with the rows.
        pulled: Document about the rows.
    """
    config = repository.config
    changes = {"path": pulled.file, "query": None, "delimiter": pulled.delimiter}
    return Repository(folder, config.model_copy(update={"data": config.data.model_copy(update=changes)}))


def has_no_rows(file: Path, delimiter: str) -> bool:
    """Return whether a CSV has a header and no rows; errors in the file are found later, by the schema check.

    Args:
        file: The CSV file.
        delimiter: Character between columns.
    """
    with file.open(encoding="utf-8-sig", errors="replace", newline="") as stream:
        rows = csv.reader((line.replace("\0", "") for line in stream), delimiter=delimiter)
        return next(rows, None) is not None and not any(rows)
