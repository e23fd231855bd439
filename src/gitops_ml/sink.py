"""Sink of the prediction log: a folder or an fsspec URL, which servers write to and commands read from."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from gitops_ml.config import Repository
from gitops_ml.errors import ConfigError

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem


@dataclass(frozen=True)
class Sink:
    """A location for files.

    Attributes:
        filesystem: File system of the location, from fsspec.
        path: Path of the location in the file system.
        folder: Path of the location on this machine; None if it is remote.
    """

    filesystem: "AbstractFileSystem"
    path: str
    folder: Path | None


def open_sink(repository: Repository) -> Sink:
    """Open the sink of model.toml, which must have one.

    Args:
        repository: Repository with the configuration.

    Returns:
        The sink.

    Raises:
        ConfigError: fsspec does not support the URL, or lacks a package for it.
    """
    return open_location(repository.config.log.sink, repository.root)


def open_location(location: str, root: Path) -> Sink:
    """Open a location.

    Args:
        location: Path of a folder, or fsspec URL.
        root: Folder that a relative path starts from.

    Returns:
        The sink at the location.

    Raises:
        ConfigError: fsspec does not support the URL, or lacks a package for it.
    """
    from fsspec.core import url_to_fs
    from fsspec.implementations.local import LocalFileSystem

    require_supported(location)
    try:
        filesystem, path = url_to_fs(location if "://" in location else str(root / location))
    except (ValueError, ImportError) as error:
        raise _unreachable(location, error) from error
    return Sink(filesystem, path.rstrip("/"), Path(path) if isinstance(filesystem, LocalFileSystem) else None)


def require_supported(location: str) -> None:
    """Raise an error if fsspec cannot open a location; the location itself is not accessed.

    Args:
        location: Path of a folder, or fsspec URL.

    Raises:
        ConfigError: fsspec does not support the URL, or lacks a package for it.
    """
    from fsspec import get_filesystem_class
    from fsspec.utils import get_protocol

    try:
        get_filesystem_class(get_protocol(location))
    except (ValueError, ImportError) as error:
        raise _unreachable(location, error) from error


def _unreachable(location: str, error: Exception) -> ConfigError:
    return ConfigError(
        f"model.toml: [log] sink is {location!r}, which fsspec cannot open: {str(error).rstrip('.')}.",
        "If a package is missing, add it to requirements/serve.in and train.in, and run `make lock`.",
    )
