"""Scoring with a version: open its verified files, read rows, and compare predictions with the recorded ones."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from gitops_ml import run
from gitops_ml.errors import DataUnreadable
from gitops_ml.modelling.model_file import load_model
from gitops_ml.predictions import PROBABILITY, VALUE, Predictions, are_close, predict
from gitops_ml.serving.body import text_dtypes

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline


def open_run(folder: Path, digest: str, trusted: tuple[str, ...]) -> "tuple[run.Run, Pipeline]":
    """Verify the folder of a run, then load its model.

    Args:
        folder: Folder of the run, with its manifest.
        digest: Digest of the manifest, from a record or a job output.
        trusted: `trusted_types` of the repository's model.toml.

    Returns:
        The metadata of the run and its model.

    Raises:
        IntegrityError: A file differs, or the model contains a type that is not trusted; the model was not loaded.
    """
    metadata = run.read_run(folder, digest)
    return metadata, load_model(folder / run.MODEL, trusted)


def to_typed_rows(metadata: run.Run, records: list[dict[str, Any]]) -> pd.DataFrame:
    """Return rows as the model was trained on them: with its columns, in its order, with its dtypes.

    Args:
        metadata: Metadata of the version.
        records: One dictionary for each row.
    """
    return pd.DataFrame(records, columns=list(metadata.columns)).astype(metadata.columns)


def reproduces_predictions(metadata: run.Run, model: "Pipeline", folder: Path) -> bool:
    """Return whether the model predicts the recorded rows as it did in training.

    Args:
        metadata: Metadata of the version.
        model: Fitted pipeline.
        folder: Folder of the run, with the recorded rows and predictions.
    """
    recorded = json.loads((folder / run.EXPECTED).read_bytes())
    predictions = predict(model, to_typed_rows(metadata, recorded["rows"]))
    expected = pd.DataFrame(recorded["predictions"])
    columns = [f"{PROBABILITY}{label}" for label in metadata.classes]
    probabilities = expected[columns].to_numpy(float) if predictions.probabilities is not None else None
    return are_close(predictions, Predictions(expected[VALUE].to_numpy(), probabilities, metadata.classes))


def read_rows(file: Path, metadata: run.Run) -> pd.DataFrame:
    """Read rows to score, from CSV or Parquet.

    Args:
        file: Path of the file; the suffix .parquet means Parquet, any other CSV.
        metadata: Metadata of the version.

    Returns:
        Rows with the model's columns, in its order, with its dtypes.

    Raises:
        DataUnreadable: The file cannot be read, a column is missing, or a value has the wrong type.
    """
    import pyarrow as pa

    try:
        rows = pd.read_parquet(file) if file.suffix == ".parquet" else _read_csv(file, metadata)
    except (OSError, ValueError, pa.ArrowException) as error:
        raise DataUnreadable(f"{file} cannot be read: {error}.", "Use a CSV or a Parquet file.") from error
    missing = [name for name in metadata.columns if name not in rows.columns]
    if missing:
        raise DataUnreadable(
            f"{file} has no column {missing[0]!r}, which the model needs.",
            f"Add it. The model needs: {', '.join(metadata.columns)}.",
        )
    try:
        return rows[list(metadata.columns)].astype(metadata.columns)
    except (ValueError, TypeError) as error:
        raise DataUnreadable(f"{file}: {error}.", "Fix the value: it must have the type of its column.") from error


def _read_csv(file: Path, metadata: run.Run) -> pd.DataFrame:
    return pd.read_csv(file, dtype=text_dtypes(metadata.columns), low_memory=False)
