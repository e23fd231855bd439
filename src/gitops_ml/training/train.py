"""Fit your pipeline on the training rows and leave a sealed folder; nothing else is written anywhere."""

import json
import random
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from gitops_ml import run
from gitops_ml.config import Repository
from gitops_ml.contract import Yours
from gitops_ml.errors import ConfigError
from gitops_ml.manifest import FILE as MANIFEST
from gitops_ml.manifest import seal
from gitops_ml.model_file import save
from gitops_ml.predictions import Predictions, predict, to_frame
from gitops_ml.reasons import basis
from gitops_ml.training.lineage import lineage
from gitops_ml.training.metrics import measure_all
from gitops_ml.training.reference import reference
from gitops_ml.training.seal import sealed
from gitops_ml.training.search import fit
from gitops_ml.training.sketch import sketch
from gitops_ml.training.split import holdout_mask

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

EXPECTED_ROWS = 20
Progress = Callable[[str], object]


@dataclass(frozen=True)
class Prepared:
    """Everything that training needs, before anything is fitted.

    Attributes:
        rows: Features and key and target of the training rows.
        held_out: The same of the holdout.
        keys: The keys of all rows.
        lineage: With the training digest.
    """

    rows: pd.DataFrame
    held_out: pd.DataFrame
    keys: pd.Series
    lineage: run.Lineage


def prepare(repository: Repository, frame: pd.DataFrame, digest: str) -> Prepared:
    """Split validated rows and gather the lineage.

    Args:
        repository: What is being trained.
        frame: The rows that `validate` accepted.
        digest: Of the data.

    Raises:
        ConfigError: The split does not fit the data.
    """
    held = holdout_mask(repository, frame)
    held_out = frame[held].reset_index(drop=True)
    return Prepared(
        frame[~held].reset_index(drop=True),
        held_out,
        frame[repository.config.data.key],
        lineage(repository, digest, frame, held_out),
    )


def features(repository: Repository, frame: pd.DataFrame) -> pd.DataFrame:
    """The columns that a model sees: all but the key and the target."""
    return frame.drop(columns=[repository.config.data.key, repository.config.data.target], errors="ignore")


def train(
    repository: Repository, yours: Yours, prepared: Prepared, out: Path, *, forced: bool, progress: Progress
) -> str:
    """Fit, measure and write one run.

    Args:
        repository: What is being trained.
        yours: Whose pipeline is fitted.
        prepared: The rows.
        out: The folder to write; what was there is replaced once the new one is whole.
        forced: Recorded with the run.
        progress: Told in a few words what is being done.

    Returns:
        The digest of the folder's manifest.

    Raises:
        ConfigError: The pipeline refuses a parameter or the rows, or holds types that a model file may not contain.
    """
    config, target = repository.config, repository.config.data.target
    check_place(out)
    progress("fit")
    model, parameters = fit(repository, unfitted(repository, yours), features(repository, prepared.rows),
                            prepared.rows)  # fmt: skip
    progress("measure on the holdout")
    rows, truth = features(repository, prepared.held_out), prepared.held_out[target].to_numpy()
    predictions = predict(model, rows)
    with _replacing(out.resolve()) as partial:
        progress("save the model")
        save(model, partial / run.MODEL, config.serving.trusted_types)
        _write(partial / run.EXPECTED, _expected(rows, predictions, config.data.positive))
        _write(partial / run.EXAMPLE, _records(rows.head(3)))
        _write(partial / run.REFERENCE, _reference(repository, prepared, predictions))
        _write(partial / run.SKETCH, sketch(prepared.keys))
        _write(partial / run.SEAL, sealed(prepared.rows, prepared.held_out, config.data.key, target).model_dump())
        _write(partial / run.REASONS, basis(model, features(repository, prepared.rows), target).model_dump(mode="json"))
        progress("draw")
        _draw(repository, model, rows, truth, predictions, partial / run.PLOTS)
        described = _describe(repository, prepared, predictions, parameters, forced)
        # Unsorted: the columns stand in the order in which the model takes them.
        _write(partial / run.FILE, described.model_dump(mode="json"), sort=False)
        return seal(partial)


def check_place(out: Path) -> None:
    """Nothing but an earlier run may be replaced.

    Raises:
        ConfigError: Something else is there.
    """
    if out.is_file() or (out.is_dir() and any(out.iterdir()) and not (out / MANIFEST).is_file()):
        raise ConfigError(f"{out} exists and is not a run of gitops.", "Name a folder that is new, or an earlier run.")


@contextmanager
def _replacing(out: Path) -> Iterator[Path]:
    """A new folder that takes the place of another once it is whole; a kill leaves the old one, or none, never half."""
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{out.name}.", dir=out.parent) as scratch:
        new = Path(scratch, "new")
        new.mkdir()
        yield new
        if out.exists():
            out.rename(Path(scratch, "old"))
        new.rename(out)


def unfitted(repository: Repository, yours: Yours) -> "Pipeline":
    """Your pipeline with the seed and the parameters of model.toml.

    Raises:
        ConfigError: It is no pipeline, or refuses a parameter.
    """
    from sklearn.pipeline import Pipeline

    training = repository.config.training
    # What draws from the global generators, in spite of the seed it was given, is repeatable too.
    random.seed(training.seed)
    np.random.seed(training.seed)  # noqa: NPY002 (estimators without a random_state use it)
    try:
        pipeline = yours.pipeline(training.seed)
    except Exception as error:  # whatever your code raises
        raise ConfigError(
            f"pipeline(seed) in estimator.py raised {type(error).__name__}: {error}",
            "Mend estimator.py or features.py.",
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
            f"model.toml: [training.parameters]: {error}", "`gitops config` prints what is in force."
        ) from error


def _expected(rows: pd.DataFrame, predictions: Predictions, positive: object) -> dict[str, Any]:
    """A few rows with their predictions, on both sides of the decision, so that a constant model would fail them."""
    if predictions.classes:
        labels = predictions.values
        sides = [np.flatnonzero(labels == label) for label in predictions.classes]
    else:
        middle = np.median(predictions.values)
        sides = [np.flatnonzero(predictions.values > middle), np.flatnonzero(predictions.values <= middle)]
    share = max(1, EXPECTED_ROWS // len(sides))
    chosen = np.sort(np.concatenate([side[:share] for side in sides]))
    said = to_frame(predictions.take(chosen))
    return {
        "rows": _records(rows.iloc[chosen]),
        "predictions": _records(said),
    }


def _records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows as JSON says them: every digit of a number, a date as text, null for what is missing."""
    plain = frame.astype(object).where(frame.notna(), None)
    records: list[dict[str, Any]] = json.loads(json.dumps(plain.to_dict("records"), default=str))
    return records


def _reference(repository: Repository, prepared: Prepared, predictions: Predictions) -> dict[str, Any]:
    config = repository.config
    rows, target = features(repository, prepared.rows), prepared.rows[config.data.target]
    # Of rows that it was trained on, a model is surer than it will ever be of others.
    return reference(rows, target, predictions, config.data.positive)


def _draw(
    repository: Repository, model: "Pipeline", rows: pd.DataFrame, truth: Any, predictions: Predictions, folder: Path
) -> None:
    from gitops_ml.training.plots import draw

    config = repository.config
    draw(folder, model, rows, truth, predictions, config.evaluation.metric, config.data.positive, config.training.seed)


def _describe(
    repository: Repository, prepared: Prepared, predictions: Predictions, parameters: dict[str, str], forced: bool
) -> run.Run:
    config = repository.config
    truth = prepared.held_out[config.data.target].to_numpy()
    return run.Run(
        model=config.project.name,
        task=config.project.task,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        forced=forced,
        key=config.data.key,
        target=config.data.target,
        columns={str(name): str(kind) for name, kind in features(repository, prepared.rows).dtypes.items()},
        classes=predictions.classes,
        parameters=parameters,
        metrics=measure_all(truth, predictions, config.data.positive),
        lineage=prepared.lineage,
    )


def _write(file: Path, value: Any, *, sort: bool = True) -> None:
    file.write_text(json.dumps(value, sort_keys=sort) + "\n", encoding="utf-8", newline="\n")
