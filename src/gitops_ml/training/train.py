"""Training: fit the user's pipeline on the training rows and write a run folder with its manifest."""

import json
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import pandas as pd

from gitops_ml import run
from gitops_ml.config import Repository
from gitops_ml.errors import ConfigError
from gitops_ml.explanations import AttributionBaseline
from gitops_ml.manifest import FILE as MANIFEST
from gitops_ml.manifest import write_manifest
from gitops_ml.predictions import Predictions, to_frame
from gitops_ml.temporary_folder import working_folder
from gitops_ml.training.cross_validation import CrossValidation, cross_validate
from gitops_ml.training.features import select_features
from gitops_ml.training.key_sample import sample_keys
from gitops_ml.training.lineage import lineage
from gitops_ml.training.metrics import measure_all
from gitops_ml.training.reference import reference
from gitops_ml.training.row_fingerprints import fingerprint_rows
from gitops_ml.training.split import holdout_mask
from gitops_ml.user_package import UserPackage

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

EXPECTED_ROWS = 20
# Training rows among which the recorded rows are chosen.
SAMPLED_ROWS = 10_000
Progress = Callable[[str], object]


@dataclass(frozen=True)
class PreparedData:
    """The rows and the lineage that training needs.

    Attributes:
        rows: Training rows with features, key and target.
        held_out: Held-out rows with features, key and target.
        keys: Keys of all rows.
        lineage: Lineage with the training digest.
        set_aside: Held-out rows that a comparison does not use, because one of its versions was trained on them; None
            if there are none.
    """

    rows: pd.DataFrame
    held_out: pd.DataFrame
    keys: pd.Series
    lineage: run.Lineage
    set_aside: pd.DataFrame | None = None


def prepare(repository: Repository, frame: pd.DataFrame, digest: str) -> PreparedData:
    """Split validated rows and collect the lineage.

    Args:
        repository: Repository of the project.
        frame: Rows that `validate` accepted.
        digest: Digest of the data.

    Returns:
        The split rows and the lineage.

    Raises:
        ConfigError: The split does not fit the data.
    """
    held = holdout_mask(repository, frame)
    held_out = frame[held].reset_index(drop=True)
    return PreparedData(
        frame[~held].reset_index(drop=True),
        held_out,
        frame[repository.config.data.key],
        lineage(repository, digest, frame, held_out),
    )


@dataclass(frozen=True)
class TrainedModel:
    """A model that was fitted on all training rows.

    Attributes:
        model: The model, wherever its code runs.
        classes: Labels in the order of the probabilities; empty for a regression.
        parameters: Parameters of its last step, as text.
        chosen: Parameters that a search has chosen; empty without a search.
    """

    model: Any
    classes: tuple[Any, ...]
    parameters: dict[str, str]
    chosen: dict[str, Any]


class TrainingCode(Protocol):
    """Your pipeline, wherever it is fitted."""

    def check(self, rows: pd.DataFrame) -> None:
        """Check that a model file can hold the pipeline, before it is fitted on all rows.

        Args:
            rows: Training rows with key and target.

        Raises:
            ConfigError: The pipeline contains a type that is not trusted, or that cannot be written or loaded.
        """

    def fit(self, rows: pd.DataFrame) -> TrainedModel:
        """Fit the pipeline on the training rows.

        Args:
            rows: Training rows with key and target.

        Returns:
            The model.

        Raises:
            ConfigError: The pipeline refuses a parameter or the rows.
        """

    def fit_fold(self, rows: pd.DataFrame, trained: TrainedModel) -> Any:
        """Fit the pipeline on a part of the training rows.

        Args:
            rows: Training rows of a fold, with key and target.
            trained: Model of all training rows.

        Returns:
            The model, which has the method `predict`.

        Raises:
            ConfigError: The pipeline refuses the rows.
        """

    def save(self, trained: TrainedModel) -> tuple[bytes, bytes]:
        """Return the content of the model file, and the averages that explanations need, as JSON.

        Args:
            trained: Model of all training rows, which is not asked again.

        Raises:
            ConfigError: A model file cannot hold the model.
        """


def train(
    repository: Repository, code: TrainingCode, prepared: PreparedData, out: Path, *, forced: bool, progress: Progress
) -> str:
    """Fit a pipeline, measure it by cross-validation on the training rows, and write one run.

    The held-out rows are not predicted: only a comparison may do that.

    Args:
        repository: Repository of the project.
        code: Your pipeline.
        prepared: Split rows and lineage.
        out: Folder to write; an earlier run is replaced when the new one is complete.
        forced: True if the run was forced, which the run records.
        progress: Function that is called with the name of each step.

    Returns:
        The digest of the folder's manifest.

    Raises:
        ConfigError: The pipeline refuses a parameter or the rows, or has types that a model file may not contain.
    """
    config = repository.config
    data, positive = config.data, config.data.positive
    check_output_folder(out)
    code.check(prepared.rows)
    progress("fit")
    trained = code.fit(prepared.rows)
    features, folds = select_features(data, prepared.rows), list[tuple[Any, pd.DataFrame]]()

    def predict_fold(fitted: pd.DataFrame, held: pd.DataFrame) -> Predictions:
        folds.append((code.fit_fold(fitted, trained), held))
        predictions: Predictions = folds[-1][0].predict(select_features(data, held))
        return predictions

    validated = cross_validate(repository, predict_fold, prepared.rows, config.training.folds, progress)
    sample = features.head(SAMPLED_ROWS)
    with _replacing(out.resolve()) as partial:
        progress("draw the charts")
        _draw(repository, validated, *folds[-1], partial / run.PLOTS)
        _write(partial / run.EXPECTED, _expected(sample, trained.model.predict(sample), positive))
        progress("save the model")
        model, averages = code.save(trained)
        (partial / run.MODEL).write_bytes(model)
        baseline = _read_averages(averages)
        _write(partial / run.ATTRIBUTION_BASELINE, baseline.model_dump(mode="json"))
        _write(partial / run.EXAMPLE, _records(features.head(3)))
        # On rows that it was fitted on, a model is more confident than on others.
        histograms = reference(features, prepared.rows[data.target], validated.predictions, positive)
        _write(partial / run.REFERENCE, histograms)
        _write(partial / run.KEY_SAMPLE, sample_keys(prepared.keys))
        fingerprints = fingerprint_rows(prepared.rows, prepared.held_out, data.key, data.target)
        _write(partial / run.ROW_FINGERPRINTS, fingerprints.model_dump())
        description = _describe(repository, prepared, validated, trained, forced)
        # Unsorted: the order of the columns is the order in which the model takes them.
        _write(partial / run.FILE, description.model_dump(mode="json"), sort=False)
        return write_manifest(partial)


def _read_averages(content: bytes) -> AttributionBaseline:
    try:
        return AttributionBaseline.model_validate_json(content)
    except ValueError:
        return AttributionBaseline(unavailable="the averages that explanations need could not be read")


def check_output_folder(out: Path) -> None:
    """Check that a folder is new, empty, or holds an earlier run.

    Args:
        out: Folder to write a run to.

    Raises:
        ConfigError: The folder has other content.
    """
    if out.is_file() or (out.is_dir() and any(out.iterdir()) and not (out / MANIFEST).is_file()):
        raise ConfigError(
            f"{out} exists and is not a run of gitops.", "Choose a new folder, or one that holds an earlier run."
        )


@contextmanager
def _replacing(out: Path) -> Iterator[Path]:
    """Yield a new folder that replaces another when it is complete; after a kill, the old folder or none remains."""
    out.parent.mkdir(parents=True, exist_ok=True)
    with working_folder(out.parent, f".{out.name}.") as scratch:
        new = scratch / "new"
        new.mkdir()
        yield new
        if out.exists():
            out.rename(scratch / "old")
        new.rename(out)


def build_pipeline(repository: Repository, user_package: UserPackage) -> "Pipeline":
    """Return the user's pipeline with the seed and the parameters of model.toml.

    Args:
        repository: Repository with model.toml.
        user_package: User's package with the pipeline.

    Raises:
        ConfigError: The function raises, returns no pipeline, or the pipeline refuses a parameter.
    """
    from sklearn.pipeline import Pipeline

    training = repository.config.training
    # Estimators that draw from the global generators instead of their seed are repeatable too.
    random.seed(training.seed)
    np.random.seed(training.seed)  # noqa: NPY002 (estimators without a random_state use it)
    try:
        pipeline = user_package.pipeline(training.seed)
    except Exception as error:  # user code can raise any exception
        raise ConfigError(
            f"pipeline(seed) in estimator.py raised {type(error).__name__}: {error}",
            "Fix estimator.py or features.py.",
        ) from error
    if not isinstance(pipeline, Pipeline):
        raise ConfigError(
            f"pipeline(seed) in estimator.py returned {type(pipeline).__name__}, not a scikit-learn Pipeline.",
            "Wrap it: Pipeline([('features', features()), ('estimator', ...)]).",
        )
    try:
        return pipeline.set_params(**training.parameters)
    except ValueError as error:
        raise ConfigError(
            f"model.toml: [training.parameters]: {error}",
            "Fix the parameter; `gitops config` prints the configuration in use.",
        ) from error


def _expected(rows: pd.DataFrame, predictions: Predictions, positive: object) -> dict[str, Any]:
    """Return a few rows with predictions for the smoke test, of every label or from both sides of the median."""
    if predictions.classes:
        labels = predictions.values
        sides = [np.flatnonzero(labels == label) for label in predictions.classes]
    else:
        middle = np.median(predictions.values)
        sides = [np.flatnonzero(predictions.values > middle), np.flatnonzero(predictions.values <= middle)]
    share = max(1, EXPECTED_ROWS // len(sides))
    chosen = np.sort(np.concatenate([side[:share] for side in sides]))
    frame = to_frame(predictions.take(chosen))
    return {
        "rows": _records(rows.iloc[chosen]),
        "predictions": _records(frame),
    }


def _records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Return rows for JSON: numbers with all digits, dates as text, missing values as null."""
    objects = frame.astype(object).where(frame.notna(), None)
    records: list[dict[str, Any]] = json.loads(json.dumps(objects.to_dict("records"), default=str))
    return records


def _draw(repository: Repository, validated: CrossValidation, model: Any, held: pd.DataFrame, folder: Path) -> None:
    """Draw the errors of all folds, and the importance of columns for the last one."""
    from gitops_ml.training.plots import draw_plots

    config = repository.config
    target = config.data.target
    draw_plots(
        folder, validated.rows[target].to_numpy(), validated.predictions, model, select_features(config.data, held),
        held[target].to_numpy(), config.evaluation.metric, config.data.positive, config.training.seed,
    )  # fmt: skip


def _describe(
    repository: Repository, prepared: PreparedData, validated: CrossValidation, trained: TrainedModel, forced: bool
) -> run.Run:
    config = repository.config
    labels = validated.rows[config.data.target].to_numpy()
    features = select_features(config.data, prepared.rows)
    return run.Run(
        model=config.project.name,
        task=config.project.task,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        forced=forced,
        key=config.data.key,
        target=config.data.target,
        known_later=config.data.known_later,
        columns={str(name): str(kind) for name, kind in features.dtypes.items()},
        classes=trained.classes,
        parameters=trained.parameters,
        metrics=measure_all(labels, validated.predictions, config.data.positive),
        measured_by="cross-validation",
        lineage=prepared.lineage,
    )


def _write(file: Path, value: Any, *, sort: bool = True) -> None:
    file.write_text(json.dumps(value, sort_keys=sort) + "\n", encoding="utf-8", newline="\n")
