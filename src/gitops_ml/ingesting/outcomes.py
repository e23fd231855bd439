"""Rows from the prediction log: what was asked, with the truth that was told later."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from gitops_ml import logged
from gitops_ml.config import Repository
from gitops_ml.errors import ConfigError, DataUnreadable
from gitops_ml.ingesting.formats import table
from gitops_ml.ingesting.pulled import Pulled
from gitops_ml.sink import open_sink

SOURCE = "the prediction log"
NAME = [logged.REQUEST, logged.ROW]
OURS = [*NAME, logged.TIME, logged.VERSION, logged.PREDICTION, logged.WATCHED, logged.OUTCOME]
NO_OUTCOMES = (
    "needs labels: nobody has told an outcome of a logged prediction yet. POST the truth to /outcomes of the server, "
    "with the request's id and the number of the row; `gitops docs monitoring` says how."
)


def fetch(repository: Repository, folder: Path) -> Pulled:
    """Join predictions to outcomes; the latest outcome of a row wins.

    Raises:
        ConfigError: The sink needs a package that is not installed.
        DataUnreadable: The log cannot be read.
    """
    notes = list[str]()
    told = _told(repository, notes)
    labelled = _labelled(repository, told, notes)
    # A row that was logged twice is one row; its name says so.
    rows = labelled.drop_duplicates() if len(labelled) else labelled
    twice = 0
    if len(rows):
        again = rows.duplicated(NAME, keep=False)
        twice, rows = len(rows.loc[again, NAME].drop_duplicates()), rows[~again].sort_values(NAME, ignore_index=True)
    lost = len(told) - len(rows) - twice
    # Callers have used a request's id for several requests, and whose truth was told, nobody knows.
    for number, why in ((twice, "belong to several rows of one name"), (lost, "belong to no logged prediction")):
        notes += [f"{number} of {len(told)} outcomes {why}, and were left out."] if number else []
    if len(rows):
        rows = _as_data(repository, rows)
    found = table(rows, folder, SOURCE, " ".join([NO_OUTCOMES, *notes]))
    return found.model_copy(update={"notes": tuple(notes)})


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


def _told(repository: Repository, notes: list[str]) -> pd.DataFrame:
    """One outcome for each row of a request: the latest."""
    parts = [part.dropna(subset=logged.OUTCOME) for part in _read(repository, logged.OUTCOMES, notes)]
    found = [part for part in parts if len(part)]
    if not found:
        return pd.DataFrame(columns=[*NAME, logged.OUTCOME])
    told = pd.concat(found, ignore_index=True).sort_values(logged.TIME, kind="stable")
    return told.drop_duplicates(NAME, keep="last")[[*NAME, logged.OUTCOME]]


def _labelled(repository: Repository, told: pd.DataFrame, notes: list[str]) -> pd.DataFrame:
    """Logged predictions whose outcome is known; the log is read piece by piece, for most rows have none."""
    if told.empty:
        return pd.DataFrame()
    names = told.astype({logged.REQUEST: str, logged.ROW: "int64"})
    found = []
    for part in _read(repository, logged.PREDICTIONS, notes):
        typed = part.astype({logged.REQUEST: str, logged.ROW: "int64"})
        joined = typed.drop(columns=logged.OUTCOME, errors="ignore").merge(names, on=NAME)
        found += [joined] if len(joined) else []
    return pd.concat(found, ignore_index=True) if found else pd.DataFrame()


def _read(repository: Repository, what: str, notes: list[str]) -> Iterator[pd.DataFrame]:
    """The files of the log, day by day; what cannot be read, or was just removed for its age, is noted."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    sink, place = repository.config.log.sink, open_sink(repository)
    if place.folder is not None and not place.folder.is_dir():
        raise DataUnreadable(
            f"There is no folder {sink} on this machine, so there is no prediction log.",
            "Run it where the servers log (in workflows, INGEST_RUNNER names that runner), or wait for the first one.",
        )
    try:
        files = sorted(place.files.glob(f"{place.path}/{what}/{logged.DAY}*/*.parquet"))
    except Exception as error:  # whatever an object storage raises
        raise DataUnreadable(
            f"The prediction log at {sink} cannot be read: {type(error).__name__}: {error}",
            "Check `sink` under [log], and the rights.",
        ) from error
    for file in files:
        try:
            with place.files.open(file, "rb") as stream:
                frame = pq.ParquetFile(stream).read().to_pandas()
        except (OSError, pa.ArrowException):
            notes.append(f"{file.rpartition('/')[2]} of the log cannot be read, and was passed over.")
            continue
        yield frame
