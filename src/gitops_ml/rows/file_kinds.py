"""Files that are no tables: pointers to data that lies elsewhere, and compressed files."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class FileKind:
    """A kind of file that is no table.

    Attributes:
        name: Name of the kind, as an object of "is".
        advice: Instruction to get the table.
    """

    name: str
    advice: str


POINTER_SIZE = 1024  # bytes; a pointer is smaller
GIT_LFS = FileKind(
    "a pointer of Git LFS, not the data",
    "Run `git lfs pull`. In a workflow, add `lfs: true` to actions/checkout in the jobs that read the data.",
)
DVC = FileKind(
    "a pointer of DVC, not the data",
    "Run `dvc pull`, and set `path` under [data] to the file that it fetches. In a workflow, run it in "
    ".github/actions/login, which is yours and runs before data is read.",
)
GZIP = FileKind("compressed with gzip", "Unpack it (`gzip -d`), or save the rows as Parquet, which is compressed.")
ZIP = FileKind(
    "a zip archive or a workbook of a spreadsheet", "Unpack it, or save the sheet as 'CSV UTF-8' or as Parquet."
)


def find_other_kind(file: Path) -> FileKind | None:
    """Return the kind of a file that is no table; None if it may be one.

    The formats: Git LFS's specification (https://git-lfs.com), DVC's .dvc files (https://dvc.org/doc), RFC 1952 (gzip),
    and PKWARE's APPNOTE (zip).

    Args:
        file: The file.
    """
    with file.open("rb") as stream:
        start = stream.read(POINTER_SIZE)
    is_small = file.stat().st_size < POINTER_SIZE
    if start.startswith(b"\x1f\x8b"):
        return GZIP
    if start.startswith(b"PK\x03\x04"):
        return ZIP
    if start.startswith(b"version https://git-lfs.github.com/spec/"):
        return GIT_LFS
    return DVC if is_small and any(line.startswith(b"outs:") for line in start.splitlines()) else None
