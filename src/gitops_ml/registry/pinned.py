"""Contradictions between a record and the files that its digest pins.

A record repeats a part of its version's run.json, for people who read it. Only the digest is trusted: the manifest with
this digest pins run.json, and a record that says something else is refused.
"""

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from gitops_ml import run
from gitops_ml.errors import IntegrityError, StoreError
from gitops_ml.manifest import FILE as MANIFEST
from gitops_ml.manifest import verify_file
from gitops_ml.registry.record import RESTORE, Record, record_path

if TYPE_CHECKING:
    from mlflow import MlflowClient

    from gitops_ml.config import Repository
    from gitops_ml.registry.store import Store

# Keys of a record that repeat run.json.
REPEATED = ("model", "columns", "classes")


def require_pinned(repository: "Repository", store: "Store", record: Record) -> None:
    """Refuse a record that contradicts the files that its digest pins.

    Only the manifest and run.json of the version are downloaded.

    Args:
        repository: The clone.
        store: The MLflow store.
        record: Record to check.

    Raises:
        IntegrityError: The record contradicts the pinned files, or the store has no such files.
        StoreError: The store cannot be read.
    """
    model = repository.config.project.name
    found = store.read(lambda client: find_contradictions(client, model, record), ["version: the store is empty"])
    if found:
        raise IntegrityError(
            f"{record_path(record.environment)} contradicts the files of version {record.version} in the store that "
            f"its digest {record.digest[:19]} pins: {'; '.join(found)}.",
            RESTORE,
        )


def find_contradictions(client: "MlflowClient", model: str, record: Record) -> list[str]:
    """Return the keys of a record that contradict the pinned files, each with both values.

    Args:
        client: Client of the store.
        model: Name of the registered model.
        record: Record to compare with the files.

    Raises:
        IntegrityError: The files do not match the digest of the record.
        StoreError: The version in the store is not a run of gitops.
    """
    from mlflow.exceptions import MlflowException

    try:
        version = client.get_model_version(model, record.version)
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        return [f"version: the store has no version {record.version} of {model}"]
    pinned = _read_pinned_run(model, record.version, record.digest)
    expected = {"run": version.run_id, **{key: getattr(pinned, key) for key in REPEATED}}
    found = [_contradiction(key, getattr(record, key), value) for key, value in expected.items()]
    actual, lineage = record.lineage.model_dump(), pinned.lineage.model_dump()
    found += [_contradiction(f"lineage.{key}", actual[key], lineage[key]) for key in lineage]
    return list(filter(None, found))


def _contradiction(key: str, actual: object, expected: object) -> str:
    """Return a phrase with both values; an empty text if they are equal."""
    return "" if actual == expected else f"{key} is {actual!r}, but the files say {expected!r}"


def _read_pinned_run(model: str, number: str, digest: str) -> run.Run:
    """Return the run.json of a version, after it was verified against the digest."""
    import mlflow

    address = f"models:/{model}/{number}"
    folders = [each.path for each in mlflow.artifacts.list_artifacts(artifact_uri=f"{address}/data") if each.is_dir]
    if len(folders) != 1:
        raise StoreError(
            f"Version {number} of {model} in the store is not a run of gitops.", "Register it again with gitops."
        )
    with tempfile.TemporaryDirectory() as scratch:
        for name in (MANIFEST, run.FILE):
            mlflow.artifacts.download_artifacts(artifact_uri=f"{address}/{folders[0]}/{name}", dst_path=scratch)
        folder = Path(scratch, folders[0])
        verify_file(folder, digest, run.FILE)
        return run.parse_run(folder)
