"""Manifests: digests of the files of a folder, which a record pins and every reader verifies before it opens a file."""

import functools
import hashlib
import json
import os
import re
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any, ParamSpec

from gitops_ml.errors import IntegrityError

FILE = "manifest.json"
MAX_BYTES = 2**30
# Names of files in a message, and characters of each: a manifest can have thousands.
SHOWN, MAX_NAME = 10, 80
P = ParamSpec("P")
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
        IntegrityError: The folder contains a link, or something that is neither a file nor a folder.
    """
    entries = {name: {"sha256": digest_file(folder / name), "bytes": (folder / name).stat().st_size}
               for name in _names(folder)}  # fmt: skip
    text = json.dumps(entries, indent=2, sort_keys=True) + "\n"
    write_atomically(folder / FILE, text)
    return digest_bytes(text.encode())


def _refuse_unreadable(function: Callable[P, None]) -> Callable[P, None]:
    """Decorate a function whose first argument is a folder: files that cannot be read become an IntegrityError."""

    @functools.wraps(function)
    def checked(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            function(*args, **kwargs)
        except OSError as error:
            raise _integrity_error(Path(str(args[0])), f"they cannot be read ({error.strerror or error})") from error

    return checked


@_refuse_unreadable
def verify(folder: Path, digest: str) -> None:
    """Check that the folder holds exactly the files that the manifest of this digest names, byte for byte.

    Args:
        folder: Folder with a manifest of `write_manifest`.
        digest: Digest of the manifest, from a record or the output of a job; never from a file beside the folder.

    Raises:
        IntegrityError: The digest is malformed, or a file is missing, added, changed, a link, too large, or cannot be
            read; or the manifest is not in the form of `write_manifest`.
    """
    entries = _read_entries(folder, digest)
    differing = set(_names(folder)) ^ set(entries)
    if differing:
        raise _integrity_error(folder, f"these files are missing or unexpected: {', '.join(sorted(differing))}")
    for name, entry in entries.items():
        _verify_entry(folder, name, entry)


@_refuse_unreadable
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
    return _parse_entries(folder, content)


def _verify_entry(folder: Path, name: str, entry: dict[str, Any]) -> None:
    """Check size and digest of a file."""
    if (folder / name).stat().st_size != entry["bytes"] or entry["bytes"] > MAX_BYTES:
        raise _integrity_error(folder, f"{name} does not have the size that the manifest names")
    if digest_file(folder / name) != entry["sha256"]:
        raise _integrity_error(folder, f"{name} was changed after it was written")


def _parse_entries(folder: Path, content: bytes) -> dict[str, dict[str, Any]]:
    """Return digest and size of each file; a manifest with the right digest may still have any content."""
    from gitops_ml.rows.json_text import unique_keys

    try:
        entries = json.loads(content, object_pairs_hook=unique_keys)
    except (ValueError, RecursionError) as error:
        raise _integrity_error(folder, f"its {FILE} is not JSON ({type(error).__name__})") from error
    if not isinstance(entries, dict):
        raise _integrity_error(folder, f"its {FILE} is not an object with an entry for each file")
    malformed = [name for name, entry in entries.items() if not _is_entry(entry)]
    if malformed:
        raise _integrity_error(folder, f"its {FILE} does not have digest and size of {_list_names(malformed)}")
    return entries


def _is_entry(entry: object) -> bool:
    """Return whether a value has the form of an entry: a digest, and a number of bytes."""
    if not isinstance(entry, dict) or set(entry) != {"sha256", "bytes"}:
        return False
    digest, size = entry["sha256"], entry["bytes"]
    return isinstance(digest, str) and bool(_DIGEST.fullmatch(digest)) and type(size) is int and size >= 0


def _list_names(names: Collection[str]) -> str:
    """Return the first names as text, and the number of the others."""
    others = len(names) - SHOWN
    shown = [name[:MAX_NAME] for name in sorted(names)[:SHOWN]]
    return ", ".join(shown) + (f" and {others} more" if others > 0 else "")


def _names(folder: Path) -> list[str]:
    """Return every file below the folder except the manifest, as sorted POSIX paths.

    Links, and what is neither a file nor a folder, are refused.
    """
    names = []
    for path in folder.rglob("*"):
        if path.is_symlink():
            raise _integrity_error(folder, f"{path.relative_to(folder)} is a link")
        if not path.is_file() and not path.is_dir():
            raise _integrity_error(folder, f"{path.relative_to(folder)} is neither a file nor a folder")
        if path.is_file() and path != folder / FILE:
            names.append(path.relative_to(folder).as_posix())
    return sorted(names)


def _integrity_error(folder: Path, reason: str, next_step: str = "") -> IntegrityError:
    return IntegrityError(
        f"The files in {folder} cannot be trusted: {reason}.",
        next_step or "No file in it was opened. Train again, or fetch the version again from the store.",
    )
