"""Nothing but an addition: what the job with the pen insists on, whoever made the file that it is to propose."""

import re
from fnmatch import fnmatchcase
from pathlib import Path

from gitops_ml.config import Repository
from gitops_ml.errors import IntegrityError
from gitops_ml.ingesting.append import PARQUET, is_glob

NEW = re.compile(r"ingested-[0-9a-f]{12}\.(csv|parquet)")


def insist_on_additions(repository: Repository, path: str, file: Path) -> None:
    """Check that a file, whoever made it, is the data with something added, and lies where data may.

    Args:
        repository: With the data that the file would replace.
        path: Where it would lie.
        file: It.

    Raises:
        IntegrityError: It is not.
    """
    pattern = str(repository.config.data.path)
    here = repository.root / path
    if is_glob(pattern):
        fits = bool(NEW.fullmatch(Path(path).name)) and fnmatchcase(path, pattern) and ".." not in Path(path).parts
        if not fits or here.exists():
            raise _altered(path, "it is no new file beside the data")
    elif path != pattern:
        raise _altered(path, f"the data is {pattern!r}")
    elif not (_same_rows(here, file) if here.suffix in PARQUET else _begins(here, file)):
        raise _altered(path, "what is there would change")


def _begins(here: Path, file: Path) -> bool:
    """Whether a file begins with all that another holds, its last line included."""
    size, piece, end = here.stat().st_size, 2**20, b"\n"
    if file.stat().st_size <= size:
        return False
    with here.open("rb") as left, file.open("rb") as right:
        while known := left.read(piece):
            if right.read(len(known)) != known:
                return False
            end = known[-1:]
        # Or what is added would go on with the last value that is there.
        return end == b"\n" or right.read(2).removeprefix(b"\r").startswith(b"\n")


def _same_rows(here: Path, file: Path) -> bool:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        before, after = pq.ParquetFile(here).read(), pq.ParquetFile(file).read()
    except (pa.ArrowException, OSError):
        return False
    if before.schema != after.schema or after.num_rows <= before.num_rows:
        return False
    # A NaN equals no other; as written to a file, it does.
    return bool(after.slice(0, before.num_rows).to_pandas().equals(before.to_pandas()))


def _altered(path: str, why: str) -> IntegrityError:
    return IntegrityError(
        f"What would be proposed for {path!r} is not an addition: {why}.",
        "Nothing was proposed. Run `gitops ingest` again.",
    )
