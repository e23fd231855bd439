# machinery
"""Rows from the prediction log: what was asked, with the truth that was told later."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from gitops import logged
from gitops.config import Repository
from gitops.errors import ConfigError, DataUnreadable
from gitops.ingesting.formats import table
from gitops.ingesting.pulled import Pulled
from gitops.sink import open_sink

SOURCE = "the prediction log"
NAME = [logged.REQUEST, logged.ROW]
OURS = [*NAME, logged.TIME, logged.VERSION, logged.PREDICTION, logged.WATCHED, logged.OUTCOME]
NO_OUTCOMES = (
    "needs labels: nobody has told an outcome of a logged prediction yet. POST the truth to /outcomes of the server, "
    "with the request's id and the number of the row; docs/monitoring.md says how."
)


def fetch(repository: Repository, folder: Path) -> Pulled:
    """Join predictions to outcomes; the latest outcome of a row wins.

    Raises:
        ConfigError: The sink needs a package that is not installed.
        DataUnreadable: The log cannot be read.
    """
    told = _told(repository)
    labelled = _labelled(repository, told)
    # A row that was logged twice is one row; its name says so.
    rows = labelled.drop_duplicates(NAME).sort_values(NAME, ignore_index=True) if len(labelled) else labelled
    lost = len(told) - len(rows)
    notes = (f"{lost} of {len(told)} outcomes belong to no logged prediction, and were left out.",) if lost else ()
    if len(rows):
        rows = _as_data(repository, rows)
    return table(rows, folder, SOURCE, " ".join([NO_OUTCOMES, *notes])).model_copy(update={"notes": notes})


def barred(repository: Repository, columns: dict[str, Any]) -> ConfigError | None:
    """Why logged rows cannot become data, whatever they hold; None where they can.

    Args:
        repository: Whose model.toml says what is logged.
        columns: Of your schema, with their types.
    """
    config = repository.config
    key, kind = config.data.key, str(columns[config.data.key])
    if not any(text in kind for text in ("str", "object")):
        return ConfigError(
            f"The key {key!r} is {kind} in schema.py, and a row of the prediction log is named by text "
            '("<request>-<row>").',
            f"Make {key!r} text in schema.py (`{key}: str`), or bring rows by another source under [ingest].",
        )
    hidden = [name for name in (*config.log.left_out, *config.log.hashed) if name in columns]
    if hidden:
        return ConfigError(
            f"Logged rows cannot train: [log] leaves out or hashes {', '.join(hidden)}, which schema.py asks for.",
            "Take these columns out of schema.py, or out of [log], or bring rows by another source under [ingest].",
        )
    return None


def _as_data(repository: Repository, rows: pd.DataFrame) -> pd.DataFrame:
    """The columns of the data: the key, what the model looked at, and the truth as target."""
    data = repository.config.data
    key = rows[logged.REQUEST].astype(str) + "-" + rows[logged.ROW].astype("int64").astype(str)
    seen = rows.drop(columns=[*OURS, data.key, data.target], errors="ignore")
    return pd.concat([key.rename(data.key), seen, _truth(rows[logged.OUTCOME]).rename(data.target)], axis=1)


def _truth(told: pd.Series) -> pd.Series:
    """Outcomes with one type: text that says True or False is a bool, for text that is not empty is always true."""
    if pd.api.types.is_numeric_dtype(told):
        return told
    text = told.astype(str)
    return text == "True" if text.isin(["True", "False"]).all() else text


def _told(repository: Repository) -> pd.DataFrame:
    """One outcome for each row of a request: the latest."""
    parts = [part.dropna(subset=logged.OUTCOME) for part in _read(repository, logged.OUTCOMES)]
    found = [part for part in parts if len(part)]
    if not found:
        return pd.DataFrame(columns=[*NAME, logged.OUTCOME])
    told = pd.concat(found, ignore_index=True).sort_values(logged.TIME, kind="stable")
    return told.drop_duplicates(NAME, keep="last")[[*NAME, logged.OUTCOME]]


def _labelled(repository: Repository, told: pd.DataFrame) -> pd.DataFrame:
    """Logged predictions whose outcome is known; the log is read piece by piece, for most rows have none."""
    if told.empty:
        return pd.DataFrame()
    names = told.astype({logged.REQUEST: str, logged.ROW: "int64"})
    found = []
    for part in _read(repository, logged.PREDICTIONS):
        typed = part.astype({logged.REQUEST: str, logged.ROW: "int64"})
        joined = typed.drop(columns=logged.OUTCOME, errors="ignore").merge(names, on=NAME)
        found += [joined] if len(joined) else []
    return pd.concat(found, ignore_index=True) if found else pd.DataFrame()


def _read(repository: Repository, what: str) -> Iterator[pd.DataFrame]:
    """The files of the log, day by day."""
    import pyarrow.parquet as pq

    sink, place = repository.config.log.sink, open_sink(repository)
    try:
        for file in sorted(place.files.glob(f"{place.path}/{what}/{logged.DAY}*/*.parquet")):
            with place.files.open(file, "rb") as stream:
                yield pq.ParquetFile(stream).read().to_pandas()
    except Exception as error:  # whatever an object storage, or a broken file, raises
        raise DataUnreadable(
            f"The prediction log at {sink} cannot be read: {type(error).__name__}: {error}",
            "Check `sink` under [log], and the rights.",
        ) from error
