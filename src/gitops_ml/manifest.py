"""The digests of a folder's files: what a record pins, and what every reader verifies before it opens anything."""

import hashlib
import json
import os
import re
from pathlib import Path
from typing import Any

from gitops_ml.errors import IntegrityError

FILE = "manifest.json"
MAX_BYTES = 2**30
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


def digest_bytes(content: bytes) -> str:
    """`sha256:` and the hexadecimal digest of these bytes."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def digest_file(file: Path) -> str:
    """The digest of one file, read in pieces."""
    with file.open("rb") as stream:
        return f"sha256:{hashlib.file_digest(stream, 'sha256').hexdigest()}"


def digest_json(value: Any) -> str:
    """The digest of a JSON value, whatever the order of its keys."""
    return digest_bytes(json.dumps(value, sort_keys=True, separators=(",", ":"), default=str).encode())


def write_atomically(file: Path, text: str) -> None:
    """Write a text file so that a reader, or a kill, sees the old content or the new one, never half."""
    file.parent.mkdir(parents=True, exist_ok=True)
    partial = file.with_name(f".{file.name}.{os.getpid()}")
    partial.write_text(text, encoding="utf-8", newline="\n")
    partial.replace(file)


def seal(folder: Path) -> str:
    """Write the manifest of everything in the folder and return the manifest's own digest."""
    entries = {name: {"sha256": digest_file(folder / name), "bytes": (folder / name).stat().st_size}
               for name in _names(folder)}  # fmt: skip
    text = json.dumps(entries, indent=2, sort_keys=True) + "\n"
    write_atomically(folder / FILE, text)
    return digest_bytes(text.encode())


def verify(folder: Path, digest: str) -> None:
    """Check that the folder holds exactly the files that the manifest of this digest names, byte for byte.

    Args:
        folder: A folder that `seal` wrote.
        digest: What `seal` returned, from a record or a job output, never from beside the folder.

    Raises:
        IntegrityError: The digest is malformed, or a file is missing, added, changed, a link, or too large.
    """
    if not _DIGEST.fullmatch(digest):
        raise _broken(folder, f"{digest!r} is not a digest", "A digest is `sha256:` and 64 hexadecimal digits.")
    manifest = folder / FILE
    if not manifest.is_file() or manifest.is_symlink() or manifest.stat().st_size > 2**20:
        raise _broken(folder, f"its {FILE} is missing or is not an ordinary file")
    content = manifest.read_bytes()
    if digest_bytes(content) != digest:
        raise _broken(folder, f"its {FILE} has the digest {digest_bytes(content)}, but {digest} is expected")
    entries: dict[str, dict[str, Any]] = json.loads(content)
    strangers = set(_names(folder)) ^ set(entries)
    if strangers:
        raise _broken(folder, f"these files are missing or do not belong there: {', '.join(sorted(strangers))}")
    for name, entry in entries.items():
        if (folder / name).stat().st_size != entry["bytes"] or entry["bytes"] > MAX_BYTES:
            raise _broken(folder, f"{name} does not have the size that its manifest names")
        if digest_file(folder / name) != entry["sha256"]:
            raise _broken(folder, f"{name} was changed after it was written")


def _names(folder: Path) -> list[str]:
    """Every file below the folder but the manifest, as sorted POSIX paths; links are refused."""
    names = []
    for path in folder.rglob("*"):
        if path.is_symlink():
            raise _broken(folder, f"{path.relative_to(folder)} is a link")
        if path.is_file() and path != folder / FILE:
            names.append(path.relative_to(folder).as_posix())
    return sorted(names)


def _broken(folder: Path, why: str, next: str = "") -> IntegrityError:
    return IntegrityError(
        f"The files in {folder} cannot be trusted: {why}.",
        next or "Nothing in it was opened. Train again, or fetch the version again from the store.",
    )
