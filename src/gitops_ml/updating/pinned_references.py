"""Pinned actions and images, of which both sides of a merge may have changed the version.

A reference such as `actions/checkout@SHA # v7.0.1` is one value, not text: if both sides changed it, the newer version
is used. To merge the rest of the file without conflicts, the chosen value is written into all three sides first.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from packaging.version import Version

ACTION = re.compile(
    r"(?P<name>uses:[ \t]*[\w.-]+/[\w./-]+)(?P<value>@[0-9a-f]{40}(?:[ \t]*#[ \t]*v?(?P<version>[\w.-]+))?)"
)
# The stage names the reference: a Dockerfile may have one image with several tags.
IMAGE = re.compile(
    r"(?P<name>[\w.-]+(?:/[\w.-]+)+)(?P<value>(?::v?(?P<version>[\w.-]+))?@sha256:[0-9a-f]{64})"
    r"(?P<stage>[ \t]+AS[ \t]+\S+)?"
)


NUMBER = re.compile(r"\d+(?:\.\d+)*")


@dataclass(frozen=True)
class BothChanged:
    """A reference that both sides changed.

    Attributes:
        name: Name of the action or image.
        reason: Phrase about the value that is used.
    """

    name: str
    reason: str


@dataclass(frozen=True)
class _Reference:
    value: str
    version: str

    @property
    def number(self) -> Version | None:
        """Number that the version begins with; None without a version."""
        match = NUMBER.match(self.version)
        return Version(match[0]) if match else None


def merge_references(base: str, ours: str, theirs: str) -> tuple[tuple[str, str, str], list[BothChanged]]:
    """Write the same values of pinned references into three versions of a file.

    Args:
        base: The file as the old template has it.
        ours: The file of the repository.
        theirs: The file of the new template.

    Returns:
        The three texts, and the references that both sides changed.
    """
    sides = [base, ours, theirs]
    notes = []
    for pattern in (ACTION, IMAGE):
        pins = [_find(pattern, side) for side in sides]
        for key in sorted(pins[0].keys() & pins[1].keys() & pins[2].keys()):
            values = [each[key] for each in pins]
            chosen, note = _choose(key, *values)
            notes += [note] if note else []
            if chosen is not None:
                sides = [_replace(pattern, side, key, chosen.value) for side in sides]
    return (sides[0], sides[1], sides[2]), notes


def _find(pattern: re.Pattern[str], text: str) -> dict[str, _Reference]:
    """Return the references of a text that have one value in all of it."""
    found: dict[str, set[_Reference]] = {}
    for key, match in _matches(pattern, text):
        found.setdefault(key, set()).add(_Reference(match["value"], match["version"] or ""))
    return {key: next(iter(pins)) for key, pins in found.items() if len(pins) == 1}


def _matches(pattern: re.Pattern[str], text: str) -> Iterator[tuple[str, re.Match[str]]]:
    for match in pattern.finditer(text):
        stage = match.groupdict().get("stage") or ""
        yield " ".join([match["name"].removeprefix("uses:").strip(), *stage.split()]), match


def _choose(
    key: str, base: _Reference, ours: _Reference, theirs: _Reference
) -> tuple[_Reference | None, BothChanged | None]:
    """Return the value to use, None if the sides cannot be compared; and a note if both sides changed it."""
    if theirs in (base, ours):
        return ours, None
    if ours == base:
        return theirs, None
    name, numbers = key.partition(" AS ")[0], (ours.number, theirs.number)
    if numbers[0] is None or numbers[1] is None:
        return None, None
    if numbers[0] == numbers[1]:
        return ours, BothChanged(name, f"both have the version {ours.version}, so yours is used")
    newer = ours if numbers[0] > numbers[1] else theirs
    return newer, BothChanged(name, f"the newer version, {newer.version}, is used")


def _replace(pattern: re.Pattern[str], text: str, key: str, value: str) -> str:
    """Return the text with another value of one reference."""
    parts, position = [], 0
    for found, match in _matches(pattern, text):
        if found == key:
            parts += [text[position : match.start("value")], value]
            position = match.end("value")
    return "".join([*parts, text[position:]])
