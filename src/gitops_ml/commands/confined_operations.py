"""Operations of a confined process with your code: load a model, fit one, predict, run your tests."""

import os
import pickle
import subprocess
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from gitops_ml.confinement.channel import JsonObject, Requests
from gitops_ml.confinement.rows_in_bytes import predictions_to_bytes, rows_from_bytes

Answer = JsonObject | bytes
Operation = Callable[["Workshop", JsonObject, bytes], Answer]
# Of the rules that rows violate; more would not help to correct them.
MAX_VIOLATIONS, MAX_PLACES = 100, 3


class Workshop:
    """Your code and at most one model, in a confined process.

    Attributes:
        repository: The repository.
        model: Model that was loaded or fitted.
        metadata: Metadata of a loaded version.
        folder: Folder of a loaded version.
        classes: Classes that the judging process expects.
        request: Function that answers a request with a number, as a server of the version.
        scored: Predictions of another commit's library.
        rows: Features that the model was fitted on.
    """

    def __init__(self) -> None:
        """Create an empty workshop."""
        self.repository: Any = None
        self.model: Any = None
        self.metadata: Any = None
        self.folder: Path | None = None
        self.classes: tuple[Any, ...] = ()
        self.request: Callable[[int], object] | None = None
        self.scored: Any = None
        self.rows: Any = None


def answer_all(requests: Requests) -> None:
    """Answer requests until there are no more; an exception is an answer too.

    Args:
        requests: Channel to the judging process.
    """
    workshop = Workshop()
    while (received := requests.receive()) is not None:
        request, data = received
        try:
            answer = OPERATIONS[request["do"]](workshop, request, data)
        except BaseException as error:  # your code can raise any exception, also SystemExit
            requests.fail(error)
        else:
            requests.answer(answer)


def _open_repository(workshop: Workshop, request: JsonObject, data: bytes) -> Answer:
    from gitops_ml.config import find_repository

    workshop.repository = find_repository(Path(request["root"]))
    return {}


def _load_version(workshop: Workshop, request: JsonObject, data: bytes) -> Answer:
    """Load a model whose digest the judging process has checked; its classes may be defined in your package."""
    from gitops_ml.serving.score import open_run
    from gitops_ml.user_package import add_source_folder

    add_source_folder(workshop.repository)
    folder = Path(request["folder"])
    trusted = workshop.repository.config.serving.trusted_types
    workshop.metadata, workshop.model = open_run(folder, request["digest"], trusted)
    workshop.folder, workshop.classes = folder, tuple(workshop.metadata.classes)
    return {"probabilities": bool(workshop.classes) and hasattr(workshop.model, "predict_proba")}


def _check(workshop: Workshop, request: JsonObject, data: bytes) -> Answer:
    """Check that a model file can hold the pipeline of your package, by a fit on a few rows."""
    from gitops_ml.modelling.trial_fit import check_before_fit
    from gitops_ml.training.features import select_features
    from gitops_ml.training.train import build_pipeline
    from gitops_ml.user_package import load_user_package

    rows, repository = rows_from_bytes(data), workshop.repository
    package, config = load_user_package(repository), repository.config
    features, labels = select_features(config.data, rows), rows[config.data.target].to_numpy()
    check_before_fit(partial(build_pipeline, repository, package), features, labels, config.serving.trusted_types)
    return {}


def _fit(workshop: Workshop, request: JsonObject, data: bytes) -> Answer:
    """Fit the pipeline of your package on training rows."""
    from gitops_ml.training.features import select_features
    from gitops_ml.training.search import fit
    from gitops_ml.training.train import build_pipeline
    from gitops_ml.user_package import load_user_package

    rows, repository = rows_from_bytes(data), workshop.repository
    package = load_user_package(repository)
    features = select_features(repository.config.data, rows)
    found = fit(repository, build_pipeline(repository, package), features, rows, request.get("chosen"))
    workshop.model, workshop.rows = found.model, features
    classes = tuple(np.asarray(getattr(found.model, "classes_", ())).tolist())
    workshop.classes = classes if request["classes"] is None else tuple(request["classes"])
    has_probabilities = bool(classes) and hasattr(found.model, "predict_proba")
    return {"probabilities": has_probabilities, "classes": list(classes), "parameters": found.parameters,
            "chosen": found.chosen}  # fmt: skip


def _save(workshop: Workshop, request: JsonObject, data: bytes) -> Answer:
    """Leave the model file, and the averages that explanations need, in the folder of this process."""
    from gitops_ml.explanations import compute_attribution_baseline
    from gitops_ml.modelling.model_file import save_model

    config = workshop.repository.config
    save_model(workshop.model, Path(request["model"]), config.serving.trusted_types)
    baseline = compute_attribution_baseline(workshop.model, workshop.rows, config.data.target)
    Path(request["baseline"]).write_text(baseline.model_dump_json(), encoding="utf-8")
    return {}


def _predict(workshop: Workshop, request: JsonObject, data: bytes) -> Answer:
    from gitops_ml.predictions import predict

    return predictions_to_bytes(predict(workshop.model, rows_from_bytes(data)), workshop.classes)


def _explain(workshop: Workshop, request: JsonObject, data: bytes) -> Answer:
    from gitops_ml.explanations import AttributionBaseline, explain

    found = explain(workshop.model, AttributionBaseline.model_validate(request["baseline"]), rows_from_bytes(data))
    return {
        "unit": found.unit, "classes": list(found.classes), "base": found.base.tolist(),
        "columns": list(found.columns), "contributions": found.contributions.tolist(),
    }  # fmt: skip


def _measure_memory(workshop: Workshop, request: JsonObject, data: bytes) -> Answer:
    """Return the length of the model's uncompressed pickle, which is only counted."""
    counter = _ByteCounter()
    pickle.dump(workshop.model, counter, protocol=5)
    return {"bytes": counter.bytes}


class _ByteCounter:
    """A writable file object that counts the bytes written to it and stores none."""

    def __init__(self) -> None:
        self.bytes = 0

    def write(self, data: Any) -> int:
        """Count the bytes, and return their number."""
        size = memoryview(data).nbytes
        self.bytes += size
        return size


def _describe_schema(workshop: Workshop, request: JsonObject, data: bytes) -> Answer:
    from gitops_ml.training.row_checker import find_unique_groups
    from gitops_ml.user_package import load_user_package

    schema = load_user_package(workshop.repository).schema
    key = workshop.repository.config.data.key
    return {
        "nullable": [str(name) for name, column in schema.columns.items() if column.nullable],
        "unique": [list(group) for group in find_unique_groups(schema, key)],
    }


def _describe_columns(workshop: Workshop, request: JsonObject, data: bytes) -> Answer:
    """Return the type of each column that the schema has, as text, and the categories of a type with a fixed set."""
    from gitops_ml.rows.column_kinds import expand_columns
    from gitops_ml.user_package import load_user_package

    schema = load_user_package(workshop.repository).schema
    described = {}
    for name, column in expand_columns(schema, request["names"]).items():
        own = getattr(column.dtype, "type", column.dtype)
        categories = getattr(own, "categories", None)
        described[name] = {"dtype": str(column.dtype), "ordered": bool(getattr(own, "ordered", False)),
                           "categories": None if categories is None else list(categories)}  # fmt: skip
    return {"columns": described}


def _check_rows(workshop: Workshop, request: JsonObject, data: bytes) -> Answer:
    """Check typed rows; say whether the schema changes their values."""
    from gitops_ml.rows.cell_rules import cell_rules
    from gitops_ml.rows.column_kinds import find_kinds
    from gitops_ml.rows.schema_check import check_typed_rows
    from gitops_ml.user_package import load_user_package

    schema, config = load_user_package(workshop.repository).schema, workshop.repository.config
    rows = rows_from_bytes(data)
    kinds = find_kinds(schema, rows.columns, cell_rules(config.data))
    checked, violations = check_typed_rows(schema, config.data.key, rows, kinds, rows, {})
    found = [
        {"column": each.column, "rule": each.rule[:500], "rows": len(each.values),
         "places": [int(place) for place in each.values.index[:MAX_PLACES]]} for each in violations[:MAX_VIOLATIONS]
    ]  # fmt: skip
    changed = [name for name in rows.columns if violations == [] and not _is_same(rows[name], checked.get(name))]
    is_changed = bool(changed) or (not violations and list(checked.columns) != list(rows.columns))
    return {"violations": found, "converted": is_changed, "converts_target": config.data.target in changed}


def _is_same(before: Any, after: Any) -> bool:
    """Return whether a column has the same values; another type of the same values is no change."""
    if after is None or len(before) != len(after):
        return False
    missing = before.isna().to_numpy()
    if (missing != after.isna().to_numpy()).any():
        return False
    return bool((before.astype(object)[~missing].to_numpy() == after.astype(object)[~missing].to_numpy()).all())


def _run_behaviour_tests(workshop: Workshop, request: JsonObject, data: bytes) -> Answer:
    from gitops_ml.training.findings.behaviour import run_tests

    tests = run_tests(workshop.repository.root, workshop.model, rows_from_bytes(data))
    return {"tests": [each.model_dump(mode="json") for each in tests]}


def _open_requests(workshop: Workshop, request: JsonObject, data: bytes) -> Answer:
    """Prepare requests of one row; they are answered as by a server if it accepts the rows, else by the model alone."""
    from threadpoolctl import threadpool_limits

    from gitops_ml.commands.request_handler import open_request_handler
    from gitops_ml.user_package import load_user_package

    threadpool_limits(limits=1)  # as a server has for a request
    rows, package = rows_from_bytes(data), load_user_package(workshop.repository)
    model, metadata, folder = workshop.model, workshop.metadata, workshop.folder
    if request["baseline"]:
        model = _fit_baseline(rows, workshop)
    assert folder is not None  # noqa: S101 (a version is loaded)
    handler = open_request_handler(workshop.repository, package, metadata, model, folder, rows)
    workshop.request = handler or partial(_predict_row, model, rows)
    return {"served": handler is not None}


def _predict_row(model: Any, rows: Any, number: int) -> object:
    result: object = model.predict(rows.iloc[[number % len(rows)]])
    return result


def _fit_baseline(rows: Any, workshop: Workshop) -> Any:
    """Return a baseline estimator that always predicts the same."""
    from sklearn.dummy import DummyClassifier, DummyRegressor

    if not workshop.classes:
        return DummyRegressor().fit(rows, [0.0] * len(rows))
    labels = [workshop.classes[number % len(workshop.classes)] for number in range(len(rows))]
    return DummyClassifier(strategy="prior").fit(rows, labels)


def _request(workshop: Workshop, request: JsonObject, data: bytes) -> Answer:
    assert workshop.request is not None  # noqa: S101 (opened before)
    workshop.request(request["number"])
    return b""


def _find_loosened_checks(workshop: Workshop, request: JsonObject, data: bytes) -> Answer:
    """Compare two versions of schema.py, which are executed."""
    from gitops_ml.training.schema_strictness import find_loosened_checks, load_schema

    before, after = load_schema(request["before"]), load_schema(request["after"])
    if before is None or after is None:
        return {"unknown": True}
    return {"loosened": find_loosened_checks(before, after)}


def _score_by_command(workshop: Workshop, request: JsonObject, data: bytes) -> Answer:
    """Have another commit's library predict rows; it reads and writes files in this process's own folder."""
    from gitops_ml.predictions import read_predictions

    files = {name: Path(request["command"][request["command"].index(name) + 1]) for name in ("--rows", "--out")}
    rows_from_bytes(data).to_parquet(files["--rows"], index=False)
    done = subprocess.run(
        request["command"], env={**os.environ, **request["environment"]}, capture_output=True, text=True, check=False
    )
    if done.returncode:
        output = (done.stderr.strip() or done.stdout.strip()).splitlines()
        raise RuntimeError("; ".join(output[-3:]) or f"exit {done.returncode}")
    workshop.classes = tuple(request["classes"])
    workshop.scored = read_predictions(files["--out"], workshop.classes)
    return {"probabilities": workshop.scored.probabilities is not None}


def _send_scored(workshop: Workshop, request: JsonObject, data: bytes) -> Answer:
    return predictions_to_bytes(workshop.scored, workshop.classes)


OPERATIONS: dict[str, Operation] = {
    "open repository": _open_repository, "load version": _load_version, "check": _check, "fit": _fit, "save": _save,
    "predict": _predict, "explain": _explain, "measure memory": _measure_memory, "describe schema": _describe_schema,
    "describe columns": _describe_columns, "check rows": _check_rows, "run behaviour tests": _run_behaviour_tests,
    "open requests": _open_requests, "request": _request, "find loosened checks": _find_loosened_checks,
    "score by command": _score_by_command, "scored": _send_scored,
}  # fmt: skip
