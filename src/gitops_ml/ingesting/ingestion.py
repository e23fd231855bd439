"""The ingestion: a checked addition to the data, which one job hands to the job that opens the pull request."""

from pathlib import Path
from typing import Annotated, Any

from pydantic import StringConstraints, ValidationError

from gitops_ml.config import Repository
from gitops_ml.errors import IntegrityError
from gitops_ml.manifest import digest_json, verify
from gitops_ml.run import Document

FILE = "ingestion.json"
# Name of the data file in the folder; no path of the repository can be equal to it.
DATA = "file"
BODY = "body.md"


class Ingestion(Document):
    """A checked addition to the data.

    Attributes:
        source: Description of the source of the rows.
        path: Path of the file to write.
        base: Digest of the state of the data when the addition was checked.
        digest: Digest of the added rows' content.
        rows: Number of added rows.
        known: Number of fetched rows that the data has already.
        notes: Notes for the reviewer, in sentences.
        does: Effects of the added rows on the data.
        answers: Performance of the champion on the added rows; None if there is no champion.
    """

    source: str
    path: str
    base: str
    digest: Annotated[str, StringConstraints(pattern=r"^sha256:[0-9a-f]{64}$")]
    rows: int
    known: int
    notes: tuple[str, ...]
    does: dict[str, Any]
    answers: dict[str, Any] | None

    @property
    def short(self) -> str:
        """First twelve digits of the digest."""
        return self.digest.removeprefix("sha256:")[:12]


def load_ingestion(folder: Path, digest: str) -> Ingestion:
    """Verify the folder of an ingestion and load it.

    Args:
        folder: Folder with the manifest.
        digest: Digest of the manifest.

    Returns:
        The ingestion.

    Raises:
        IntegrityError: The folder is not the one that the digest names, or was written by another version of gitops.
    """
    verify(folder, digest)
    try:
        return Ingestion.model_validate_json((folder / FILE).read_bytes())
    except (OSError, ValidationError) as error:
        raise IntegrityError(
            f"{folder} was not written by this version of gitops.", "Run `gitops ingest` again."
        ) from error


def base_digest(repository: Repository, digests: dict[Path, str]) -> str:
    """Return a digest of the state of the data.

    Args:
        repository: Repository of the data.
        digests: Digest of each of its files.
    """
    by_name = {file.relative_to(repository.root).as_posix(): digest for file, digest in digests.items()}
    return digest_json([str(repository.config.data.path), by_name])
