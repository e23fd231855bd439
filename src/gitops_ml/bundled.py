"""Files that commands read and people seldom edit: the library brings them; `deploy` of a repository may replace them.

`gitops eject NAME` copies one of the parts there. A file of the repository stands in for the library's file of the same
name; one that is not there is read from the library.
"""

from pathlib import Path

DATA = Path(__file__).parent / "data"
PARTS = ("compose", "prometheus", "grafana")


def ejected(root: Path, part: str) -> Path:
    """Return the folder of a repository that holds its own copy of a part, where there is one."""
    return root / "deploy" / part


def file(root: Path, part: str, name: str) -> Path:
    """Return the file that commands read.

    Args:
        root: The repository.
        part: One of PARTS.
        name: Path of the file below the part.
    """
    own = ejected(root, part) / name
    return own if own.is_file() else DATA / part / name


def files(root: Path, part: str) -> dict[str, Path]:
    """Return every file of a part that commands read, by its path below the part."""
    folders = (DATA / part, ejected(root, part))
    names = {path.relative_to(folder).as_posix() for folder in folders for path in folder.rglob("*") if path.is_file()}
    return {name: file(root, part, name) for name in sorted(names)}
