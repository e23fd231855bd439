"""One execution of training, as it lies in a folder: what it read, what it measured, and the files it left."""

import json
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from gitops_ml.config import Split
from gitops_ml.errors import IntegrityError
from gitops_ml.manifest import verify

FILE = "run.json"
MODEL = "model.skops"
EXPECTED = "expected.json"
REFERENCE = "reference.json"
EXAMPLE = "input_example.json"
SKETCH = "sketch.json"
SEAL = "seal.json"
REASONS = "reasons.json"
PLOTS = "plots"


class Document(BaseModel):
    """Something that commands write as JSON and read back."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    def to_json(self) -> str:
        """Sorted and indented, so that a change is a small diff."""
        return json.dumps(self.model_dump(mode="json"), indent=2, sort_keys=True, ensure_ascii=False) + "\n"


class Lineage(Document):
    """What is behind a version.

    Attributes:
        commit: The commit that was checked out; None before the first.
        dirty: Whether anything that training reads differed from that commit.
        data: Digest of the data.
        rows: How many rows it has.
        holdout: Digest of the held-out rows.
        holdout_rows: How many those are.
        split: How they were chosen.
        training: Digest of all that training depends on: data, your package, training tables, lock.
        configuration: Digest of the whole of model.toml.
        lock: Digest of requirements/train.txt; None where there is none.
        python: The interpreter's version.
        libraries: Versions of the libraries that shape a model.
    """

    commit: str | None
    dirty: bool
    data: str
    rows: int
    holdout: str
    holdout_rows: int
    split: Split
    training: str
    configuration: str
    lock: str | None
    python: str
    libraries: dict[str, str]


class Run(Document):
    """What training says of itself; compare measures anew and trusts none of the metrics here.

    Attributes:
        model: The registered model's name.
        task: "classification" or "regression".
        created: When it ended, in UTC.
        forced: Trained although a version with the same training digest may exist.
        key: The column that names a row.
        target: The column that is predicted.
        columns: The columns that a request has, with pandas' names of their types.
        classes: The labels in the order of the probabilities; empty for regression.
        parameters: What the estimator was set to.
        metrics: On the holdout.
    """

    model: str
    task: str
    created: str
    forced: bool
    key: str
    target: str
    columns: dict[str, str]
    classes: tuple[str | int | bool, ...]
    parameters: dict[str, str]
    metrics: dict[str, float]
    lineage: Lineage


def read(folder: Path, digest: str) -> Run:
    """Verify a run's folder and read what it says of itself.

    Raises:
        IntegrityError: The folder is not the one that the digest names, or its run.json is not one.
    """
    verify(folder, digest)
    try:
        return Run.model_validate_json((folder / FILE).read_bytes())
    except (OSError, ValidationError) as error:
        raise IntegrityError(
            f"{folder / FILE} was not written by this version of gitops: {error}", "Train again."
        ) from error
