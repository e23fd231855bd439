"""Addresses of files in the store's database: those outside of the store are refused before MLflow follows them.

The database is on a branch that many may push to. MLflow would copy a folder of this machine, ask any server, or write
there, before the digest of a file can be verified.
"""

import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from gitops_ml.errors import IntegrityError, StoreError
from gitops_ml.registry.database import RESTORE
from gitops_ml.registry.store import SCHEME

if TYPE_CHECKING:
    from mlflow import MlflowClient

# As MLflow writes them below the root `store:/`: ids of experiments, runs and models, and names of folders.
OWN_ADDRESS = re.compile(r"store:/[\w-]+(/[\w.-]+)*")
LOGGED_MODEL = re.compile(r"models:/(m-[\w-]+)")
LOCAL_HOSTS = frozenset({"127.0.0.1", "localhost", "::1"})


def require_address(address: str | None, owner: str) -> None:
    """Raise if an address is not one of the store on a branch.

    Args:
        address: Address of files in the database.
        owner: Entry that has the address, such as "version 3".

    Raises:
        IntegrityError: The address is outside of the store.
    """
    if not OWN_ADDRESS.fullmatch(address or "") or ".." in str(address).split("/"):
        raise _outside(address, owner)


def require_remote_address(address: str | None, owner: str, tracking_uri: str) -> None:
    """Raise if a server names files of this machine, unless the server is on this machine.

    Args:
        address: Address of files that the server names.
        owner: Entry that has the address, such as "version 3".
        tracking_uri: Tracking URI of the server.

    Raises:
        IntegrityError: The address is one of this machine.
    """
    server = urlsplit(tracking_uri)
    is_local = server.scheme not in {"http", "https"} or server.hostname in LOCAL_HOSTS
    if not is_local and urlsplit(address or "").scheme in {"", "file", "store"}:
        raise IntegrityError(
            f"The server names files of this machine: {owner} is at {address!r}. Nothing was fetched or written.",
            "Start the MLflow server with `--serve-artifacts` and `--artifacts-destination`, so that it has the files.",
        )


def check_address(client: "MlflowClient", address: str | None, owner: str) -> None:
    """Raise if an address that the store names may not be followed from this machine.

    Args:
        client: Client of the store.
        address: Address of files.
        owner: Entry that has the address, such as "version 3".

    Raises:
        IntegrityError: The address is outside of the store.
    """
    if client.tracking_uri.startswith(f"{SCHEME}:"):
        require_address(address, owner)
    else:
        require_remote_address(address, owner, client.tracking_uri)


def find_files(client: "MlflowClient", model: str, number: str) -> str:
    """Return the address that MLflow downloads the files of a model version from, which was checked.

    Args:
        client: Client of the store.
        model: Name of the registered model.
        number: Registry version number.

    Raises:
        IntegrityError: The address is outside of the store.
        StoreError: The store does not have the version.
    """
    from mlflow.exceptions import MlflowException

    owner = f"version {number} of {model}"
    try:
        address = str(client.get_model_version_download_uri(model, number) or "")
        logged = LOGGED_MODEL.fullmatch(address)
        if logged:
            address = str(client.get_logged_model(logged[1]).artifact_location)
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        raise StoreError(
            f"The store does not have {owner}.",
            "`gitops store status` lists the versions. If it was there before, another store was written since: "
            f"check MLFLOW_TRACKING_URI, and `branch` under [store] in model.toml. {RESTORE}",
        ) from error
    check_address(client, address, owner)
    return address


def _outside(address: str | None, owner: str) -> IntegrityError:
    return IntegrityError(
        f"The database of the store names files outside of the store: {owner} is at {address!r}. Nothing was fetched "
        "or written.",
        f"The database was changed by another program. {RESTORE}",
    )
