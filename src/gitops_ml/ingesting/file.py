"""Rows from a file, here or anywhere that fsspec reaches."""

from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from gitops_ml.config import Repository
from gitops_ml.errors import ConfigError, DataUnreadable
from gitops_ml.ingesting import formats
from gitops_ml.ingesting.pulled import Pulled

PIECE = 2**20
RAW = "raw"


def fetch(repository: Repository, folder: Path) -> Pulled:
    """Copy the file at `path`; a name without a scheme is a file, counted from the repository.

    Raises:
        ConfigError: fsspec needs a package for this address, or it is an HTTP address.
        DataUnreadable: It is not there, cannot be read, or is too large.
    """
    address = repository.config.ingest.path
    assert address is not None  # noqa: S101 (the configuration has checked it)
    if address.startswith(("http://", "https://")):
        raise ConfigError(f'model.toml: [ingest] source = "file" cannot ask {address!r}.', 'Set `source = "http"`.')
    source = f"the file {address}"
    kind = formats.of(repository, PurePosixPath(address).name)
    formats.land(_read(repository, address, source), folder / RAW, repository, source)
    return formats.settle(folder / RAW, kind, repository, source)


def _read(repository: Repository, address: str, source: str) -> Iterator[bytes]:
    import fsspec

    place = address if "://" in address else str(repository.root / address)
    try:
        with fsspec.open(place, "rb", compression="infer") as stream:
            while piece := stream.read(PIECE):
                yield piece
    except FileNotFoundError as error:
        raise DataUnreadable(f"There is no file at {address}.", "Mend `path` under [ingest] in model.toml.") from error
    except ImportError as error:
        raise ConfigError(
            f"{address} needs a package that is not installed: {error}.",
            "Add it to requirements/train.in and run `make lock`.",
        ) from error
    except Exception as error:  # whatever an object storage raises
        raise DataUnreadable(
            f"{address} cannot be read: {type(error).__name__}: {error}", "Check `path` under [ingest], and the rights."
        ) from error
