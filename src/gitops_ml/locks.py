"""The locks: what requirements/*.in ask for, what requirements/*.txt pin, and what is installed."""

import re
from importlib import metadata
from pathlib import Path

from gitops_ml.health import Finding, check, not_applicable, ok, problem

FOLDER = "requirements"
TRAIN = f"{FOLDER}/train"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
INCLUDED = re.compile(r"-r\s+(\S+)")
# A universal lock may pin a package several times, each for other Pythons.
PIN = re.compile(rf"^({NAME.pattern})(?:\[[^]]*\])?==([^\s;\\]+)", re.MULTILINE)


@check("LOCKS")
def covered(root: Path) -> Finding:
    """Every package that requirements/*.in name is pinned beside it."""
    asked = sorted((root / FOLDER).glob("*.in"))
    if not asked:
        return not_applicable(f"There is no {FOLDER}/*.in.")
    missing = [f"{name} of {file.name}" for file in asked for name in sorted(_unpinned(file))]
    if missing:
        return problem(f"Not pinned: {', '.join(missing)}. Run `make lock`, and commit what it changes.")
    return ok()


@check("INSTALLED")
def installed(root: Path) -> Finding:
    """What is installed is what requirements/train.txt pins."""
    asked, pinned = root / f"{TRAIN}.in", pins(root / f"{TRAIN}.txt")
    if not asked.is_file() or not pinned:
        return not_applicable(f"There is no {TRAIN}.in, or nothing is pinned in {TRAIN}.txt.")
    wrong = [
        f"{name} is {_version(name) or 'missing'}, not {' or '.join(sorted(pinned[name]))}"
        for name in sorted(direct(asked) & set(pinned)) if _version(name) not in pinned[name]
    ]  # fmt: skip
    if wrong:
        return problem(f"{'; '.join(wrong)}. Run `make setup`.")
    return ok()


CHECKS = (covered, installed)


def direct(file: Path) -> set[str]:
    """The packages that a .in file asks for, with those of the files that it includes."""
    found = set()
    for line in (line.partition("#")[0].strip() for line in file.read_text(encoding="utf-8").splitlines()):
        included, named = INCLUDED.match(line), NAME.match(line)
        if included:
            found |= direct(file.parent / included.group(1))
        elif named:
            found.add(_normal(named.group()))
    return found


def _unpinned(file: Path) -> set[str]:
    return direct(file) - set(pins(file.with_suffix(".txt")))


def pins(file: Path) -> dict[str, set[str]]:
    """The versions that a lock pins, by package; nothing where there is no lock."""
    found: dict[str, set[str]] = {}
    for name, version in PIN.findall(file.read_text(encoding="utf-8") if file.is_file() else ""):
        found.setdefault(_normal(name), set()).add(version)
    return found


def _normal(name: str) -> str:
    """A package's name, however it is spelt."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
