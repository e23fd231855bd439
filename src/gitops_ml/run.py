"""A run: the folder of one execution of training, with its lineage, its metrics and its files."""

import json
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from gitops_ml.config import SplitConfig
from gitops_ml.errors import IntegrityError
from gitops_ml.manifest import verify

FILE = "run.json"
MODEL = "model.skops"
EXPECTED = "expected.json"
REFERENCE = "reference.json"
EXAMPLE = "input_example.json"
KEY_SAMPLE = "sketch.json"
ROW_FINGERPRINTS = "seal.json"
ATTRIBUTION_BASELINE = "reasons.json"
PLOTS = "plots"


class Document(BaseModel):
    """A JSON document that commands write and read."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    def to_json(self) -> str:
        """Return the document as JSON, sorted and indented for small diffs."""
        return json.dumps(self.model_dump(mode="json"), indent=2, sort_keys=True, ensure_ascii=False) + "\n"


class Lineage(Document):
    """Code, data, configuration and environment of a run.

    Attributes:
        commit: Id of the commit that was checked out; None before the first commit.
        dirty: True if an input of training differed from that commit.
        data: Digest of the data.
        rows: Number of rows of the data.
        holdout: Digest of the held-out rows.
        holdout_rows: Number of held-out rows.
        split: Configuration of the split.
        cutoff: Time of the first held-out row or later, in ISO 8601, before which all training rows lie; None if the
            split is not by time, or if an older library trained the version.
        training: Digest of all inputs of training: data, your package, training settings, lock file.
        configuration: Digest of model.toml.
        lock: Digest of requirements/train.txt; None if there is none.
        python: Version of the interpreter.
        libraries: Versions of the libraries that affect a model.
    """

    commit: str | None
    dirty: bool
    data: str
    rows: int
    holdout: str
    holdout_rows: int
    split: SplitConfig
    training: str
    configuration: str
    lock: str | None
    python: str
    libraries: dict[str, str]
    cutoff: str | None = None


class Run(Document):
    """Description of a run; `gitops compare` measures the metrics again and does not use those of the run.

    Attributes:
        model: Name of the registered model.
        task: "classification" or "regression".
        created: Time of the end of training, in UTC.
        forced: True if the run was trained even if a version with the same training digest exists.
        key: Name of the key column.
        target: Name of the target column.
        known_later: Columns of the data that are known only after the prediction is made.
        columns: Columns of a request, with pandas' names of their types.
        classes: Labels in the order of the probabilities; empty for regression.
        parameters: Parameters of the estimator.
        metrics: Metrics, measured as `measured_by` says.
        measured_by: "cross-validation" on the training rows; "holdout" in runs of older versions of the library.
        lineage: Lineage of the run.
    """

    model: str
    task: str
    created: str
    forced: bool
    key: str
    target: str
    known_later: tuple[str, ...] = ()
    columns: dict[str, str]
    classes: tuple[str | int | bool, ...]
    parameters: dict[str, str]
    metrics: dict[str, float]
    measured_by: Literal["holdout", "cross-validation"] = "holdout"
    lineage: Lineage


class Recorded(BaseModel):
    """Form of the recorded rows and predictions for the smoke test.

    Attributes:
        rows: Rows as in a request.
        predictions: Predictions for these rows, with probabilities.
    """

    rows: list[dict[str, Any]]
    predictions: list[dict[str, Any]]


class ReferenceForm(BaseModel):
    """Form of the distributions in the training data.

    Attributes:
        columns: Bins of each column.
        prediction: Bins of the predictions.
    """

    columns: dict[str, dict[str, Any]]
    prediction: dict[str, Any]


# Commands take for granted that these documents have these forms.
FORMS: dict[str, TypeAdapter[Any]] = {
    EXPECTED: TypeAdapter(Recorded),
    EXAMPLE: TypeAdapter(list[dict[str, Any]]),
    REFERENCE: TypeAdapter(ReferenceForm),
    KEY_SAMPLE: TypeAdapter(list[Any]),
    ATTRIBUTION_BASELINE: TypeAdapter(dict[str, Any]),
}


def read_run(folder: Path, digest: str) -> Run:
    """Verify the folder of a run and read its description.

    Args:
        folder: Folder of the run.
        digest: Digest of its manifest.

    Returns:
        The description of the run.

    Raises:
        IntegrityError: The folder does not match the digest, or one of its documents is invalid.
    """
    verify(folder, digest)
    return parse_run(folder)


def parse_run(folder: Path) -> Run:
    """Return the description of a run whose files the caller has verified.

    Args:
        folder: Folder of the run; documents beside run.json may be missing.

    Raises:
        IntegrityError: Its run.json, or another of its documents, is invalid.
    """
    file = folder / FILE
    try:
        document = Run.model_validate_json(file.read_bytes())
        _check_fields(document)
        for name, form in FORMS.items():
            file = folder / name
            if file.exists():
                form.validate_json(file.read_bytes())
    except (OSError, ValueError) as error:
        raise IntegrityError(
            f"{file} was not written by this version of gitops: {_describe(error)}.", "Train again."
        ) from error
    return document


def _check_fields(document: Run) -> None:
    """Raise ValueError if a field has a value that a run cannot have."""
    missing = [name for name in ("scikit-learn", "skops") if name not in document.lineage.libraries]
    if missing:
        raise ValueError(f"lineage.libraries does not have {' and '.join(missing)}")
    if document.task == "classification" and not document.classes:
        raise ValueError("classes is empty")
    if not document.columns:
        raise ValueError("columns is empty")


def _describe(error: Exception) -> str:
    """Return the first problem of a document in one short line."""
    if not isinstance(error, ValidationError):
        return str(error)
    first = error.errors(include_url=False, include_input=False)[0]
    place = ".".join(str(part) for part in first["loc"])
    return f"{place}: {first['msg']}"[:200] if place else first["msg"][:200]
