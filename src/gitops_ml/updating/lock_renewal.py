"""Locks: unchanged while they satisfy the new library, otherwise the new template's, or compiled again."""

import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from gitops_ml import library, locks
from gitops_ml.errors import ConfigError
from gitops_ml.locks import LibraryRequirements
from gitops_ml.updating.git_trees import FILE, Tree, TreeEntry, read_contents, write_content
from gitops_ml.updating.library_files import LibraryFiles

# The order of the target `lock` of the Makefile, and the lock that constrains each.
ORDER = (("dev", None), ("train", "dev"), ("serve", "train"), ("build", "dev"))
# The Makefile's options; tests/unit/test_update_locks.py compares both.
COMPILE = (
    "pip", "compile", "--quiet", "--universal", "--python-version", "3.11", "--generate-hashes", "--no-emit-index-url",
    "--no-emit-find-links", "--no-header", "--no-emit-package", library.NAME,
)  # fmt: skip
RETRAINING = ("requirements/train.txt", "requirements/serve.txt")


@dataclass(frozen=True)
class EarlierRequirements:
    """Requirements of a repository before an update.

    Attributes:
        files: Files of the repository at main.
        library: Requirements of the library that it has.
    """

    files: Tree
    library: LibraryRequirements


@dataclass
class LockChanges:
    """Locks that an update changes.

    Attributes:
        entries: New locks by path.
        reasons: Phrases that say why, by path.
        retraining: Phrases about the packages whose versions change in the locks for training and serving.
    """

    entries: Tree = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)
    retraining: tuple[str, ...] = ()


def renew_locks(
    root: Path, files: Tree, base: Tree, theirs: Tree, new: LibraryFiles, earlier: EarlierRequirements
) -> LockChanges:
    """Return the locks that must change.

    Args:
        root: Root of the clone.
        files: Files of the repository after the merge, with its own locks.
        base: Files of the old template.
        theirs: Files of the new template.
        new: The new version of the library.
        earlier: Requirements before the update; a lock that already did not satisfy them is not changed for that.

    Raises:
        ConfigError: A .in file is invalid, or the locks cannot be compiled.
    """
    with tempfile.TemporaryDirectory() as scratch:
        folder, before = Path(scratch, "repository"), Path(scratch, "before")
        _write(root, files, folder)
        _write(root, earlier.files, before)
        problems = _find_problems(folder, new.requirements, _find_all(before, earlier.library))
        if not problems:
            return LockChanges()
        taken = _take(root, files, base, theirs, sorted(problems), Path(scratch, "theirs"), new)
        if taken is None:
            _add_library(folder, new)
            changes = LockChanges(_compile(root, folder, files, problems), dict(problems))
        else:
            source = "the new template's lock, because yours was the old template's"
            changes = LockChanges(taken, {path: f"{why}; {source}" for path, why in problems.items()})
        changes.retraining = _list_versions(root, files, changes.entries)
        return changes


def _write(root: Path, files: Tree, folder: Path) -> None:
    """Write the files in requirements to a folder."""
    wanted = {path: entry for path, entry in files.items() if path.startswith(f"{locks.FOLDER}/")}
    contents = read_contents(root, [entry.id for entry in wanted.values()])
    for path, entry in wanted.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(contents[entry.id])


def _find_all(folder: Path, required: LibraryRequirements) -> dict[str, tuple[str, ...]]:
    """Return phrases about the packages that each lock lacks or pins in a version that does not fit."""
    found = {}
    for file in sorted((folder / locks.FOLDER).glob("*.in")):
        problems = locks.find_problems(file, required)
        phrases = (*(f"it lacks {name}" for name in problems.missing), *problems.wrong)
        found[f"{locks.FOLDER}/{file.stem}.txt"] = phrases
    return found


def _find_problems(
    folder: Path, required: LibraryRequirements, earlier: Mapping[str, tuple[str, ...]]
) -> dict[str, str]:
    """Return the locks with problems that are new, and these problems."""
    problems = {}
    for path, phrases in _find_all(folder, required).items():
        known = {_subject(phrase) for phrase in earlier.get(path, ())}
        added = [phrase for phrase in phrases if _subject(phrase) not in known]
        if added:
            problems[path] = "; ".join(added)
    return problems


def _subject(phrase: str) -> str:
    """Return the package, and the version that is pinned, without the library's requirement."""
    return phrase.partition(", and ")[0]


def _take(
    root: Path, files: Tree, base: Tree, theirs: Tree, paths: list[str], folder: Path, new: LibraryFiles
) -> Tree | None:
    """Return the new template's locks if the repository's are the old template's, and the new ones satisfy it."""
    if any(files.get(path) != base.get(path) or path not in theirs for path in paths):
        return None
    taken = {path: theirs[path] for path in paths}
    _write(root, {**files, **taken}, folder)
    kept = [
        path for path in files if path.startswith(f"{locks.FOLDER}/") and path.endswith(".txt") and path not in paths
    ]
    pins = {path: locks.read_pins(folder / path) for path in [*kept, *paths]}
    differs = any(pins[one].get(name, versions) != versions for one in kept for other in paths
                  for name, versions in pins[other].items() if name != library.NAME)  # fmt: skip
    return None if differs or _find_problems(folder, new.requirements, {}) else taken


def _add_library(folder: Path, new: LibraryFiles) -> None:
    """Write the new library to a folder with requirements, so that its own requirements can be read."""
    (folder / library.PIN).write_text(new.pin, encoding="utf-8", newline="\n")
    if new.wheel is not None:
        (folder / library.VENDOR).mkdir()
        (folder / library.VENDOR / new.wheel_name).write_bytes(new.wheel)


def _compile(root: Path, folder: Path, files: Tree, problems: Mapping[str, str]) -> Tree:
    """Compile locks in the order of the Makefile; uv keeps the versions of the existing lock where it can."""
    known = [name for name, _ in ORDER]
    others = sorted({Path(path).stem for path in problems} - set(known))
    compiled = {}
    for name, constraint in (*ORDER, *((other, None) for other in others)):
        path = f"{locks.FOLDER}/{name}.txt"
        if path not in problems:
            continue
        has_constraint = constraint and (folder / locks.FOLDER / f"{constraint}.txt").is_file()
        pin = () if name == "build" else (library.PIN,)
        _run_uv(folder, *COMPILE, f"{locks.FOLDER}/{name}.in", *pin, "--output-file", path,
                *(("--constraint", f"{locks.FOLDER}/{constraint}.txt") if has_constraint else ()))  # fmt: skip
        mode = files[path].mode if path in files else FILE
        compiled[path] = TreeEntry(mode, write_content(root, (folder / path).read_bytes()))
    return compiled


def _run_uv(folder: Path, *arguments: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "gitops_ml.uv", *arguments], cwd=folder, capture_output=True, text=True
    )
    if done.returncode:
        raise ConfigError(
            f"The locks must change for the new library, and uv cannot compile them: {done.stderr.strip()[-2000:]}",
            "If it is the connection to the package index, run the command again. If the packages in requirements/*.in "
            "exclude each other, change them on main first.",
        )


def _list_versions(root: Path, files: Tree, entries: Tree) -> tuple[str, ...]:
    """Return phrases about packages whose versions change in the locks that training and serving use."""
    phrases: dict[str, None] = {}
    with tempfile.TemporaryDirectory() as scratch:
        before, after = Path(scratch, "before"), Path(scratch, "after")
        _write(root, files, before)
        _write(root, {**files, **entries}, after)
        for path in (path for path in RETRAINING if path in entries):
            old, new = locks.read_pins(before / path), locks.read_pins(after / path)
            for name in sorted(old.keys() | new.keys()):
                if old.get(name) != new.get(name):
                    phrases[f"{name} {_describe(old.get(name))} → {_describe(new.get(name))}"] = None
            if not phrases:
                phrases[f"the text of {path} changes"] = None
    return tuple(phrases)


def _describe(versions: set[str] | None) -> str:
    return " or ".join(sorted(versions)) if versions else "none"
