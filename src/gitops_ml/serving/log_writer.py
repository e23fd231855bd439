"""The writer of the prediction log: one background thread that writes queued rows in batches."""

import io
import os
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING

from gitops_ml.monitoring_config import LogConfig
from gitops_ml.prediction_log import DAY_PREFIX, OUTCOMES, PREDICTIONS
from gitops_ml.serving.bounded_queue import BoundedQueue
from gitops_ml.serving.json_log import LOG, describe_error, log_line
from gitops_ml.serving.log_entries import LogFormat, OutcomeEntry, PredictionEntry
from gitops_ml.serving.write_progress import WriteProgress, recover_lost_rows
from gitops_ml.sink import Sink

if TYPE_CHECKING:
    import pyarrow as pa

LogEntry = PredictionEntry | OutcomeEntry
# Seconds: between two checks for expired days; before a second attempt, at most; for the queued rows at the end.
IDLE_SECONDS, RETRY_SECONDS, CLOSE_SECONDS = 60, 5, 8


class LogWriter:
    """Writes queued rows in batches, tries each batch twice, and counts written and dropped rows.

    Attributes:
        written: Number of written rows, by kind.
        dropped: Number of rows that could not be written, by kind.
        lost: Number of rows that earlier writers left unwritten, by kind.
    """

    def __init__(
        self, open_sink: Callable[[], Sink], settings: LogConfig, log_format: LogFormat, progress: WriteProgress
    ) -> None:
        """Start the thread.

        Args:
            open_sink: Function that opens the sink. The thread calls it, and calls it again after a failure, because
                it may be slow or fail.
            settings: Sizes and times of the queue and of batches.
            log_format: Format in which entries become tables.
            progress: Progress of this writer; its folder also holds the progress of earlier writers.
        """
        self.written, self.dropped, self.lost = (Counter({PREDICTIONS: 0, OUTCOMES: 0}) for _ in range(3))
        self._open_sink, self._settings, self._format, self._progress = open_sink, settings, log_format, progress
        self._queue = BoundedQueue[LogEntry](settings.queue_rows, settings.batch_rows, settings.flush_seconds)
        self._expired_on: date | None = None
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="log", daemon=True)
        self._thread.start()

    @cached_property
    def _sink(self) -> Sink:
        return self._open_sink()

    def put(self, entry: LogEntry) -> bool:
        """Queue an entry.

        Args:
            entry: Predictions or outcomes of one request.

        Returns:
            True if it was queued, False if the queue is full.
        """
        if not self._queue.put(entry):
            return False
        self._progress.accept(entry.kind, len(entry))
        return True

    def close(self) -> None:
        """Write the queued rows; rows that take too long are left, and the next server counts them as lost."""
        self._closing.set()
        self._queue.close()
        self._thread.join(CLOSE_SECONDS)
        if not self._thread.is_alive():
            self._progress.close()

    def _run(self) -> None:
        self._recover()
        while True:
            self._expire_old_days()
            entries = self._queue.take(IDLE_SECONDS)
            predictions = [entry for entry in entries if isinstance(entry, PredictionEntry)]
            outcomes = [entry for entry in entries if isinstance(entry, OutcomeEntry)]
            if predictions:
                self._write(PREDICTIONS, predictions)
            if outcomes:
                self._write(OUTCOMES, outcomes)
            if not entries and self._queue.closed:
                return

    def _write(self, kind: str, entries: Sequence[LogEntry]) -> None:
        rows = sum(map(len, entries))
        path = self._progress.begin(kind, rows, datetime.now(UTC).date())
        try:
            self._write_with_retry(path, entries)
        except Exception as error:  # file systems raise errors of many types
            LOG.warning("%s", log_line(log="not written", kind=kind, rows=rows, failure=describe_error(error)))
            self.dropped[kind] += rows
        else:
            self.written[kind] += rows
        self._progress.commit(kind)

    def _write_with_retry(self, path: str, entries: Sequence[LogEntry]) -> None:
        """Write a batch; try again once if the first attempt fails."""
        content = _to_parquet(self._table(entries))
        try:
            _write_file(self._sink, path, content)
        except Exception:  # the second attempt reports the reason
            self._closing.wait(min(self._settings.flush_seconds, RETRY_SECONDS))
            _write_file(self._sink, path, content)

    def _table(self, entries: Sequence[LogEntry]) -> "pa.Table":
        predictions = [entry for entry in entries if isinstance(entry, PredictionEntry)]
        if predictions:
            return self._format.predictions_table(predictions)
        return self._format.outcomes_table([entry for entry in entries if isinstance(entry, OutcomeEntry)])

    def _recover(self) -> None:
        """Count and log the rows that earlier writers lost."""
        if self._progress.folder is None:
            return
        try:
            for lost in recover_lost_rows(self._progress.folder, self._is_in_sink):
                rows, outcomes = lost.rows[PREDICTIONS], lost.rows[OUTCOMES]
                also = f" and {outcomes} outcome(s)" if outcomes else ""
                if rows or outcomes:
                    message = f"lost {rows} rows of the prediction log{also} when writer {lost.writer} ended"
                    LOG.warning("%s", log_line(log=message, rows=rows, outcomes=outcomes, writer=lost.writer))
                self.lost.update(lost.rows)
        except Exception as error:  # the next server tries again
            message = "cannot count the rows that earlier writers lost"
            LOG.warning("%s", log_line(log=message, failure=describe_error(error)))

    def _is_in_sink(self, path: str) -> bool:
        return bool(self._sink.filesystem.exists(f"{self._sink.path}/{path}"))

    def _expire_old_days(self) -> None:
        """Remove the expired days, once a day."""
        today = datetime.now(UTC).date()
        if self._expired_on == today:
            return
        self._expired_on = today
        for kind in (PREDICTIONS, OUTCOMES):
            try:
                remove_old_days(self._sink, kind, today - timedelta(days=self._settings.keep_days))
            except Exception as error:  # the next attempt is tomorrow
                message = "old days were not removed"
                LOG.warning("%s", log_line(log=message, kind=kind, failure=describe_error(error)))


def remove_old_days(sink: Sink, kind: str, first: date) -> None:
    """Remove the folders of days before a date; other files and folders stay.

    Args:
        sink: Sink of the prediction log.
        kind: Kind of rows: predictions or outcomes.
        first: First day that is kept.
    """
    folder = f"{sink.path}/{kind}"
    if not sink.filesystem.exists(folder):
        return
    for item in sink.filesystem.ls(folder, detail=True):
        path = str(item["name"]).rstrip("/")
        day = _parse_day(path.rpartition("/")[2])
        if item["type"] == "directory" and day is not None and day < first:
            sink.filesystem.rm(path, recursive=True)


def _parse_day(name: str) -> date | None:
    """Return the day of a folder's name; None if the log does not name folders like this."""
    try:
        day = date.fromisoformat(name.removeprefix(DAY_PREFIX))
    except ValueError:
        return None
    return day if name == f"{DAY_PREFIX}{day.isoformat()}" else None


def _to_parquet(table: "pa.Table") -> bytes:
    import pyarrow.parquet as pq

    out = io.BytesIO()
    pq.write_table(table, out)
    return out.getvalue()


def _write_file(sink: Sink, path: str, content: bytes) -> None:
    """Write a file atomically: on a local disk it is renamed when it is complete, so no reader sees a part of it."""
    if sink.folder is None:
        address = f"{sink.path}/{path}"
        sink.filesystem.makedirs(address.rpartition("/")[0], exist_ok=True)
        sink.filesystem.pipe_file(address, content)
        return
    target = sink.folder / path
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_suffix(".part")
    with part.open("wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())  # otherwise a power failure could leave the name without the rows
    part.replace(target)
