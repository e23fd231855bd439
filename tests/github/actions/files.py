"""Files of an upload and their names, by the rules of actions/upload-artifact."""

import glob
import os
from pathlib import Path


def select_files(lines: list[str], workspace: Path, hidden: bool) -> dict[str, Path]:
    """Return the selected files, by their names in the artifact."""
    included = [_absolute(line, workspace) for line in lines if not line.startswith("!")]
    excluded = {file for line in lines if line.startswith("!") for file in _below(_absolute(line[1:], workspace))}
    matches = sorted({file for pattern in included for file in _below(pattern)} - excluded)
    files = [file for file in matches if hidden or not _is_hidden(file, workspace)]
    root = _root(included, files)
    return {str(file.relative_to(root)): file for file in files}


def _absolute(line: str, workspace: Path) -> str:
    """Return a line as an absolute pattern."""
    return os.path.normpath(workspace / line)


def _below(pattern: str) -> set[Path]:
    """Return the files that match a pattern, and the files in matching folders."""
    matches: set[Path] = set()
    for name in map(Path, glob.glob(pattern, recursive=True, include_hidden=True)):
        matches.update([name] if name.is_file() else (file for file in name.rglob("*") if file.is_file()))
    return matches


def _is_hidden(file: Path, workspace: Path) -> bool:
    """Return whether the file, or one of its folders below the job's folder, begins with a dot."""
    job = workspace.parent
    inside = file.relative_to(job) if file.is_relative_to(job) else file
    return any(part.startswith(".") for part in inside.parts)


def _root(included: list[str], files: list[Path]) -> Path:
    """Return the folder that names are relative to: the searched folder, or the common parent of several."""
    searched = _searched(included)
    if len(searched) > 1:
        return Path(os.path.commonpath(searched))
    only = Path(searched[0])
    return only.parent if files == [only] else only


def _searched(included: list[str]) -> list[str]:
    """Return the part of each pattern before its first wildcard, without those below another."""
    starts = {_start(pattern) for pattern in included}
    return sorted(str(one) for one in starts if not any(other in one.parents for other in starts))


def _start(pattern: str) -> Path:
    """Return the part of a pattern before its first wildcard."""
    parts = Path(pattern).parts
    plain = [index for index, part in enumerate(parts) if glob.has_magic(part)]
    return Path(*parts[: plain[0]]) if plain else Path(pattern)
