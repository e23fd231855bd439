"""The writer of the prediction log: one thread, which nobody waits for."""

import io
import os
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING

from gitops_ml.logged import DAY, OUTCOMES, PREDICTIONS
from gitops_ml.serving.entries import Answers, Form, Truths
from gitops_ml.serving.line import LOG, entry, where
from gitops_ml.serving.track import Track, adopt
from gitops_ml.serving.waiting import Waiting
from gitops_ml.sink import Sink
from gitops_ml.watch import Log

if TYPE_CHECKING:
    import pyarrow as pa

Entry = Answers | Truths
# Seconds: between two looks at days that are too old; before a second attempt, at most; for what is left at the end.
IDLE, AGAIN, GRACE = 60, 5, 8


class Writer:
    """Writes what waits in batches, tries each twice, and counts what it wrote and what it gave up.

    Attributes:
        written: Rows, by kind.
        dropped: Rows that could not be written, by kind.
        lost: Rows that writers before this one left, by kind.
    """

    def __init__(self, reach: Callable[[], Sink], log: Log, form: Form, track: Track) -> None:
        """Begin.

        Args:
            reach: Finds where to; asked by the thread, for it may take its time or fail, and then it is asked again.
            log: How much at once, and for how long.
            form: How rows are written down.
            track: Where this process notes how far it came; in its folder others did.
        """
        self.written, self.dropped, self.lost = (Counter({PREDICTIONS: 0, OUTCOMES: 0}) for _ in range(3))
        self._reach, self._log, self._form, self._track = reach, log, form, track
        self._waiting = Waiting[Entry](log.queue_rows, log.batch_rows, log.flush_seconds)
        self._tidied: date | None = None
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="log", daemon=True)
        self._thread.start()

    @cached_property
    def _sink(self) -> Sink:
        return self._reach()

    def put(self, one: Entry) -> bool:
        """Whether there was room; it is written when it is due."""
        if not self._waiting.put(one):
            return False
        self._track.accept(one.kind, len(one))
        return True

    def close(self) -> None:
        """Write what waits; what takes too long is left, and the next server says how much it was."""
        self._ending.set()
        self._waiting.close()
        self._thread.join(GRACE)
        if not self._thread.is_alive():
            self._track.close()

    def _run(self) -> None:
        self._adopt()
        while True:
            self._tidy()
            entries = self._waiting.take(IDLE)
            answers = [one for one in entries if isinstance(one, Answers)]
            truths = [one for one in entries if isinstance(one, Truths)]
            if answers:
                self._write(PREDICTIONS, answers)
            if truths:
                self._write(OUTCOMES, truths)
            if not entries and self._waiting.closed:
                return

    def _write(self, kind: str, entries: Sequence[Entry]) -> None:
        rows = sum(map(len, entries))
        name = self._track.begin(kind, rows, datetime.now(UTC).date())
        try:
            self._deliver(name, entries)
        except Exception as error:  # whatever a file system raises that we do not know
            LOG.warning("%s", entry(log="not written", kind=kind, rows=rows, failure=where(error)))
            self.dropped[kind] += rows
        else:
            self.written[kind] += rows
        self._track.settle(kind)

    def _deliver(self, name: str, entries: Sequence[Entry]) -> None:
        """Write a batch; a second time where the first one failed."""
        content = _parquet(self._table(entries))
        try:
            _put(self._sink, name, content)
        except Exception:  # the second one says why
            self._ending.wait(min(self._log.flush_seconds, AGAIN))
            _put(self._sink, name, content)

    def _table(self, entries: Sequence[Entry]) -> "pa.Table":
        answers = [one for one in entries if isinstance(one, Answers)]
        if answers:
            return self._form.answers(answers)
        return self._form.truths([one for one in entries if isinstance(one, Truths)])

    def _adopt(self) -> None:
        """Say what others left."""
        if self._track.folder is None:
            return
        try:
            for one in adopt(
                self._track.folder, lambda name: bool(self._sink.files.exists(f"{self._sink.path}/{name}"))
            ):
                rows, outcomes = one.rows[PREDICTIONS], one.rows[OUTCOMES]
                also = f" and {outcomes} outcome(s)" if outcomes else ""
                if rows or outcomes:
                    words = f"lost {rows} rows of the prediction log{also} when writer {one.writer} ended"
                    LOG.warning("%s", entry(log=words, rows=rows, outcomes=outcomes, writer=one.writer))
                self.lost.update(one.rows)
        except Exception as error:  # the next server asks again
            LOG.warning("%s", entry(log="cannot tell what writers before this one lost", failure=where(error)))

    def _tidy(self) -> None:
        """Once a day, remove the days that are too old."""
        today = datetime.now(UTC).date()
        if self._tidied == today:
            return
        self._tidied = today
        for kind in (PREDICTIONS, OUTCOMES):
            try:
                expire(self._sink, kind, today - timedelta(days=self._log.keep_days))
            except Exception as error:  # tomorrow is another day
                LOG.warning("%s", entry(log="old days were not removed", kind=kind, failure=where(error)))


def expire(sink: Sink, kind: str, first: date) -> None:
    """Remove the folders of days before the first that is kept; whatever else lies there is left alone."""
    folder = f"{sink.path}/{kind}"
    if not sink.files.exists(folder):
        return
    for found in sink.files.ls(folder, detail=True):
        path = str(found["name"]).rstrip("/")
        day = _day(path.rpartition("/")[2])
        if found["type"] == "directory" and day is not None and day < first:
            sink.files.rm(path, recursive=True)


def _day(name: str) -> date | None:
    """Which day a folder is named for; nothing if it is not named as ours are."""
    told = name.removeprefix(DAY)
    try:
        day = date.fromisoformat(told)
    except ValueError:
        return None
    return day if name == f"{DAY}{day.isoformat()}" else None


def _parquet(table: "pa.Table") -> bytes:
    import pyarrow.parquet as pq

    out = io.BytesIO()
    pq.write_table(table, out)
    return out.getvalue()


def _put(sink: Sink, name: str, content: bytes) -> None:
    """Write a file so that nobody ever reads half of it: on a disk it gets its name when it is whole."""
    if sink.folder is None:
        address = f"{sink.path}/{name}"
        sink.files.makedirs(address.rpartition("/")[0], exist_ok=True)
        sink.files.pipe_file(address, content)
        return
    path = sink.folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    with part.open("wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())  # or a power cut leaves the name and not the rows
    part.replace(path)
