"""Labeled rows from the prediction log: logged predictions, joined with the outcomes that arrived later."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from gitops_ml import prediction_log
from gitops_ml.config import Repository
from gitops_ml.errors import ConfigError, DataUnreadable
from gitops_ml.ingesting.formats import save_table
from gitops_ml.ingesting.pulled_rows import PulledRows
from gitops_ml.rows.arrow_table import to_frame
from gitops_ml.sink import open_sink

SOURCE = "the prediction log"
ROW_KEY = [prediction_log.REQUEST, prediction_log.ROW]
LOG_COLUMNS = [
    *ROW_KEY, prediction_log.TIME, prediction_log.VERSION, prediction_log.PREDICTION, prediction_log.MONITORED,
    prediction_log.OUTCOME,
]  # fmt: skip
NO_OUTCOMES = (
    "the model needs labels: the log has no outcome of a logged prediction yet. POST each outcome to /outcomes of the "
    "server, with the request's id and the number of the row. `gitops docs monitoring` explains this."
)


def fetch_labeled_rows(repository: Repository, folder: Path) -> PulledRows:
    """Join the logged predictions with their outcomes; the latest outcome of a row counts.

    Args:
        repository: Repository whose model.toml names the log's sink.
        folder: Folder to write the rows to.

    Returns:
        Document about the rows.

    Raises:
        ConfigError: The sink needs a package that is not installed.
        DataUnreadable: The log cannot be read.
    """
    notes = list[str]()
    outcomes = _read_outcomes(repository, notes)
    labeled = _join_outcomes(repository, outcomes, notes)
    # A row that was logged twice, with the same values and the same key, is one row.
    rows = labeled.drop_duplicates() if len(labeled) else labeled
    ambiguous = 0
    if len(rows):
        repeated = rows.duplicated(ROW_KEY, keep=False)
        ambiguous = len(rows.loc[repeated, ROW_KEY].drop_duplicates())
        rows = rows[~repeated].sort_values(ROW_KEY, ignore_index=True)
    unmatched = len(outcomes) - len(rows) - ambiguous
    # If callers use one id for several requests, it is unknown to which of the rows the outcome belongs.
    for number, reason in (
        (ambiguous, "belong to several rows with the same request id and row number"),
        (unmatched, "belong to no logged prediction"),
    ):
        notes += [f"{number} of {len(outcomes)} outcomes {reason}, and were left out."] if number else []
    if len(rows):
        rows = _as_data(repository, rows)
    pulled = save_table(rows, folder, SOURCE, " ".join([NO_OUTCOMES, *notes]))
    return pulled.model_copy(update={"notes": tuple(notes)})


def find_schema_conflict(repository: Repository, columns: dict[str, Any]) -> ConfigError | None:
    """Return the error if logged rows can never fit the schema; None if they can.

    Args:
        repository: Repository whose model.toml configures the log.
        columns: Columns of the schema, with their types.
    """
    config = repository.config
    key, dtype = config.data.key, str(columns[config.data.key])
    if not any(text in dtype for text in ("str", "object")):
        return ConfigError(
            f"The key {key!r} is {dtype} in schema.py, but the key of a row of the prediction log is text "
            '("<request>-<row>").',
            f"Make {key!r} text in schema.py (`{key}: str`), or set another source under [ingest].",
        )
    hidden = [name for name in (*config.log.left_out, *config.log.hashed) if name in columns]
    if hidden:
        return ConfigError(
            f"Logged rows cannot be used for training: [log] leaves out or hashes {', '.join(hidden)}, which schema.py "
            "requires.",
            "Remove these columns from schema.py or from [log], or set another source under [ingest].",
        )
    return None


def _as_data(repository: Repository, rows: pd.DataFrame) -> pd.DataFrame:
    """Return the columns of the data: the key, the model's inputs, and the outcome as target."""
    data = repository.config.data
    key = rows[prediction_log.REQUEST].astype(str) + "-" + rows[prediction_log.ROW].astype("int64").astype(str)
    inputs = rows.drop(columns=[*LOG_COLUMNS, data.key, data.target], errors="ignore")
    return pd.concat([key.rename(data.key), inputs, rows[prediction_log.OUTCOME].rename(data.target)], axis=1)


def _read_outcomes(repository: Repository, notes: list[str]) -> pd.DataFrame:
    """Return the latest outcome of each row of a request."""
    parts = [
        part.dropna(subset=prediction_log.OUTCOME) for part in _read_log(repository, prediction_log.OUTCOMES, notes)
    ]
    parts = [part for part in parts if len(part)]
    if not parts:
        return pd.DataFrame(columns=[*ROW_KEY, prediction_log.OUTCOME])
    outcomes = pd.concat(parts, ignore_index=True).sort_values(prediction_log.TIME, kind="stable")
    return outcomes.drop_duplicates(ROW_KEY, keep="last")[[*ROW_KEY, prediction_log.OUTCOME]]


def _join_outcomes(repository: Repository, outcomes: pd.DataFrame, notes: list[str]) -> pd.DataFrame:
    """Return the logged predictions that have an outcome; files are joined one by one, because most rows have none."""
    if outcomes.empty:
        return pd.DataFrame()
    keyed = outcomes.astype({prediction_log.REQUEST: str, prediction_log.ROW: "int64"})
    parts = []
    for part in _read_log(repository, prediction_log.PREDICTIONS, notes):
        typed = part.astype({prediction_log.REQUEST: str, prediction_log.ROW: "int64"})
        joined = typed.drop(columns=prediction_log.OUTCOME, errors="ignore").merge(keyed, on=ROW_KEY)
        parts += [joined] if len(joined) else []
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()


def _read_log(repository: Repository, table: str, notes: list[str]) -> Iterator[pd.DataFrame]:
    """Yield the files of a table of the log by day; a file that cannot be read or was removed meanwhile is noted."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    name, sink = repository.config.log.sink, open_sink(repository)
    if sink.folder is not None and not sink.folder.is_dir():
        raise DataUnreadable(
            f"There is no folder {name} on this machine, so there is no prediction log.",
            "Run this where the servers write the log (for workflows, set PULL_RUNNER to that runner), or wait until "
            "a server has written it.",
        )
    try:
        files = sorted(sink.filesystem.glob(f"{sink.path}/{table}/{prediction_log.DAY_PREFIX}*/*.parquet"))
    except Exception as error:  # any error of an object storage
        raise DataUnreadable(
            f"The prediction log at {name} cannot be read: {type(error).__name__}: {error}",
            "Check `sink` under [log] and the access rights.",
        ) from error
    for file in files:
        try:
            with sink.filesystem.open(file, "rb") as stream:
                frame = to_frame(pq.ParquetFile(stream).read())
        except (OSError, pa.ArrowException):
            notes.append(f"{file.rpartition('/')[2]} of the log cannot be read, and was left out.")
            continue
        yield frame
