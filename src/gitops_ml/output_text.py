"""Text as it is printed: without secrets, and without commands to a terminal or to GitHub's runner."""

from gitops_ml.printable import show_addresses, show_invisible
from gitops_ml.secrets import redact


def clean(text: str) -> str:
    """Return text that can be printed, wherever it came from.

    It has no secret and no address with a password or a query; no character that a terminal obeys; and no command that
    GitHub's runner obeys.

    Args:
        text: One or more lines.
    """
    return defuse(hide(text))


def hide(text: str) -> str:
    """Return text without secrets, with its invisible characters written out, for a file that people read.

    Args:
        text: One or more lines.
    """
    return "\n".join(show_invisible(line) for line in show_addresses(redact(text)).splitlines())


def defuse(text: str) -> str:
    """Return text without commands to GitHub's runner: lines that begin with two colons, and `##[` anywhere.

    Args:
        text: One or more lines; sequences of a terminal's colours stay.
    """
    lines = text.replace("##[", "# #[").splitlines()
    return "\n".join(f"| {line}" if line.lstrip().startswith("::") else line for line in lines)
