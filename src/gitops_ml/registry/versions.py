"""Model versions: a sealed run's folder logged to MLflow and registered, without importing any of your code."""

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
class Version:
    """A model version, as the registry knows it.

    Attributes:
        number: The registry's number.
        run: MLflow's run.
        digest: Of the run's manifest; a hint for finding it, not a proof: what pins a version is the record.
        training: Of everything that its training depended on.
        dirty: Whether it was trained from uncommitted files.
        bytes: The size of its files.
        aliases: The names that point at it.
    """

    number: str
    run: str
    digest: str
    training: str
    dirty: bool
    bytes: int
    aliases: tuple[str, ...]


def known(store: "Store", model: str) -> list[Version]:
    """All versions of a registered model, oldest first, on the newest state of the store."""
    return store.read(lambda client: versions(client, model), list[Version]())


def versions(client: "MlflowClient", model: str) -> list[Version]:
    """All versions of a registered model, oldest first; none where the model is not registered."""
    found = client.search_model_versions(f"name = '{model}'", max_results=10_000)
    if not found:
        return []
    aliases = client.get_registered_model(model).aliases
    ours = [_version(entry, aliases) for entry in found if DIGEST in entry.tags]
    return sorted(ours, key=lambda version: int(version.number))


def _version(entry: Any, aliases: dict[str, Any]) -> Version:
    number = str(entry.version)
    return Version(
        number=number,
        run=str(entry.run_id),
        digest=entry.tags[DIGEST],
        training=entry.tags[TRAINING],
        dirty=entry.tags[DIRTY] == "true",
        bytes=int(entry.tags[BYTES]),
        aliases=tuple(sorted(alias for alias, at in aliases.items() if str(at) == number)),
    )


def same_training(among: list[Version], lineage: run.Lineage) -> Version | None:
    """The newest version that the same training made; one from uncommitted files does not stand for a clean one."""
    fit = [v for v in among if v.training == lineage.training and (lineage.dirty or not v.dirty)]
    return fit[-1] if fit else None


def register(
    client: "MlflowClient", folder: Path, digest: str, described: run.Run, budget_mib: int | None
) -> tuple[Version, bool]:
    """Log a run to MLflow and make it a model version, unless it is one already.

    Args:
        client: Of the store; the call may be repeated.
        folder: A sealed run, verified.
        digest: Of its manifest.
        described: What its run.json says.
        budget_mib: What all versions together may take; None for no limit.

    Returns:
        The version, and whether it is new.

    Raises:
        StoreError: The store would grow beyond its budget.
    """
    there_are = versions(client, described.model)
    there = next((version for version in there_are if version.digest == digest), None)
    there = there or (None if described.forced else same_training(there_are, described.lineage))
    if there:
        return there, False
    size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    _check_budget(sum(version.bytes for version in there_are) + size, budget_mib)
    tags = {
        DIGEST: digest,
        TRAINING: described.lineage.training,
        DIRTY: str(described.lineage.dirty).lower(),
        BYTES: str(size),
    }
    run_id = _log(client, folder, described, tags)
    if not there_are and not client.search_registered_models(f"name = '{described.model}'"):
        client.create_registered_model(described.model)
    model_id = _log_model(client, folder, described, run_id)
    entry = client.create_model_version(
        described.model, source=f"models:/{model_id}", run_id=run_id, tags=tags, model_id=model_id, await_creation_for=0
    )
    return _version(entry, {}), True


def _check_budget(size: int, budget_mib: int | None) -> None:
    if budget_mib is not None and size > budget_mib * 2**20:
        raise StoreError(
            f"With this version the store would take {size / 2**20:.0f} MiB, more than its budget of {budget_mib} MiB.",
            "Move to a tracking server: set MLFLOW_TRACKING_URI to it (`gitops docs store`), and register again; "
            "or raise `budget_mib` under [store] in model.toml.",
        )


def _log(client: "MlflowClient", folder: Path, described: run.Run, tags: dict[str, str]) -> str:
    """Log one finished run: parameters, metrics, tags, data set, plots."""
    from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param, RunTag

    lineage = described.lineage
    name = f"{described.model} {lineage.training[7:15]}"
    experiment = client.get_experiment_by_name(described.model)
    experiment_id = experiment.experiment_id if experiment else client.create_experiment(described.model)
    for half in client.search_runs([experiment_id], f"tags.`{DIGEST}` = '{tags[DIGEST]}'"):
        client.delete_run(half.info.run_id)  # a server that was cut off in the middle of an earlier attempt
    started = client.create_run(experiment_id, run_name=name, tags=tags)
    run_id: str = started.info.run_id
    more = {"commit": lineage.commit, "holdout": lineage.holdout, "configuration": lineage.configuration,
            "lock": lineage.lock, "python": lineage.python, **lineage.libraries}  # fmt: skip
    client.log_batch(
        run_id,
        metrics=[Metric(key, value, 0, 0) for key, value in described.metrics.items()],
        params=[Param(key, value) for key, value in described.parameters.items()],
        tags=[RunTag(f"lineage.{key}", str(value)) for key, value in more.items()],
    )
    digest = lineage.data.removeprefix("sha256:")[:32]
    data = Dataset(name="data", digest=digest, source_type="gitops", source=json.dumps({"digest": lineage.data}),
                   profile=json.dumps({"rows": lineage.rows, "holdout rows": lineage.holdout_rows}))  # fmt: skip
    client.log_inputs(run_id, [DatasetInput(data, [InputTag("mlflow.data.context", "training")])])
    client.log_artifacts(run_id, str(folder / run.PLOTS), run.PLOTS)
    return run_id


def _log_model(client: "MlflowClient", folder: Path, described: run.Run, run_id: str) -> str:
    """Log the sealed folder as an MLflow model with a signature; the file inside is never opened."""
    import mlflow
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, Schema

    answer = (
        "double" if described.task == "regression" else "string" if isinstance(described.classes[0], str) else "long"
    )
    signature = ModelSignature(
        inputs=Schema([ColSpec(_type(kind), name) for name, kind in described.columns.items()]),
        outputs=Schema([ColSpec(answer, "prediction")]),
    )
    with mlflow.start_run(run_id=run_id), warnings.catch_warnings():
        # MLflow asks for an input example so that it can load the model and try; nothing is loaded here.
        warnings.simplefilter("ignore")
        logged = mlflow.pyfunc.log_model(
            name="model", loader_module=LOADER, data_path=str(folder), signature=signature,
            pip_requirements=[f"scikit-learn=={described.lineage.libraries['scikit-learn']}",
                              f"skops=={described.lineage.libraries['skops']}"],
        )  # fmt: skip
    client.set_terminated(run_id)
    return str(logged.model_id)


def _type(kind: str) -> Any:
    return next((known for prefix, known in TYPES.items() if kind.startswith(prefix)), "string")


def place(repository: "Repository", number: str, digest: str) -> Path:
    """Where this clone keeps the files of a version."""
    return repository.scratch / "versions" / f"{number}-{digest.removeprefix('sha256:')[:12]}"


def fetch(store: "Store", model: str, number: str, digest: str, out: Path) -> Path:
    """Copy a version's files out of the store and verify them.

    Args:
        store: Where the version is.
        model: The registered model's name.
        number: The version's.
        digest: Of its manifest, from the record or a job output.
        out: The folder to write; kept as it is when it already is that version.

    Raises:
        IntegrityError: The files are not those that the digest names.
    """
    if not (out / MANIFEST).exists():
        store.read(lambda client: _download(model, number, digest, out), out)
    verify(out, digest)
    return out


def _download(model: str, number: str, digest: str, out: Path) -> Path:
    import mlflow

    with tempfile.TemporaryDirectory() as scratch:
        got = mlflow.artifacts.download_artifacts(artifact_uri=f"models:/{model}/{number}", dst_path=scratch)
        manifests = list(Path(got).glob(f"data/*/{MANIFEST}"))
        if len(manifests) != 1:
            raise StoreError(
                f"Version {number} of {model} in the store holds no run of gitops.", "Register it again with gitops."
            )
        verify(manifests[0].parent, digest)
        out.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(manifests[0].parent, out)
    return out
