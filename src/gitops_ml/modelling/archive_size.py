"""The size to which a model file unpacks, from its table of contents: nothing is unpacked.

The sizes in the table bind: Python's zipfile reads no more of a part than its entry names.
"""

import io
import zipfile
from pathlib import Path
from typing import IO

# Deflate reaches a factor of a thousand with zeros; of thousands of trees, it makes a tenth.
MAX_FACTOR, SMALL = 50, 2**28
# The tree of objects is JSON, which needs twenty times as much as an object of Python.
TREE, MAX_TREE = "schema.json", 2**26
# Sparse matrices are archives of their own.
NESTED = ".npz"


def find_bomb(file: Path | IO[bytes]) -> str | None:
    """Return why a model file would need too much memory, as a phrase; None if it would not.

    A file that is no archive is none either: the loader says so.

    Args:
        file: Model file.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            parts = archive.infolist()
            tree = sum(part.file_size for part in parts if part.filename == TREE)
            packed, unpacked = sum(part.compress_size for part in parts), sum(part.file_size for part in parts)
            if tree > MAX_TREE:
                return f"has a description of its objects of {tree / 2**20:,.0f} MiB, more than {MAX_TREE // 2**20}"
            if _is_too_large(packed, unpacked):
                return _describe(packed, unpacked)
            for part in parts:
                if part.filename.endswith(NESTED) and (problem := find_bomb(io.BytesIO(archive.read(part)))):
                    return problem
    except (OSError, zipfile.BadZipFile, NotImplementedError, RuntimeError):
        return None
    return None


def _is_too_large(packed: int, unpacked: int) -> bool:
    return unpacked > max(SMALL, MAX_FACTOR * packed)


def _describe(packed: int, unpacked: int) -> str:
    return f"unpacks to {unpacked / 2**20:,.0f} MiB, {unpacked // max(packed, 1)} times its size"
