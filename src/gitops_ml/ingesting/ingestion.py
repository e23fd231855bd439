"""What the data pull request would do, as one job hands it to the next."""

from pathlib import Path
from typing import Annotated, Any

from pydantic import StringConstraints, ValidationError

from gitops_ml.config import Repository
from gitops_ml.errors import IntegrityError
from gitops_ml.manifest import digest_json, verify
from gitops_ml.run import Document

FILE = "ingestion.json"
# The file itself, by a name that no path of the repository can have.
DATA = "file"
BODY = "body.md"


class Ingestion(Document):
    """An addition to the data that was checked.

    Attributes:
        source: Where the rows came from, in words.
        path: The file that would be written.
        base: What the data was when it was checked.
        digest: Of the rows' content.
        rows: How many are added.
        known: How many the source has that are here already.
        notes: What people must know, in sentences.
        does: What the rows do to the data.
        answers: How the champion answers them; None without champion.
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
        """The first twelve digits of the digest."""
        return self.digest.removeprefix("sha256:")[:12]


def read(folder: Path, digest: str) -> Ingestion:
    """Verify the folder of an ingestion, then read what it says.

    Raises:
        IntegrityError: It is not the one that the digest names.
    """
    verify(folder, digest)
    try:
        found = Ingestion.model_validate_json((folder / FILE).read_bytes())
    except (OSError, ValidationError) as error:
        raise IntegrityError(
            f"{folder} was not written by this version of gitops.", "Run `gitops ingest` again."
        ) from error
    return found


def base(repository: Repository, digests: dict[Path, str]) -> str:
    """What tells one state of the data from another.

    Args:
        repository: Whose data it is.
        digests: Of its files.
    """
    named = {file.relative_to(repository.root).as_posix(): digest for file, digest in digests.items()}
    return digest_json([str(repository.config.data.path), named])
