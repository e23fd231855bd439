"""Prediction log as a source: rows are counted file by file, and outcomes are joined to their predictions."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from gitops_ml import prediction_log
from gitops_ml.bins import bin_counts, count_by_bin
from gitops_ml.errors import MonitoringError
from gitops_ml.monitoring.counts import sum_counts
from gitops_ml.monitoring.snapshot import LabeledPredictions, Snapshot, SnapshotRequest
from gitops_ml.monitoring.window import WindowCounts
from gitops_ml.sink import Sink, open_location

ROW_KEY = [prediction_log.REQUEST, prediction_log.ROW]


@dataclass
class LogReader:
    """Reads the files of a prediction log.

    Attributes:
        address: A folder, or any address that fsspec knows.
        root: Folder that a relative address is relative to.
    """

    address: str
    root: Path

    @cached_property
    def _sink(self) -> Sink:
        return open_location(self.address, self.root)

    def list_files(self, kind: str, first: date | None, last: date) -> Iterator[str]:
        """Return the files of a range of days, oldest first.

        Args:
            kind: Kind of rows: predictions or outcomes.
            first: First day; None for all days up to the last.
            last: Last day.

        Raises:
            MonitoringError: The log cannot be read.
            ConfigError: fsspec does not know the kind of address.
        """
        sink = self._sink
        try:
            sink.filesystem.invalidate_cache()  # an earlier listing may be out of date
            files = sorted(sink.filesystem.glob(f"{sink.path}/{kind}/{prediction_log.DAY_PREFIX}*/*.parquet"))
        except OSError as error:
            raise _unreadable(self.address, error) from error
        return (file for file in files if _is_within(file, first, last))

    def read_file(self, file: str, columns: Collection[str] | None = None) -> pd.DataFrame:
        """Read one file.

        Args:
            file: Path of the file, from `list_files`.
            columns: Columns to read, if the file has them; None reads all.

        Returns:
            The rows of the file.

        Raises:
            MonitoringError: The file is not a complete Parquet file.
        """
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            with self._sink.filesystem.open(file, "rb") as stream, pq.ParquetFile(stream) as parquet:
                chosen = [name for name in parquet.schema_arrow.names if columns is None or name in columns]
                frame: pd.DataFrame = parquet.read(columns=chosen).to_pandas()
        except (OSError, pa.ArrowException) as error:
            raise _unreadable(file, error) from error
        return frame


def read_log(reader: LogReader, request: SnapshotRequest, hashed: Collection[str]) -> Snapshot:
    """Count the rows of a window, and join the outcomes of the window to their predictions, however old these are.

    Args:
        reader: Reader of the log.
        request: Version and time span to count.
        hashed: Columns of which the log holds only a hash; they cannot be counted.

    Returns:
        The snapshot of the window.

    Raises:
        MonitoringError: The log cannot be read.
    """
    notes, parts = list[str](), list[WindowCounts]()
    columns = {name: it for name, it in request.reference["columns"].items() if name not in hashed}
    # A batch is written when it is full, so its file may be in the folder of the day after its first rows.
    last = request.until.astimezone(UTC).date() + timedelta(days=1)
    files = reader.list_files(prediction_log.PREDICTIONS, request.start.astimezone(UTC).date(), last)
    for frame in _read_files(reader, files, notes):
        is_version = frame[prediction_log.VERSION].astype(str) == request.version
        rows = frame[_is_in_window(frame, request) & is_version]
        parts.append(_count_rows(rows, columns, request.reference["prediction"]))
    labeled = _join_outcomes(reader, request, last, notes)
    return Snapshot(request.start, sum_counts(parts), labeled=labeled, notes=tuple(dict.fromkeys(notes)))


def _count_rows(rows: pd.DataFrame, columns: Mapping[str, dict[str, Any]], prediction: dict[str, Any]) -> WindowCounts:
    counts = {name: _count_column(rows[name], described) for name, described in columns.items() if name in rows}
    return WindowCounts(
        rows=len(rows),
        columns={name: bins for name, bins in counts.items() if bins},
        prediction=_count_column(rows[prediction_log.MONITORED], prediction) or [],
    )


def _count_column(column: pd.Series, described: dict[str, Any]) -> list[int] | None:
    if not column.notna().any():  # a column without values has no type: it could be numbers or text
        return [*[0] * (len(bin_counts(described)) - 1), len(column)]
    return count_by_bin(column, described)


def _read_files(
    reader: LogReader, files: Iterator[str], notes: list[str], columns: Collection[str] | None = None
) -> Iterator[pd.DataFrame]:
    """Yield the files that can be read; the others are noted, because one damaged file is no reason to stop."""
    for file in files:
        try:
            frame = reader.read_file(file, columns)
        except MonitoringError as error:
            notes.append(f"{error.problem} The file was skipped.")
        else:
            yield frame


def _join_outcomes(reader: LogReader, request: SnapshotRequest, last: date, notes: list[str]) -> LabeledPredictions:
    """Return the outcomes of the window with their predictions.

    The last outcome of a row counts. Predictions whose request id and row number are not unique are left out.
    """
    first = request.start.astimezone(UTC).date()
    outcomes = _concatenate([*_read_files(reader, reader.list_files(prediction_log.OUTCOMES, first, last), notes)])
    if outcomes.empty:
        return LabeledPredictions(*(np.empty(0) for _ in range(3)))
    outcomes = outcomes[_is_in_window(outcomes, request)].sort_values(prediction_log.TIME, kind="stable")
    outcomes = outcomes.drop_duplicates(ROW_KEY, keep="last")
    requests = set(outcomes[prediction_log.REQUEST])
    columns = [*ROW_KEY, prediction_log.VERSION, prediction_log.PREDICTION, prediction_log.MONITORED]
    frames = _read_files(reader, reader.list_files(prediction_log.PREDICTIONS, None, last), notes, columns)
    predictions = _concatenate([frame[frame[prediction_log.REQUEST].isin(requests)] for frame in frames])
    if predictions.empty:
        return LabeledPredictions(*(np.empty(0) for _ in range(3)))
    predictions = predictions.drop_duplicates().drop_duplicates(ROW_KEY, keep=False)
    predictions = predictions[predictions[prediction_log.VERSION].astype(str) == request.version]
    joined = predictions.merge(outcomes[[*ROW_KEY, prediction_log.OUTCOME]], on=ROW_KEY)
    joined = joined.dropna(subset=[prediction_log.OUTCOME])
    names = (prediction_log.OUTCOME, prediction_log.PREDICTION, prediction_log.MONITORED)
    return LabeledPredictions(*(joined[name].to_numpy() for name in names))


def _concatenate(frames: Sequence[pd.DataFrame]) -> pd.DataFrame:
    filled = [frame for frame in frames if not frame.empty]
    return pd.concat(filled, ignore_index=True) if filled else pd.DataFrame()


def _is_in_window(frame: pd.DataFrame, request: SnapshotRequest) -> pd.Series:
    times = pd.to_datetime(frame[prediction_log.TIME], utc=True)
    return (times >= request.start) & (times < request.until)


def _is_within(file: str, first: date | None, last: date) -> bool:
    """Return whether the name of a file's folder is one of these days."""
    day = file.split("/")[-2].removeprefix(prediction_log.DAY_PREFIX)
    try:
        written = datetime.strptime(day, "%Y-%m-%d").replace(tzinfo=UTC).date()
    except ValueError:
        return False
    return (first is None or first <= written) and written <= last


def _unreadable(path: str, error: Exception) -> MonitoringError:
    line = (str(error).splitlines() or [type(error).__name__])[0]
    return MonitoringError(
        f"{path} cannot be read: {line}. No window was evaluated.", "Check `sink` under [log] in model.toml."
    )
