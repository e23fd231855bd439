"""A service that keeps a log, and what is in it."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import fsspec
import pandas as pd

from gitops_ml.serving.log import Log, open_log
from gitops_ml.watch import Log as Settings
from unit.sample import Project
from unit.served import Caller, caller_of, service_of


@contextmanager
def logging_to(
    project: Project, sink: str, key: str | None = None, outcomes: str | None = "truth", **settings: Any
) -> Iterator[tuple[Caller, Log]]:
    """A caller of a service that writes to this sink, and its log; what waits is written in the end."""
    service = service_of(project)
    chosen = Settings(sink=sink, **settings)
    service.repository = replace(
        service.repository, config=service.repository.config.model_copy(update={"log": chosen})
    )
    log = open_log(service, key)
    assert log is not None
    try:
        yield caller_of(service, outcomes=outcomes, log=log), log
    finally:
        log.close()


def read(sink: str, kind: str = "predictions") -> pd.DataFrame:
    """Everything that was written there."""
    files, path = fsspec.core.url_to_fs(sink)
    found = [pd.read_parquet(files.open(name)) for name in sorted(files.glob(f"{path}/{kind}/day=*/*.parquet"))]
    return pd.concat(found, ignore_index=True) if found else pd.DataFrame()


def wait_until(true: Callable[[], bool], seconds: float = 30) -> None:
    """Ask until it is so."""
    until = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < until, "it did not become so"
        time.sleep(0.05)
