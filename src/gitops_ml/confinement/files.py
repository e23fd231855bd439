"""Files that a confined process has left in its own folder, read after it and all its descendants have ended."""

import os
import stat
from pathlib import Path

from gitops_ml.confinement.channel import ConfinedError


def take_file(file: Path, limit: int) -> bytes:
    """Return the content of a regular file; links, pipes and devices are not opened or not read.

    Args:
        file: Path of the file.
        limit: Largest accepted size in bytes.

    Returns:
        The content.

    Raises:
        ConfinedError: There is no such file, it is no regular file with one name, or it is too large.
    """
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        descriptor = os.open(file, flags)
    except OSError as error:
        raise ConfinedError(f"it has left no file {file.name} ({error.strerror})") from error
    with open(descriptor, "rb") as stream:
        found = os.fstat(stream.fileno())
        if not stat.S_ISREG(found.st_mode) or found.st_nlink != 1:
            raise ConfinedError(f"{file.name}, which it has left, is no regular file")
        if found.st_size > limit:
            raise ConfinedError(f"{file.name}, which it has left, has {found.st_size} bytes; at most {limit} are read")
        content = stream.read(limit + 1)
    if len(content) != found.st_size:
        raise ConfinedError(f"{file.name}, which it has left, has changed while it was read")
    return content
