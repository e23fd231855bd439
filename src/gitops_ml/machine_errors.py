"""Errors of the machine: a full disk, a folder that cannot be written, and what else is no bug of the library."""

import errno
import re
import shutil

from gitops_ml.errors import MachineError

FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
FORBIDDEN = {errno.EROFS, errno.EACCES, errno.EPERM}
MISPLACED = {errno.EEXIST, errno.ENOTDIR, errno.EISDIR, errno.ELOOP, errno.ENAMETOOLONG, errno.EXDEV}
BROKEN = {errno.EIO, errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ESTALE}
NUMBER = re.compile(r"\[Errno (\d+)\] ([^:'\"]+)")


def find_machine_error(error: BaseException | None) -> MachineError | None:
    """Return the error to show if the machine caused an exception; None if it did not.

    Args:
        error: Exception; its causes are searched too, because libraries wrap errors of the operating system.
    """
    while error is not None:
        if isinstance(error, MemoryError):
            return MachineError(
                f"The memory of this machine does not suffice{_details(str(error))}.",
                "Use a machine with more memory, or fewer rows.",
            )
        described = _describe(error) if isinstance(error, OSError) else None
        if described is not None:
            return described
        error = error.__cause__ or error.__context__
    return None


def _describe(error: OSError) -> MachineError | None:
    """Return what to show for an error of the operating system; None for one that may be a bug, or of a network."""
    number, reason = error.errno, error.strerror
    if isinstance(error, shutil.Error):  # it lists the errors of several files as text
        found = NUMBER.search(str(error))
        number, reason = (int(found[1]), found[2].strip()) if found else (None, None)
    place = error.filename2 or error.filename or "a file"
    if number in FULL:
        return MachineError(
            f"{place} cannot be written: {reason}.", "Free space on this disk or raise the limit, then run it again."
        )
    if number in FORBIDDEN:
        return MachineError(
            f"{place} cannot be written or read: {reason}.",
            "Allow this user to write there, or use a clone on a disk that can be written.",
        )
    if number in MISPLACED:
        return MachineError(f"{place} cannot be used: {reason}.", "Move away what is there, then run it again.")
    if number in BROKEN:
        return MachineError(
            f"{place} cannot be used: {reason}.", "Check the disk and the limits of this machine, then run it again."
        )
    return None


def _details(text: str) -> str:
    return f" ({text[:200]})" if text else ""
