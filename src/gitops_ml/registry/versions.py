"""Model versions: the folder of a run, logged to MLflow and registered, without importing your code."""

import json
import shutil
import tempfile
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gitops_ml import run
from gitops_ml.errors import StoreError
from gitops_ml.manifest import FILE as MANIFEST
from gitops_ml.manifest import verify
from gitops_ml.registry.artifact_addresses import check_address, find_files
from gitops_ml.registry.database import DELETED, RESTORE

if TYPE_CHECKING:
    from mlflow import MlflowClient

    from gitops_ml.config import Repository
    from gitops_ml.registry.store import Store

DIGEST = "gitops.digest"
TRAINING = "gitops.training"
DIRTY = "gitops.dirty"
BYTES = "gitops.bytes"
LOADER = "gitops_ml.serving.flavor"
TYPES = {
    "float": "double",
    "int": "long",
    "bool": "boolean",
    "str": "string",
    "object": "string",
    "datetime": "datetime",
}


@dataclass(frozen=True)
class ModelVersion:
    """A model version in the registry.

    Attributes:
        number: Registry version number.
        run_id: MLflow's id of the run.
        digest: Digest of the run's manifest. It helps to find the version; only the record pins it.
        training: Digest of everything that training depends on.
        dirty: True if it was trained from uncommitted files.
        bytes: Size of its files in bytes.
        aliases: Aliases that point at it.
    """

    number: str
    run_id: str
    digest: str
    training: str
    dirty: bool
    bytes: int
    aliases: tuple[str, ...]


def list_versions(store: "Store", model: str) -> list[ModelVersion]:
    """Return all versions of a registered model from the newest state of the store, oldest first.

    Args:
        store: The MLflow store.
        model: Name of the registered model.
    """
    return store.read(lambda client: search_versions(client, model), list[ModelVersion]())


def search_versions(client: "MlflowClient", model: str) -> list[ModelVersion]:
    """Return all versions of a registered model, oldest first; an empty list if the model is not registered.

    Args:
        client: Client of the store.
        model: Name of the registered model.

    Raises:
        StoreError: A version has tags in another form.
    """
    found = client.search_model_versions(f"name = '{model}'", max_results=10_000)
    if not found:
        return []
    aliases = client.get_registered_model(model).aliases
    try:
        versions = [_version(entry, aliases) for entry in found if DIGEST in entry.tags]
    except (KeyError, ValueError) as error:
        raise StoreError(
            f"A version of {model} in the store has tags that gitops did not write ({error}).", RESTORE
        ) from error
    return sorted(versions, key=lambda version: int(version.number))


def _version(entry: Any, aliases: dict[str, Any]) -> ModelVersion:
    number = str(entry.version)
    return ModelVersion(
        number=number,
        run_id=str(entry.run_id),
        digest=entry.tags[DIGEST],
        training=entry.tags[TRAINING],
        dirty=entry.tags[DIRTY] == "true",
        bytes=int(entry.tags[BYTES]),
        aliases=tuple(sorted(alias for alias, target in aliases.items() if str(target) == number)),
    )


def find_same_training(versions: list[ModelVersion], lineage: run.Lineage) -> ModelVersion | None:
    """Return the newest version with the same training digest; None if there is none.

    Args:
        versions: Versions to search, oldest first.
        lineage: Lineage to compare with. If it is of committed files, versions from uncommitted files do not count.
    """
    matching = [v for v in versions if v.training == lineage.training and (lineage.dirty or not v.dirty)]
    return matching[-1] if matching else None


def register(
    client: "MlflowClient", folder: Path, digest: str, document: run.Run, budget_mib: int | None
) -> tuple[ModelVersion, bool]:
    """Log a run to MLflow and make it a model version, unless it is one already.

    Args:
        client: Client of the store; the call may be repeated.
        folder: Folder of the run with its manifest, verified.
        digest: Digest of the manifest.
        document: The run's run.json.
        budget_mib: Limit for the size of all versions together, in MiB; None for no limit.

    Returns:
        The version, and whether it is new.

    Raises:
        StoreError: The store would grow beyond its budget.
    """
    versions = search_versions(client, document.model)
    existing = next((version for version in versions if version.digest == digest), None)
    existing = existing or (None if document.forced else find_same_training(versions, document.lineage))
    if existing:
        return existing, False
    size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    _check_budget(sum(version.bytes for version in versions) + size, budget_mib)
    tags = {
        DIGEST: digest,
        TRAINING: document.lineage.training,
        DIRTY: str(document.lineage.dirty).lower(),
        BYTES: str(size),
    }
    run_id = _log_run(client, folder, document, tags)
    if not versions and not client.search_registered_models(f"name = '{document.model}'"):
        client.create_registered_model(document.model)
    model_id = _log_model(client, folder, document, run_id)
    entry = client.create_model_version(
        document.model, source=f"models:/{model_id}", run_id=run_id, tags=tags, model_id=model_id, await_creation_for=0
    )
    return _version(entry, {}), True


def _check_budget(size: int, budget_mib: int | None) -> None:
    if budget_mib is not None and size > budget_mib * 2**20:
        raise StoreError(
            f"With this version the store would take {size / 2**20:.0f} MiB, more than its budget of {budget_mib} MiB.",
            "Move to a tracking server: set MLFLOW_TRACKING_URI to it (`gitops docs store`), and register again; "
            "or raise `budget_mib` under [store] in model.toml.",
        )


def _log_run(client: "MlflowClient", folder: Path, document: run.Run, tags: dict[str, str]) -> str:
    """Log a finished run: parameters, metrics, tags, data set, plots."""
    from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param, RunTag

    lineage = document.lineage
    name = f"{document.model} {lineage.training[7:15]}"
    experiment = client.get_experiment_by_name(document.model)
    if experiment:
        check_address(client, experiment.artifact_location, f"the experiment {document.model}")
    experiment_id = experiment.experiment_id if experiment else client.create_experiment(document.model)
    for unfinished in client.search_runs([experiment_id], f"tags.`{DIGEST}` = '{tags[DIGEST]}'"):
        client.delete_run(unfinished.info.run_id)  # of an earlier attempt that was interrupted
    created = client.create_run(experiment_id, run_name=name, tags=tags)
    run_id: str = created.info.run_id
    lineage_tags = {"commit": lineage.commit, "holdout": lineage.holdout, "configuration": lineage.configuration,
                    "lock": lineage.lock, "python": lineage.python, **lineage.libraries}  # fmt: skip
    client.log_batch(
        run_id,
        metrics=[Metric(key, value, 0, 0) for key, value in document.metrics.items()],
        params=[Param(key, value) for key, value in document.parameters.items()],
        tags=[RunTag(f"lineage.{key}", str(value)) for key, value in lineage_tags.items()],
    )
    digest = lineage.data.removeprefix("sha256:")[:32]
    data = Dataset(name="data", digest=digest, source_type="gitops", source=json.dumps({"digest": lineage.data}),
                   profile=json.dumps({"rows": lineage.rows, "holdout rows": lineage.holdout_rows}))  # fmt: skip
    client.log_inputs(run_id, [DatasetInput(data, [InputTag("mlflow.data.context", "training")])])
    client.log_artifacts(run_id, str(folder / run.PLOTS), run.PLOTS)
    return run_id


def _log_model(client: "MlflowClient", folder: Path, document: run.Run, run_id: str) -> str:
    """Log the folder as an MLflow model with a signature; the model file in it is not opened."""
    import mlflow
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, Schema

    output_type = (
        "double" if document.task == "regression" else "string" if isinstance(document.classes[0], str) else "long"
    )
    signature = ModelSignature(
        inputs=Schema([ColSpec(_mlflow_type(dtype), name) for name, dtype in document.columns.items()]),
        outputs=Schema([ColSpec(output_type, "prediction")]),
    )
    with mlflow.start_run(run_id=run_id), warnings.catch_warnings():
        # MLflow warns that there is no input example. It would load the model to try it, which must not happen here.
        warnings.simplefilter("ignore")
        model_info = mlflow.pyfunc.log_model(
            name="model", loader_module=LOADER, data_path=str(folder), signature=signature,
            pip_requirements=[f"scikit-learn=={document.lineage.libraries['scikit-learn']}",
                              f"skops=={document.lineage.libraries['skops']}"],
        )  # fmt: skip
    client.set_terminated(run_id)
    return str(model_info.model_id)


def _mlflow_type(dtype: str) -> Any:
    return next((mlflow_type for prefix, mlflow_type in TYPES.items() if dtype.startswith(prefix)), "string")


def version_folder(repository: "Repository", number: str, digest: str) -> Path:
    """Return the folder in which this clone keeps the files of a version.

    Args:
        repository: The clone.
        number: Registry version number.
        digest: Digest of the version's manifest.
    """
    return repository.scratch / "versions" / f"{number}-{digest.removeprefix('sha256:')[:12]}"


def download_version(store: "Store", model: str, number: str, digest: str, out: Path) -> Path:
    """Download a version's files from the store and verify them.

    Args:
        store: The MLflow store.
        model: Name of the registered model.
        number: Registry version number.
        digest: Digest of the version's manifest, from the record or a job output.
        out: Folder to write; it is kept if it holds that version already.

    Returns:
        The folder.

    Raises:
        IntegrityError: The files are not those that the digest names.
        StoreError: The store cannot be read or does not have the version, or the version is not a run of gitops.
    """
    missing = not (out / MANIFEST).exists()
    if missing and store.read(lambda client: _download(client, model, number, digest, out), None) is None:
        raise StoreError(
            f"Version {number} of {model} cannot be fetched, because there is no store: its branch does not exist.",
            DELETED,
        )
    verify(out, digest)
    return out


def _download(client: "MlflowClient", model: str, number: str, digest: str, out: Path) -> Path:
    import mlflow

    address = find_files(client, model, number)
    with tempfile.TemporaryDirectory() as scratch:
        download = mlflow.artifacts.download_artifacts(
            artifact_uri=address, dst_path=scratch, tracking_uri=client.tracking_uri
        )
        manifests = list(Path(download).glob(f"data/*/{MANIFEST}"))
        if len(manifests) != 1:
            raise StoreError(
                f"Version {number} of {model} in the store is not a run of gitops.", "Register it again with gitops."
            )
        verify(manifests[0].parent, digest)
        out.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(manifests[0].parent, out)
    return out
