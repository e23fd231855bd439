"""The locks: what requirements/*.in and the library ask for, what requirements/*.txt pin, and what is installed.

A line such as `gitops-ml[serve]` asks for what that extra of the library needs; the library itself stands in no lock,
but in requirements/gitops.txt.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from gitops_ml import library
from gitops_ml.errors import ConfigError
from gitops_ml.health import Finding, check, not_applicable, ok, problem

FOLDER = "requirements"
TRAIN = f"{FOLDER}/train"
INCLUDED = re.compile(r"-r\s+(\S+)")
# A file, an address or an option: whatever it names, a lock pins it otherwise than by a version.
UNNAMED = re.compile(r"[-./]|\S*://")
# A universal lock may pin a package several times, each for other Pythons.
PIN = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)(?:\[[^]]*\])?==([^\s;\\]+)", re.MULTILINE)


@dataclass(frozen=True)
class Need:
    """A package that must be pinned.

    Attributes:
        name: Normalised name of the package.
        requirement: Name and versions, as whoever needs it writes them.
        by: File or library that needs it.
    """

    name: str
    requirement: Requirement
    by: str


@check("LOCKS")
def covered(root: Path) -> Finding:
    """Every package that requirements/*.in and the library need is pinned beside it, in a version that they take."""
    asked = sorted((root / FOLDER).glob("*.in"))
    if not asked:
        return not_applicable(f"There is no {FOLDER}/*.in.")
    missing, wrong = [], []
    for file in asked:
        lock = file.with_suffix(".txt")
        pinned, needed = pins(lock), needs(file)
        missing += [f"{name} of {file.name}" for name in sorted({need.name for need in needed} - set(pinned))]
        wrong += [
            f"{FOLDER}/{lock.name} pins {need.name} {version}, and {need.by} needs {need.requirement}"
            for need in needed for version in sorted(pinned.get(need.name, ()))
            if not need.requirement.specifier.contains(version, prereleases=True)
        ]  # fmt: skip
    found = [*([f"Not pinned: {', '.join(missing)}"] if missing else []), *wrong]
    if found:
        return problem(f"{'; '.join(found)}. Run `make lock`, and commit what it changes.")
    return ok()


@check("INSTALLED")
def installed(root: Path) -> Finding:
    """What is installed is what requirements/train.txt and requirements/gitops.txt pin."""
    asked, pinned = root / f"{TRAIN}.in", pins(root / f"{TRAIN}.txt")
    if not asked.is_file() or not pinned:
        return not_applicable(f"There is no {TRAIN}.in, or nothing is pinned in {TRAIN}.txt.")
    pinned |= pins(root / library.PIN)
    names = {need.name for need in needs(asked)} | {library.NAME}
    wrong = [
        f"{name} is {_version(name) or 'missing'}, not {' or '.join(sorted(pinned[name]))}"
        for name in sorted(names & set(pinned)) if _version(name) not in pinned[name]
    ]  # fmt: skip
    if wrong:
        return problem(f"{'; '.join(wrong)}. Run `make setup`.")
    return ok()


CHECKS = (covered, installed)


def needs(file: Path) -> list[Need]:
    """Return what a .in file asks for, with what the files and the extras of the library need that it names.

    Raises:
        ConfigError: A line is no requirement.
    """
    found: list[Need] = []
    for line in (line.partition("#")[0].strip() for line in file.read_text(encoding="utf-8").splitlines()):
        included = INCLUDED.match(line)
        if included:
            found += needs(file.parent / included.group(1))
        elif line and not UNNAMED.match(line):
            found += _needs(line, file)
    return list(dict.fromkeys(found))


def _needs(line: str, file: Path) -> Iterator[Need]:
    """Yield what one line asks for on this system."""
    try:
        requirement = Requirement(line)
    except InvalidRequirement as error:
        raise ConfigError(f"{FOLDER}/{file.name}: {line!r} is no requirement.", "Fix this line.") from error
    name = canonicalize_name(requirement.name)
    if name == library.NAME:
        yield from _of_library(requirement.extras)
    elif requirement.url is None and (requirement.marker is None or requirement.marker.evaluate()):
        yield Need(name, _without_marker(requirement), f"{FOLDER}/{file.name}")


def _of_library(extras: set[str]) -> Iterator[Need]:
    """Yield what the library that runs here needs with these extras."""
    by = f"{library.NAME} {library.version()}"
    for requirement in map(Requirement, metadata.requires(library.NAME) or ()):
        marker = requirement.marker
        if marker is None or any(marker.evaluate({"extra": extra}) for extra in ("", *extras)):
            yield Need(canonicalize_name(requirement.name), _without_marker(requirement), by)


def _without_marker(requirement: Requirement) -> Requirement:
    return Requirement(f"{requirement.name}{requirement.specifier}")


def pins(file: Path) -> dict[str, set[str]]:
    """The versions that a lock pins, by package; nothing where there is no lock."""
    found: dict[str, set[str]] = {}
    for name, version in PIN.findall(file.read_text(encoding="utf-8") if file.is_file() else ""):
        found.setdefault(canonicalize_name(name), set()).add(version)
    return found


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
