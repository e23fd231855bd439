"""The prediction log: rows counted file by file, so that memory stays flat, and truth that was told joined to them."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from gitops_ml import logged
from gitops_ml.bins import count, counted
from gitops_ml.errors import MonitoringError
from gitops_ml.monitoring.counts import together
from gitops_ml.monitoring.look import Look, Question, Told
from gitops_ml.monitoring.window import Seen
from gitops_ml.sink import Sink as Place
from gitops_ml.sink import reach

NAME = [logged.REQUEST, logged.ROW]


@dataclass
class Sink:
    """Where the log lies.

    Attributes:
        address: A folder, or any address that fsspec knows.
        root: What a relative folder is relative to.
    """

    address: str
    root: Path

    @cached_property
    def _place(self) -> Place:
        return reach(self.address, self.root)

    def files(self, kind: str, first: date | None, last: date) -> Iterator[str]:
        """The files of some days, oldest first.

        Raises:
            MonitoringError: The sink cannot be read.
        ConfigError: Its address is of no kind that is known here.
        """
        place = self._place
        try:
            # What was listed before is not what is there now.
            place.files.invalidate_cache()
            found = sorted(place.files.glob(f"{place.path}/{kind}/{logged.DAY}*/*.parquet"))
        except OSError as error:
            raise _unreadable(self.address, error) from error
        return (file for file in found if _within(file, first, last))

    def read(self, file: str, columns: Collection[str] | None = None) -> pd.DataFrame:
        """One file; `columns` that it has.

        Raises:
            MonitoringError: It is not a whole Parquet file.
        """
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            with self._place.files.open(file, "rb") as stream, pq.ParquetFile(stream) as parquet:
                there = [name for name in parquet.schema_arrow.names if columns is None or name in columns]
                frame: pd.DataFrame = parquet.read(columns=there).to_pandas()
        except (OSError, pa.ArrowException) as error:
            raise _unreadable(file, error) from error
        return frame


def look(sink: Sink, question: Question, hashed: Collection[str]) -> Look:
    """Count the window's rows, and join the truth that was told in it to what had been said, however long ago.

    Args:
        sink: Where the log lies.
        question: What to count.
        hashed: Columns of which the log has a hash only: nothing can be counted there.

    Raises:
        MonitoringError: The log cannot be read.
    """
    notes, parts = list[str](), list[Seen]()
    columns = {name: it for name, it in question.reference["columns"].items() if name not in hashed}
    # A batch is written when it is full, so its file may lie in the day after that of its first rows.
    last = question.until.astimezone(UTC).date() + timedelta(days=1)
    for frame in _frames(sink, sink.files(logged.PREDICTIONS, question.start.astimezone(UTC).date(), last), notes):
        rows = frame[_in_time(frame, question) & (frame[logged.VERSION].astype(str) == question.version)]
        parts.append(_counted(rows, columns, question.reference["prediction"]))
    told = _told(sink, question, last, notes)
    return Look(question.start, together(parts), told=told, notes=tuple(dict.fromkeys(notes)))


def _counted(rows: pd.DataFrame, columns: Mapping[str, dict[str, Any]], prediction: dict[str, Any]) -> Seen:
    found = {name: _bins(rows[name], described) for name, described in columns.items() if name in rows}
    return Seen(
        rows=len(rows),
        columns={name: counts for name, counts in found.items() if counts},
        prediction=_bins(rows[logged.WATCHED], prediction) or [],
    )


def _bins(column: pd.Series, described: dict[str, Any]) -> list[int] | None:
    if not column.notna().any():  # a column without a value has no type to tell numbers from text by
        return [*[0] * (len(counted(described)) - 1), len(column)]
    return count(column, described)


def _frames(
    sink: Sink, files: Iterator[str], notes: list[str], columns: Collection[str] | None = None
) -> Iterator[pd.DataFrame]:
    """Those that can be read; the others are noted, for one torn file says nothing of what callers sent."""
    for file in files:
        try:
            frame = sink.read(file, columns)
        except MonitoringError as error:
            notes.append(f"{error.what} It was passed over.")
        else:
            yield frame


def _told(sink: Sink, question: Question, last: date, notes: list[str]) -> Told:
    """What was told in the window; the last word about a row counts, and a name of several rows is nobody's."""
    first = question.start.astimezone(UTC).date()
    outcomes = _frame([*_frames(sink, sink.files(logged.OUTCOMES, first, last), notes)])
    if outcomes.empty:
        return Told(*(np.empty(0) for _ in range(3)))
    outcomes = outcomes[_in_time(outcomes, question)].sort_values(logged.TIME, kind="stable")
    outcomes = outcomes.drop_duplicates(NAME, keep="last")
    asked, wanted = set(outcomes[logged.REQUEST]), [*NAME, logged.VERSION, logged.PREDICTION, logged.WATCHED]
    frames = _frames(sink, sink.files(logged.PREDICTIONS, None, last), notes, wanted)
    said = _frame([frame[frame[logged.REQUEST].isin(asked)] for frame in frames])
    if said.empty:
        return Told(*(np.empty(0) for _ in range(3)))
    said = said.drop_duplicates().drop_duplicates(NAME, keep=False)
    said = said[said[logged.VERSION].astype(str) == question.version]
    joined = said.merge(outcomes[[*NAME, logged.OUTCOME]], on=NAME).dropna(subset=[logged.OUTCOME])
    return Told(*(joined[name].to_numpy() for name in (logged.OUTCOME, logged.PREDICTION, logged.WATCHED)))


def _frame(frames: Sequence[pd.DataFrame]) -> pd.DataFrame:
    some = [frame for frame in frames if not frame.empty]
    return pd.concat(some, ignore_index=True) if some else pd.DataFrame()


def _in_time(frame: pd.DataFrame, question: Question) -> pd.Series:
    times = pd.to_datetime(frame[logged.TIME], utc=True)
    return (times >= question.start) & (times < question.until)


def _within(file: str, first: date | None, last: date) -> bool:
    """Whether a file lies in one of these days, by the name of its folder."""
    day = file.split("/")[-2].removeprefix(logged.DAY)
    try:
        written = datetime.strptime(day, "%Y-%m-%d").replace(tzinfo=UTC).date()
    except ValueError:
        return False
    return (first is None or first <= written) and written <= last


def _unreadable(what: str, error: Exception) -> MonitoringError:
    line = (str(error).splitlines() or [type(error).__name__])[0]
    return MonitoringError(
        f"{what} cannot be read: {line}.", "Check `sink` under [log] in model.toml. Nothing was judged."
    )
