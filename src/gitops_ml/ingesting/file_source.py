"""Rows from a file, in the repository or at any address that fsspec supports."""

from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from gitops_ml.config import Repository
from gitops_ml.errors import ConfigError, DataUnreadable
from gitops_ml.ingesting import formats
from gitops_ml.ingesting.pulled_rows import PulledRows
from gitops_ml.printable import show_addresses

CHUNK = 2**20
RAW = "raw"


def fetch_file(repository: Repository, folder: Path) -> PulledRows:
    """Copy the file at `path` under [ingest]; a path without a scheme is relative to the repository.

    Args:
        repository: Repository whose model.toml names the file.
        folder: Folder to write the rows to.

    Returns:
        Document about the rows.

    Raises:
        ConfigError: fsspec needs a package for this address, or it is an HTTP address.
        DataUnreadable: The file does not exist, cannot be read, or is too large.
    """
    address = repository.config.ingest.path
    assert address is not None  # noqa: S101 (the configuration has checked it)
    if address.startswith(("http://", "https://")):
        raise ConfigError(
            f'model.toml: [ingest] source = "file" cannot read the HTTP address {address!r}.', 'Set `source = "http"`.'
        )
    source = f"the file {show_addresses(address)}"
    file_format = formats.detect_format(repository, PurePosixPath(address).name)
    formats.save_chunks(_read(repository, address), folder / RAW, repository, source)
    return formats.convert(folder / RAW, file_format, repository, source)


def _read(repository: Repository, address: str) -> Iterator[bytes]:
    import fsspec

    url = address if "://" in address else str(repository.root / address)
    try:
        with fsspec.open(url, "rb", compression="infer") as stream:
            while chunk := stream.read(CHUNK):
                yield chunk
    except FileNotFoundError as error:
        raise DataUnreadable(f"There is no file at {address}.", "Fix `path` under [ingest] in model.toml.") from error
    except ImportError as error:
        raise ConfigError(
            f"{address} needs a package that is not installed: {error}.",
            "Add it to requirements/train.in and run `make lock`.",
        ) from error
    except Exception as error:  # any error of an object storage
        raise DataUnreadable(
            f"{address} cannot be read: {type(error).__name__}: {error}",
            "Check `path` under [ingest] and the access rights.",
        ) from error
