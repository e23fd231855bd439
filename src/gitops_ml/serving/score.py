"""Scoring with a version: open its verified files, read rows, and compare predictions with the recorded ones."""

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from gitops_ml import run
from gitops_ml.errors import DataUnreadable
from gitops_ml.modelling.model_file import load_model
from gitops_ml.predictions import PROBABILITY, VALUE, Predictions, are_close
from gitops_ml.rows import csv_table
from gitops_ml.rows.arrow_table import to_frame
from gitops_ml.rows.cell_rules import CellRules
from gitops_ml.rows.column_kinds import DEFAULT, expand_columns, kind_of, parse_rows
from gitops_ml.rows.column_names import find_name_problem

if TYPE_CHECKING:
    import pandera.pandas as pa
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


def reproduces_predictions(
    metadata: run.Run, predict_rows: Callable[[pd.DataFrame], Predictions], folder: Path
) -> bool:
    """Return whether the model predicts the recorded rows as it did in training.

    Args:
        metadata: Metadata of the version.
        predict_rows: Function that predicts rows with the version's model.
        folder: Folder of the run, with the recorded rows and predictions.
    """
    recorded = json.loads((folder / run.EXPECTED).read_bytes())
    predictions = predict_rows(to_typed_rows(metadata, recorded["rows"]))
    expected = pd.DataFrame(recorded["predictions"])
    columns = [f"{PROBABILITY}{label}" for label in metadata.classes]
    probabilities = expected[columns].to_numpy(float) if predictions.probabilities is not None else None
    return are_close(predictions, Predictions(expected[VALUE].to_numpy(), probabilities, metadata.classes))


def read_rows(
    file: Path, metadata: run.Run, rules: CellRules = DEFAULT, schema: "pa.DataFrameSchema | None" = None
) -> pd.DataFrame:
    """Read rows to score, from CSV or Parquet.

    Args:
        file: Path of the file; the suffix .parquet means Parquet, any other CSV.
        metadata: Metadata of the version.
        rules: Declarations of model.toml about cells.
        schema: Your schema; needed only if the version has columns of categories.

    Returns:
        Rows with the model's columns, in its order, with its dtypes.

    Raises:
        DataUnreadable: The file cannot be read, a column is missing, or a value has the wrong type.
    """
    import pyarrow

    try:
        rows = _read_parquet(file) if file.suffix == ".parquet" else _read_csv(file)
    except (OSError, ValueError, csv.Error, csv_table.CsvError, pyarrow.ArrowException) as error:
        raise DataUnreadable(f"{file} cannot be read: {error}.", "Use a CSV or a Parquet file.") from error
    return select_columns(rows, metadata, rules, str(file), schema)


def select_columns(
    rows: pd.DataFrame, metadata: run.Run, rules: CellRules, source: str, schema: "pa.DataFrameSchema | None" = None
) -> pd.DataFrame:
    """Return the columns of a version with its types.

    Args:
        rows: Rows as they were read; an error names a row by its index.
        metadata: Metadata of the version.
        rules: Declarations of model.toml about cells.
        source: Name of the rows' source, for errors.
        schema: Your schema; needed only if the version has columns of categories.

    Returns:
        Rows with the model's columns, in its order, with its dtypes.

    Raises:
        DataUnreadable: A column is missing, or a value has the wrong type.
    """
    missing = [name for name in metadata.columns if name not in rows.columns]
    if missing:
        raise DataUnreadable(
            f"{source} has no column {missing[0]!r}, which the model needs.",
            f"Add it. The model needs: {', '.join(metadata.columns)}.",
        )
    rows = rows[list(metadata.columns)]
    declared = expand_columns(schema, metadata.columns) if schema is not None else {}
    kinds = {
        name: kind_of(declared[name].dtype if dtype == "category" and name in declared else dtype, rules, name)
        for name, dtype in metadata.columns.items()
    }
    typed, wrong = parse_rows(kinds, rows)
    for name, bad in wrong.items():
        raise _wrong_value(source, rows.loc[bad, name], kinds[name].rule)
    for name, dtype in metadata.columns.items():
        own = pd.api.types.pandas_dtype(dtype)
        if isinstance(own, np.dtype) and own.kind in "biu" and typed[name].isna().any():
            raise _wrong_value(source, rows.loc[typed[name].isna(), name], "must not be missing")
    return typed.astype(metadata.columns)


def _wrong_value(source: str, values: "pd.Series[Any]", rule: str) -> DataUnreadable:
    value, more = values.iloc[0], f" ({len(values)} rows)" if len(values) > 1 else ""
    text = "nothing" if pd.isna(value) or value == "" else repr(value)
    return DataUnreadable(
        f"{source}: row {values.index[0]}, column {values.name!r}: {text} {rule}{more}.",
        "Fix the value: it must have the type of its column.",
    )


def _read_csv(file: Path) -> pd.DataFrame:
    """Return the texts of a CSV; its rows count from line 2."""
    header = csv_table.read_header(file, ",")
    _check_names(file, header)
    parts = list(csv_table.read_texts(file, ",", header, 2**20))
    rows = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=header, dtype="str")
    return rows.set_axis(range(2, len(rows) + 2))


def _read_parquet(file: Path) -> pd.DataFrame:
    import pyarrow.parquet as pq

    table = pq.read_table(file, partitioning=None)
    _check_names(file, table.column_names)
    rows = to_frame(table)
    return rows.set_axis(range(1, len(rows) + 1))


def _check_names(file: Path, names: list[str]) -> None:
    problem = find_name_problem(names)
    if problem:
        raise DataUnreadable(f"{file}: {problem}.", "Rename or remove one of the columns.")
