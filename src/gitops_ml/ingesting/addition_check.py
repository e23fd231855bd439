"""Check that a proposed data file only adds to the data.

The job that may write to the repository runs it, because the job that made the file is not trusted.
"""

import re
from fnmatch import fnmatchcase
from pathlib import Path

from gitops_ml.config import Repository
from gitops_ml.errors import IntegrityError
from gitops_ml.ingesting.append import PARQUET, is_glob

NEW_FILE = re.compile(r"ingested-[0-9a-f]{12}\.(csv|parquet)")


def check_is_addition(repository: Repository, path: str, file: Path) -> None:
    """Raise unless a file is the data with rows added, at a path that belongs to the data.

    Args:
        repository: Repository with the data that the file would replace.
        path: Path in the repository to write the file to.
        file: The file.

    Raises:
        IntegrityError: The file changes existing data, or the path does not belong to the data.
    """
    pattern = str(repository.config.data.path)
    existing = repository.root / path
    if is_glob(pattern):
        is_data_path = (
            bool(NEW_FILE.fullmatch(Path(path).name)) and fnmatchcase(path, pattern) and ".." not in Path(path).parts
        )
        if not is_data_path or existing.exists():
            raise _not_an_addition(path, "it is not a new file beside the data")
    elif path != pattern:
        raise _not_an_addition(path, f"the data is {pattern!r}")
    elif not (_keeps_rows(existing, file) if existing.suffix in PARQUET else _keeps_bytes(existing, file)):
        raise _not_an_addition(path, "existing rows would change")


def _keeps_bytes(existing: Path, file: Path) -> bool:
    """Return whether a file begins with the whole content of the existing file, up to the end of its last line."""
    size, chunk, end = existing.stat().st_size, 2**20, b"\n"
    if file.stat().st_size <= size:
        return False
    with existing.open("rb") as old, file.open("rb") as new:
        while content := old.read(chunk):
            if new.read(len(content)) != content:
                return False
            end = content[-1:]
        # Without a line break, the added text would continue the last existing value.
        return end == b"\n" or new.read(2).removeprefix(b"\r").startswith(b"\n")


def _keeps_rows(existing: Path, file: Path) -> bool:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        before, after = pq.ParquetFile(existing).read(), pq.ParquetFile(file).read()
    except (pa.ArrowException, OSError):
        return False
    if before.schema != after.schema or after.num_rows <= before.num_rows:
        return False
    # Compared by pandas, for which NaN at the same position is equal.
    return bool(after.slice(0, before.num_rows).to_pandas().equals(before.to_pandas()))


def _not_an_addition(path: str, reason: str) -> IntegrityError:
    return IntegrityError(
        f"The proposed content of {path!r} is not an addition: {reason}.",
        "Nothing was proposed. Run `gitops ingest` again.",
    )
