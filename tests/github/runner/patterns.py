"""GitHub's filter patterns for branches, tags and paths."""

import re
from collections.abc import Iterable

PIECE = re.compile(r"(\*\*/)|(\*\*)|(\*)|([?+])|(\[[^\]]+\])|\\(.)|(.)", re.DOTALL)


def matches(patterns: Iterable[str], name: str) -> bool:
    """Return whether a name passes a list of patterns: the last match decides, and `!` excludes."""
    passes = False
    for pattern in patterns:
        if _regex(pattern.removeprefix("!")).fullmatch(name):
            passes = not pattern.startswith("!")
    return passes


def _regex(pattern: str) -> re.Pattern[str]:
    """Return a pattern as a regular expression: only `**` matches slashes; `?` and `+` repeat a character."""
    return re.compile("".join(_piece(*match.groups("")) for match in PIECE.finditer(pattern)))


def _piece(folders: str, anything: str, star: str, repeat: str, letters: str, escaped: str, other: str) -> str:
    """Return one piece of a pattern as a regular expression."""
    if folders:
        return "(?:.*/)?"
    if anything or star:
        return ".*" if anything else "[^/]*"
    return repeat or letters or re.escape(escaped or other)
