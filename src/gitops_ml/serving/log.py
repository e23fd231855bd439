"""The prediction log as the server sees it: rows go in and nobody waits for them, outcomes go in if there is room."""

import hashlib
import os
import random
import tempfile
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
from gitops_ml.logged import OUTCOMES, PREDICTIONS, TRIAL
from gitops_ml.predictions import Predictions
from gitops_ml.serving.entries import Answers, Form, Truths
from gitops_ml.serving.line import LOG, entry
from gitops_ml.serving.service import Service
from gitops_ml.serving.track import Track
from gitops_ml.serving.writer import Writer
from gitops_ml.sink import insist, open_sink
from gitops_ml.watch import Log as Settings

KEY = "GITOPS_LOG_KEY"


class Log(Collector):
    """What one server keeps of its answers; its counters are shown beside the others."""

    def __init__(self, settings: Settings, version: str, writer: Writer) -> None:
        self.settings = settings
        self._version, self._writer = version, writer
        self._full = {PREDICTIONS: 0, OUTCOMES: 0}

    def predicted(self, request: str, rows: pd.DataFrame, predictions: Predictions) -> None:
        """Keep the rows of a request, if it is drawn and there is room."""
        if self.settings.sample < 1 and random.random() >= self.settings.sample:  # noqa: S311 (a sample)
            return
        if not self._writer.put(Answers(request, time.time_ns(), rows, predictions)):
            self._full[PREDICTIONS] += len(rows)

    def told(self, truths: Truths) -> bool:
        """Keep outcomes; whether there was room."""
        return self._writer.put(truths)

    def close(self) -> None:
        """Write what waits."""
        self._writer.close()

    def collect(self) -> Iterator[CounterMetricFamily]:
        """Rows that were written, dropped and lost."""
        writer = self._writer
        dropped = {kind: number + writer.dropped[kind] for kind, number in self._full.items()}
        yield self._family(LOGGED, "Rows written to the prediction log.", writer.written)
        yield self._family(DROPPED, "Rows that the log had no room for, or could not write.", dropped)
        yield self._family(LOST, "Rows that servers before this one had not written when they ended.", writer.lost)

    def _family(self, name: str, what: str, numbers: Mapping[str, int]) -> CounterMetricFamily:
        family = CounterMetricFamily(name, what, labels=["kind", "version"])
        for kind in (PREDICTIONS, OUTCOMES):
            family.add_metric([kind, self._version], numbers[kind])
        return family


def open_log(service: Service, key: str | None) -> Log | None:
    """The log of a service; None where model.toml names no sink, or the version is only tried.

    A sink that cannot be written to keeps no server down: what comes is counted as dropped, with a line for each batch.

    Args:
        service: Whose answers are kept.
        key: For columns of which only a keyed hash is written.

    Raises:
        ConfigError: A column is named that the model does not have, there is no key, or no such kind of sink.
    """
    repository, settings = service.repository, service.repository.config.log
    if not settings.sink or os.environ.get(TRIAL) or not _is_the_last(repository):
        return None
    kept = _kept(settings, service.described.columns)
    if any(kept.values()) and not key:
        raise ConfigError(
            f"model.toml: [log] hashed names {', '.join(settings.hashed)}, and {KEY} is not set.",
            "A hash without a key can be guessed back: set it to a long random text, the same for all servers.",
        )
    insist(settings.sink)
    form = Form(service.named.short, repository.config.data.positive, kept, (key or "").encode())
    writer = Writer(lambda: open_sink(repository), settings, form, _track(repository))
    return Log(settings, service.named.short, writer)


def _is_the_last(repository: Repository) -> bool:
    """Whether this is where promotion ends, as far as anybody said: rows of a staging must not be taken for those."""
    return os.environ.get("GITOPS_ENVIRONMENT") in {None, "", repository.config.deploy.environments[-1]}


def _kept(settings: Settings, columns: Mapping[str, str]) -> dict[str, bool]:
    """The columns that are written, and whether only a hash of each is."""
    unknown = [name for name in (*settings.left_out, *settings.hashed) if name not in columns]
    if unknown:
        raise ConfigError(
            f"model.toml: [log] names a column {unknown[0]!r}, which the model does not look at.",
            f"It looks at: {', '.join(columns)}.",
        )
    return {name: name in settings.hashed for name in columns if name not in settings.left_out}


def _track(repository: Repository) -> Track:
    """Where this writer notes how far it came: never in the sink, which may hang or be full while callers wait."""
    writer = uuid.uuid4().hex
    for folder in _folders(repository):
        with suppress(OSError):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            return Track(folder, writer)
    LOG.warning("%s", entry(log="no file can be made on this machine: nobody will learn what a kill loses"))
    return Track(None, writer)


def _folders(repository: Repository) -> Iterator[Path]:
    """Folders of this machine for writers of this sink, the best first."""
    named = repository.config.log.sink
    place = named if "://" in named else os.path.normpath(repository.root.resolve() / named)
    mark = hashlib.sha256(place.encode()).hexdigest()[:12]
    yield repository.scratch / "log" / mark
    # Where the root is read-only, and the temporary folder somebody else's, nobody learns what a kill lost.
    with suppress(OSError):
        yield Path(tempfile.gettempdir(), f"gitops-{os.getuid()}-log-{mark}")
