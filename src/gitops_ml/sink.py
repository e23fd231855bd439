"""Where the prediction log lies: a folder, or any address that fsspec knows. Servers write there, others read."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from gitops_ml.config import Repository
from gitops_ml.errors import ConfigError

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem


@dataclass(frozen=True)
class Sink:
    """A place for files.

    Attributes:
        files: What reads and writes there.
        path: Where, as `files` has it.
        folder: The same as a folder of this machine; None where it is none.
    """

    files: "AbstractFileSystem"
    path: str
    folder: Path | None


def open_sink(repository: Repository) -> Sink:
    """The sink that model.toml names, which must name one; raises ConfigError as `reach` does."""
    return reach(repository.config.log.sink, repository.root)


def reach(named: str, root: Path) -> Sink:
    """A place by its name.

    Args:
        named: A folder, or any address that fsspec knows.
        root: What a relative folder is relative to.

    Raises:
        ConfigError: fsspec does not know such addresses, or a package for them is missing.
    """
    from fsspec.core import url_to_fs
    from fsspec.implementations.local import LocalFileSystem

    insist(named)
    try:
        files, path = url_to_fs(named if "://" in named else str(root / named))
    except (ValueError, ImportError) as error:
        raise _unreachable(named, error) from error
    return Sink(files, path.rstrip("/"), Path(path) if isinstance(files, LocalFileSystem) else None)


def insist(named: str) -> None:
    """Fail where nobody could ever write there; nothing is asked of the place itself.

    Args:
        named: A folder, or an address.

    Raises:
        ConfigError: fsspec does not know such addresses, or a package for them is missing.
    """
    from fsspec import get_filesystem_class
    from fsspec.utils import get_protocol

    try:
        get_filesystem_class(get_protocol(named))
    except (ValueError, ImportError) as error:
        raise _unreachable(named, error) from error


def _unreachable(named: str, error: Exception) -> ConfigError:
    return ConfigError(
        f"model.toml: [log] sink is {named!r}, which cannot be reached: {str(error).rstrip('.')}.",
        "A package that is missing goes into requirements/serve.in and train.in; then `make lock`.",
    )
