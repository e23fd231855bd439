"""Manifests: digests of the files of a folder, which a record pins and every reader verifies before it opens a file."""

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
    """Return the digest of bytes: `sha256:` and 64 hexadecimal digits.

    Args:
        content: Bytes to digest.
    """
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def digest_file(file: Path) -> str:
    """Return the digest of a file, which is read in chunks.

    Args:
        file: Path of the file.
    """
    with file.open("rb") as stream:
        return f"sha256:{hashlib.file_digest(stream, 'sha256').hexdigest()}"


def digest_json(value: Any) -> str:
    """Return the digest of a JSON value; the order of keys does not matter.

    Args:
        value: Value that can be written as JSON.
    """
    return digest_bytes(json.dumps(value, sort_keys=True, separators=(",", ":"), default=str).encode())


def write_atomically(file: Path, text: str) -> None:
    """Write a text file so that readers see the old content or the new one, even if the process is killed.

    Args:
        file: Path of the file; missing folders are created.
        text: New content.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    partial = file.with_name(f".{file.name}.{os.getpid()}")
    partial.write_text(text, encoding="utf-8", newline="\n")
    partial.replace(file)


def write_manifest(folder: Path) -> str:
    """Write the manifest of all files in a folder.

    Args:
        folder: Folder with the files; the manifest is written into it.

    Returns:
        The digest of the manifest.

    Raises:
        IntegrityError: The folder contains a link.
    """
    entries = {name: {"sha256": digest_file(folder / name), "bytes": (folder / name).stat().st_size}
               for name in _names(folder)}  # fmt: skip
    text = json.dumps(entries, indent=2, sort_keys=True) + "\n"
    write_atomically(folder / FILE, text)
    return digest_bytes(text.encode())


def verify(folder: Path, digest: str) -> None:
    """Check that the folder holds exactly the files that the manifest of this digest names, byte for byte.

    Args:
        folder: Folder with a manifest of `write_manifest`.
        digest: Digest of the manifest, from a record or the output of a job; never from a file beside the folder.

    Raises:
        IntegrityError: The digest is malformed, or a file is missing, added, changed, a link, or too large.
    """
    entries = _read_entries(folder, digest)
    differing = set(_names(folder)) ^ set(entries)
    if differing:
        raise _integrity_error(folder, f"these files are missing or unexpected: {', '.join(sorted(differing))}")
    for name, entry in entries.items():
        _verify_entry(folder, name, entry)


def verify_file(folder: Path, digest: str, name: str) -> None:
    """Check one file against the manifest of this digest; other files may be missing.

    Args:
        folder: Folder with the manifest and the file.
        digest: Digest of the manifest, from a record or the output of a job.
        name: Name of the file.

    Raises:
        IntegrityError: The digest is malformed, or the manifest or the file is missing, changed, a link, or too large.
    """
    entries = _read_entries(folder, digest)
    if name not in entries or (folder / name).is_symlink() or not (folder / name).is_file():
        raise _integrity_error(folder, f"{name} is missing or is not a regular file")
    _verify_entry(folder, name, entries[name])


def _read_entries(folder: Path, digest: str) -> dict[str, dict[str, Any]]:
    """Return the entries of a folder's manifest, after its digest was checked."""
    if not _DIGEST.fullmatch(digest):
        raise _integrity_error(
            folder, f"{digest!r} is not a digest", "A digest is `sha256:` and 64 hexadecimal digits."
        )
    manifest = folder / FILE
    if not manifest.is_file() or manifest.is_symlink() or manifest.stat().st_size > 2**20:
        raise _integrity_error(folder, f"its {FILE} is missing or is not a regular file")
    content = manifest.read_bytes()
    if digest_bytes(content) != digest:
        raise _integrity_error(folder, f"its {FILE} has the digest {digest_bytes(content)}, but {digest} is expected")
    entries: dict[str, dict[str, Any]] = json.loads(content)
    return entries


def _verify_entry(folder: Path, name: str, entry: dict[str, Any]) -> None:
    """Check size and digest of a file."""
    if (folder / name).stat().st_size != entry["bytes"] or entry["bytes"] > MAX_BYTES:
        raise _integrity_error(folder, f"{name} does not have the size that the manifest names")
    if digest_file(folder / name) != entry["sha256"]:
        raise _integrity_error(folder, f"{name} was changed after it was written")


def _names(folder: Path) -> list[str]:
    """Return every file below the folder except the manifest, as sorted POSIX paths; links are refused."""
    names = []
    for path in folder.rglob("*"):
        if path.is_symlink():
            raise _integrity_error(folder, f"{path.relative_to(folder)} is a link")
        if path.is_file() and path != folder / FILE:
            names.append(path.relative_to(folder).as_posix())
    return sorted(names)


def _integrity_error(folder: Path, reason: str, next_step: str = "") -> IntegrityError:
    return IntegrityError(
        f"The files in {folder} cannot be trusted: {reason}.",
        next_step or "No file in it was opened. Train again, or fetch the version again from the store.",
    )
