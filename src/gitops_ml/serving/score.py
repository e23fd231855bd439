"""Open a version's files safely and score rows with them."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from gitops_ml import run
from gitops_ml.errors import DataUnreadable
from gitops_ml.model_file import load
from gitops_ml.predictions import PROBABILITY, VALUE, Predictions, predict, same
from gitops_ml.serving.body import text_columns

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline


def open_run(folder: Path, digest: str, trusted: tuple[str, ...]) -> "tuple[run.Run, Pipeline]":
    """Verify a run's folder, then load its model.

    Args:
        folder: A sealed run.
        digest: Of its manifest, from a record or a job output.
        trusted: `trusted_types` of the repository's model.toml.

    Raises:
        IntegrityError: A file differs, or the model holds a type that is not allowed; nothing was opened.
    """
    described = run.read(folder, digest)
    return described, load(folder / run.MODEL, trusted)


def table(described: run.Run, records: list[dict[str, Any]]) -> pd.DataFrame:
    """Rows as the model was trained on them: its columns, in its order, with its types."""
    return pd.DataFrame(records, columns=list(described.columns)).astype(described.columns)


def replays(described: run.Run, model: "Pipeline", folder: Path) -> bool:
    """Whether the model says today what it said of the recorded rows when it was trained."""
    expected = json.loads((folder / run.EXPECTED).read_bytes())
    now = predict(model, table(described, expected["rows"]))
    said = pd.DataFrame(expected["predictions"])
    columns = [f"{PROBABILITY}{label}" for label in described.classes]
    known = now.probabilities is not None
    then = Predictions(said[VALUE].to_numpy(), said[columns].to_numpy(float) if known else None, described.classes)
    return same(now, then)


def read_rows(file: Path, described: run.Run) -> pd.DataFrame:
    """Rows to score, from CSV or Parquet.

    Raises:
        DataUnreadable: Not readable, or a column of the model is missing.
    """
    import pyarrow as pa

    try:
        rows = pd.read_parquet(file) if file.suffix == ".parquet" else _csv(file, described)
    except (OSError, ValueError, pa.ArrowException) as error:
        raise DataUnreadable(f"{file} cannot be read: {error}.", "It must be a CSV or a Parquet file.") from error
    missing = [name for name in described.columns if name not in rows.columns]
    if missing:
        raise DataUnreadable(
            f"{file} has no column {missing[0]!r}, which the model needs.", f"It needs: {', '.join(described.columns)}."
        )
    try:
        return rows[list(described.columns)].astype(described.columns)
    except (ValueError, TypeError) as error:
        raise DataUnreadable(f"{file}: {error}.", "Each value must be of its column's type.") from error


def _csv(file: Path, described: run.Run) -> pd.DataFrame:
    return pd.read_csv(file, dtype=text_columns(described.columns), low_memory=False)
