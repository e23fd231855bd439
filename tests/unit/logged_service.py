"""A service that keeps a prediction log, and readers of the log."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import fsspec
import pandas as pd

from gitops_ml.monitoring_config import LogConfig
from gitops_ml.serving.log_recorder import LogRecorder, open_log
from unit.http_caller import Caller, make_caller, start_service
from unit.sample import Project


@contextmanager
def logging_to(
    project: Project, sink: str, key: str | None = None, outcomes: str | None = "truth", **settings: Any
) -> Iterator[tuple[Caller, LogRecorder]]:
    """Yield a caller of a service that writes to this sink, and its log; queued rows are written at the end."""
    service = start_service(project)
    config = service.repository.config.model_copy(update={"log": LogConfig(sink=sink, **settings)})
    service.repository = replace(service.repository, config=config)
    log = open_log(service, key)
    assert log is not None
    try:
        yield make_caller(service, outcomes=outcomes, log=log), log
    finally:
        log.close()


def read(sink: str, kind: str = "predictions") -> pd.DataFrame:
    """Return all rows of the log."""
    filesystem, path = fsspec.core.url_to_fs(sink)
    names = sorted(filesystem.glob(f"{path}/{kind}/day=*/*.parquet"))
    frames = [pd.read_parquet(filesystem.open(name)) for name in names]
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()


def wait_until(condition: Callable[[], bool], seconds: float = 30) -> None:
    """Wait until a condition is true."""
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "the condition did not become true"
        time.sleep(0.05)
