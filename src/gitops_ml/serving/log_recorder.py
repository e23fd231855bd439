"""Recording in the prediction log: predictions and outcomes are queued without delaying the response."""

import hashlib
import os
import random
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

import pandas as pd
from prometheus_client.core import CounterMetricFamily
from prometheus_client.registry import Collector

from gitops_ml.config import Repository
from gitops_ml.counters import DROPPED, LOGGED, LOST
from gitops_ml.errors import ConfigError
from gitops_ml.monitoring_config import LogConfig
from gitops_ml.prediction_log import OUTCOMES, PREDICTIONS, SMOKE_TEST
from gitops_ml.predictions import Predictions
from gitops_ml.serving.json_log import LOG, log_line
from gitops_ml.serving.log_entries import LogFormat, OutcomeEntry, PredictionEntry
from gitops_ml.serving.log_writer import LogWriter
from gitops_ml.serving.service import Service
from gitops_ml.serving.write_progress import WriteProgress
from gitops_ml.sink import open_sink, require_supported
from gitops_ml.temporary_folder import shared_temporary_folder

KEY = "GITOPS_LOG_KEY"


class LogRecorder(Collector):
    """Records the predictions and outcomes of one server in the prediction log, and exports its counters.

    Attributes:
        settings: Table [log] of model.toml.
    """

    def __init__(self, settings: LogConfig, version: str, writer: LogWriter) -> None:
        self.settings = settings
        self._version, self._writer = version, writer
        self._dropped_queue_full = {PREDICTIONS: 0, OUTCOMES: 0}

    def record_predictions(self, request: str, rows: pd.DataFrame, predictions: Predictions) -> None:
        """Queue the rows of a request, if the request is sampled; rows are dropped if the queue is full.

        Args:
            request: Id of the request.
            rows: Rows as the model received them.
            predictions: Predictions of the rows.
        """
        if self.settings.sample < 1 and random.random() >= self.settings.sample:  # noqa: S311 (a sample)
            return
        if not self._writer.put(PredictionEntry(request, time.time_ns(), rows, predictions)):
            self._dropped_queue_full[PREDICTIONS] += len(rows)

    def record_outcomes(self, outcomes: OutcomeEntry) -> bool:
        """Queue outcomes.

        Args:
            outcomes: Outcomes of one request.

        Returns:
            True if they were queued, False if the queue is full.
        """
        # Not counted as dropped: the caller gets status 503 with Retry-After, and can send the outcomes again.
        return self._writer.put(outcomes)

    def close(self) -> None:
        """Write the queued rows."""
        self._writer.close()

    def collect(self) -> Iterator[CounterMetricFamily]:
        """Yield the numbers of written, dropped and lost rows."""
        writer = self._writer
        dropped = {kind: number + writer.dropped[kind] for kind, number in self._dropped_queue_full.items()}
        yield self._family(LOGGED, "Rows written to the prediction log.", writer.written)
        yield self._family(DROPPED, "Rows dropped because the queue was full or the write failed.", dropped)
        yield self._family(LOST, "Rows that earlier servers had queued and not written when they ended.", writer.lost)

    def _family(self, name: str, documentation: str, numbers: Mapping[str, int]) -> CounterMetricFamily:
        family = CounterMetricFamily(name, documentation, labels=["kind", "version"])
        for kind in (PREDICTIONS, OUTCOMES):
            family.add_metric([kind, self._version], numbers[kind])
        return family


def open_log(service: Service, key: str | None) -> LogRecorder | None:
    """Open the prediction log of a service.

    A sink that cannot be written to does not stop the server: rows are counted as dropped, and each failed batch is
    logged.

    Args:
        service: Service whose predictions are recorded.
        key: Secret key for columns of which only a keyed hash is written.

    Returns:
        The log; None if model.toml names no sink, in a smoke test, or in an environment before the last one.

    Raises:
        ConfigError: [log] names a column that the model does not have, the key is missing, or fsspec does not support
            the sink.
    """
    repository, settings = service.repository, service.repository.config.log
    if not settings.sink or os.environ.get(SMOKE_TEST) or not _is_last_environment(repository):
        return None
    columns = _logged_columns(settings, service.metadata.columns)
    if any(columns.values()) and not key:
        raise ConfigError(
            f"model.toml: `hashed` under [log] names {', '.join(settings.hashed)}, and {KEY} is not set. Without a "
            "key, values could be guessed from their hashes.",
            f"Set {KEY} to a long random text, the same for all servers.",
        )
    require_supported(settings.sink)
    log_format = LogFormat(service.version_id.short, repository.config.data.positive, columns, (key or "").encode())
    writer = LogWriter(lambda: open_sink(repository), settings, log_format, _open_progress(repository))
    return LogRecorder(settings, service.version_id.short, writer)


def _is_last_environment(repository: Repository) -> bool:
    """Return True in the last environment, or if no environment is set.

    Requests in staging must not enter the production log.
    """
    return os.environ.get("GITOPS_ENVIRONMENT") in {None, "", repository.config.deploy.environments[-1]}


def _logged_columns(settings: LogConfig, columns: Mapping[str, str]) -> dict[str, bool]:
    """Return the columns that are written to the log; True for those of which only a hash is written."""
    unknown = [name for name in (*settings.left_out, *settings.hashed) if name not in columns]
    if unknown:
        raise ConfigError(
            f"model.toml: [log] names the column {unknown[0]!r}, which the model does not use.",
            f"Use one of its columns: {', '.join(columns)}.",
        )
    return {name: name in settings.hashed for name in columns if name not in settings.left_out}


def _open_progress(repository: Repository) -> WriteProgress:
    """Create a local file that counts queued and written rows.

    With it, a restarted server can count rows lost in a crash. It is not in the sink, because the sink may block or be
    full.
    """
    writer = uuid.uuid4().hex
    for folder in _progress_folders(repository):
        with suppress(OSError):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            return WriteProgress(folder, writer)
    message = "cannot create a progress file on this machine: rows lost by a killed process will not be counted"
    LOG.warning("%s", log_line(log=message))
    return WriteProgress(None, writer)


def _progress_folders(repository: Repository) -> Iterator[Path]:
    """Yield the local folders in which progress files of this sink can be created, in order of preference."""
    sink = repository.config.log.sink
    address = sink if "://" in sink else os.path.normpath(repository.root.resolve() / sink)
    mark = hashlib.sha256(address.encode()).hexdigest()[:12]
    yield repository.scratch / "log" / mark
    # If the root is read-only and the temporary folder belongs to another user, lost rows are not counted.
    with suppress(OSError):
        yield shared_temporary_folder() / f"gitops-{os.getuid()}-log-{mark}"
