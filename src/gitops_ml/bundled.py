"""Files for users that are part of the library: configuration of monitoring and deployment, and notebooks.

`gitops eject NAME` copies one of the parts to a repository: configuration to the folder `deploy`, where a file replaces
the library's file of the same name, while other files are read from the library; and notebooks to `notebooks`.
"""

from pathlib import Path

DATA = Path(__file__).parent / "data"
NOTEBOOKS = "notebooks"
CONFIGURATION = ("compose", "prometheus", "grafana")
PARTS = (*CONFIGURATION, NOTEBOOKS)


def ejected_folder(root: Path, part: str) -> Path:
    """Return the folder of a repository for its own copy of a part; the folder may be missing.

    Args:
        root: Root of the repository.
        part: One of PARTS.
    """
    return root / part if part == NOTEBOOKS else root / "deploy" / part


def find_file(root: Path, part: str, name: str) -> Path:
    """Return the path of a file: the repository's copy, or else the library's file.

    Args:
        root: Root of the repository.
        part: One of PARTS.
        name: Path of the file below the part.
    """
    own = ejected_folder(root, part) / name
    return own if own.is_file() else DATA / part / name


def find_files(root: Path, part: str) -> dict[str, Path]:
    """Return every file of a part, by its path below the part.

    Args:
        root: Root of the repository.
        part: One of PARTS.
    """
    folders = (DATA / part, ejected_folder(root, part))
    names = {path.relative_to(folder).as_posix() for folder in folders for path in folder.rglob("*") if path.is_file()}
    return {name: find_file(root, part, name) for name in sorted(names)}
