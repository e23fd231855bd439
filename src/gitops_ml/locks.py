"""Checks of the locks: packages that requirements/*.in need, that requirements/*.txt pin, and that are installed.

A line such as `gitops-ml[serve]` stands for the packages that this extra of the library needs. The library itself is
pinned in requirements/gitops.txt, not in a lock.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from gitops_ml import library
from gitops_ml.doctor_checks import CheckResult, check, not_applicable, ok, problem
from gitops_ml.errors import ConfigError

FOLDER = "requirements"
TRAIN = f"{FOLDER}/train"
INCLUDED = re.compile(r"-r\s+(\S+)")
# Lines with a file, a URL or an option; a lock does not pin them by version.
UNNAMED = re.compile(r"[-./]|\S*://")
# A universal lock may pin a package several times, each for other Pythons.
PIN = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)(?:\[[^]]*\])?==([^\s;\\]+)", re.MULTILINE)


@dataclass(frozen=True)
class Dependency:
    """A package that must be pinned.

    Attributes:
        name: Normalised name of the package.
        requirement: Name and versions of the package, as required.
        required_by: File or library that needs the package.
    """

    name: str
    requirement: Requirement
    required_by: str


@dataclass(frozen=True)
class LibraryRequirements:
    """Requirements of a version of the library.

    Attributes:
        version: Version of the library.
        requires: Requirements, as the metadata of the distribution list them.
    """

    version: str
    requires: Sequence[str]


@dataclass(frozen=True)
class LockProblems:
    """Differences between a lock and the packages that are needed.

    Attributes:
        missing: Packages that the lock does not pin.
        wrong: Phrases about versions that the lock pins, and that do not fit.
    """

    missing: tuple[str, ...]
    wrong: tuple[str, ...]


@check("LOCKS")
def covered(root: Path) -> CheckResult:
    """Each lock pins every package that its requirements/*.in and the library need, in a version that both allow."""
    inputs = sorted((root / FOLDER).glob("*.in"))
    if not inputs:
        return not_applicable(f"There is no {FOLDER}/*.in.")
    found = {file: find_problems(file) for file in inputs}
    missing = [f"{name} of {file.name}" for file, each in found.items() for name in each.missing]
    wrong = [phrase for each in found.values() for phrase in each.wrong]
    problems = [*([f"Not pinned: {', '.join(missing)}"] if missing else []), *wrong]
    if problems:
        return problem(f"{'; '.join(problems)}. Run `make lock`, and commit what it changes.")
    return ok()


@check("INSTALLED")
def installed(root: Path) -> CheckResult:
    """The installed packages are those that requirements/train.txt and requirements/gitops.txt pin."""
    file, pinned = root / f"{TRAIN}.in", read_pins(root / f"{TRAIN}.txt")
    if not file.is_file() or not pinned:
        return not_applicable(f"There is no {TRAIN}.in, or nothing is pinned in {TRAIN}.txt.")
    pinned |= read_pins(root / library.PIN)
    names = {each.name for each in read_dependencies(file)} | {library.NAME}
    wrong = [
        f"{_describe_installed(name)}, but the lock file pins {' or '.join(sorted(pinned[name]))}"
        for name in sorted(names & set(pinned)) if _version(name) not in pinned[name]
    ]  # fmt: skip
    if wrong:
        return problem(f"{'; '.join(wrong)}. Run `make setup`.")
    return ok()


CHECKS = (covered, installed)


def find_problems(file: Path, required: LibraryRequirements | None = None) -> LockProblems:
    """Compare the lock of a .in file with the packages that the file and the library need.

    Args:
        file: Path of the .in file; the lock has the same name with the suffix .txt.
        required: Requirements of the library; None for those of the installed version.

    Returns:
        The packages that the lock lacks, and those whose version does not fit.

    Raises:
        ConfigError: A line of the .in file is not a valid requirement.
    """
    lock = file.with_suffix(".txt")
    pinned, dependencies = read_pins(lock), read_dependencies(file, required)
    missing = sorted({each.name for each in dependencies} - set(pinned))
    wrong = [
        f"{FOLDER}/{lock.name} pins {each.name} {version}, and {each.required_by} needs {each.requirement}"
        for each in dependencies for version in sorted(pinned.get(each.name, ()))
        if not each.requirement.specifier.contains(version, prereleases=True)
    ]  # fmt: skip
    return LockProblems(tuple(missing), tuple(wrong))


def read_dependencies(file: Path, required: LibraryRequirements | None = None) -> list[Dependency]:
    """Return the packages that a .in file needs, with those of the files and of the library's extras that it names.

    Args:
        file: Path of the .in file.
        required: Requirements of the library; None for those of the installed version.

    Raises:
        ConfigError: A line is not a valid requirement.
    """
    required = required or LibraryRequirements(library.version(), metadata.requires(library.NAME) or ())
    if not file.is_file():
        raise ConfigError(
            f"{FOLDER}/{file.name} is missing, and another .in file names it.",
            "Restore it, or remove the line with it.",
        )
    dependencies: list[Dependency] = []
    for line in (line.partition("#")[0].strip() for line in file.read_text(encoding="utf-8").splitlines()):
        included = INCLUDED.match(line)
        if included:
            dependencies += read_dependencies(file.parent / included.group(1), required)
        elif line and not UNNAMED.match(line):
            dependencies += _parse_line(line, file, required)
    return list(dict.fromkeys(dependencies))


def _parse_line(line: str, file: Path, required: LibraryRequirements) -> Iterator[Dependency]:
    """Yield the packages that one line needs on this system."""
    try:
        requirement = Requirement(line)
    except InvalidRequirement as error:
        raise ConfigError(f"{FOLDER}/{file.name}: {line!r} is not a valid requirement.", "Fix this line.") from error
    name = canonicalize_name(requirement.name)
    if name == library.NAME:
        yield from _library_dependencies(requirement.extras, required)
    elif requirement.url is None and (requirement.marker is None or requirement.marker.evaluate()):
        yield Dependency(name, _without_marker(requirement), f"{FOLDER}/{file.name}")


def _library_dependencies(extras: set[str], required: LibraryRequirements) -> Iterator[Dependency]:
    """Yield the packages that the library needs with these extras."""
    required_by = f"{library.NAME} {required.version}"
    for requirement in map(Requirement, required.requires):
        marker = requirement.marker
        if marker is None or any(marker.evaluate({"extra": extra}) for extra in ("", *extras)):
            yield Dependency(canonicalize_name(requirement.name), _without_marker(requirement), required_by)


def _without_marker(requirement: Requirement) -> Requirement:
    return Requirement(f"{requirement.name}{requirement.specifier}")


def read_pins(file: Path) -> dict[str, set[str]]:
    """Return the versions that a lock pins, by package.

    Args:
        file: Path of the lock; nothing is pinned if it does not exist.
    """
    versions: dict[str, set[str]] = {}
    for name, version in PIN.findall(file.read_text(encoding="utf-8") if file.is_file() else ""):
        versions.setdefault(canonicalize_name(name), set()).add(version)
    return versions


def _describe_installed(name: str) -> str:
    version = _version(name)
    return f"{name} {version} is installed" if version else f"{name} is not installed"


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
