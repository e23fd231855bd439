"""Evidently's report on a sample: training rows beside rows of the prediction log, in an environment of its own."""

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import gitops_ml
from gitops_ml import logged
from gitops_ml.errors import ConfigError, DataUnreadable

if TYPE_CHECKING:
    import pandas as pd

    from gitops_ml.config import Repository
    from gitops_ml.registry.record import Record
    from gitops_ml.registry.store import Store

LOCK = Path(gitops_ml.__file__).parent / "data" / "evidently.txt"
ROWS = 20_000


def sampled(repository: "Repository", store: "Store", environment: str, page: Path) -> str:
    """Write the page, and say what is in it; or why there is none.

    Args:
        repository: The clone.
        store: Where the versions are.
        environment: Whose champion.
        page: The file.

    Raises:
        ConfigError: Evidently cannot be installed, or fails.
        DataUnreadable: The log cannot be read.
    """
    from gitops_ml import checkout
    from gitops_ml.commands import champion
    from gitops_ml.forge import evidently_report

    if not repository.config.log.sink:
        return "No report of Evidently: no prediction log is kept; name its `sink` under [log] in model.toml."
    served = champion(repository, environment, store)
    if served is None:
        return f"No report of Evidently: nothing was promoted to {environment} yet."
    current = _current(repository, served)
    if current is None:
        return f"No report of Evidently: the prediction log has no row of version {served.version}."
    reference = _reference(repository, list(current.columns))
    page.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        files = [Path(scratch, name) for name in ("reference.parquet", "current.parquet")]
        for frame, file in zip((reference, current), files, strict=True):
            frame.to_parquet(file, index=False)
        try:
            python = checkout.environment(repository, LOCK)
            checkout.run(python, "-W", "ignore", Path(evidently_report.__file__).resolve(), *files, page)
        except checkout.CheckoutFailed as error:
            raise ConfigError(
                f"Evidently's report cannot be made: {error.what}", f"It needs the packages of {LOCK}."
            ) from error
    return f"Evidently's report: {len(reference)} training rows beside {len(current)} of the log, {page.name}."


def _current(repository: "Repository", served: "Record") -> "pd.DataFrame | None":
    """The newest rows that a version answered, with the columns that were written as they came."""
    import pandas as pd
    import pyarrow as pa

    from gitops_ml.sink import open_sink

    log, sink = repository.config.log, open_sink(repository)
    columns = [name for name in served.columns if name not in {*log.left_out, *log.hashed}]
    found: list[pd.DataFrame] = []
    rows = 0
    try:
        for file in sorted(sink.files.glob(f"{sink.path}/{logged.PREDICTIONS}/{logged.DAY}*/*.parquet"), reverse=True):
            with sink.files.open(file) as stream:
                frame = pd.read_parquet(stream)
            mine = frame.loc[frame[logged.VERSION].astype(str) == served.version, columns]
            found, rows = [*found, mine], rows + len(mine)
            if rows >= ROWS:
                break
    except (OSError, ValueError, KeyError, pa.ArrowException) as error:
        raise DataUnreadable(
            f"The prediction log at {log.sink} cannot be read: {error}.", "Look at `sink` under [log] in model.toml."
        ) from error
    return pd.concat(found).tail(ROWS) if rows else None


def _reference(repository: "Repository", columns: list[str]) -> "pd.DataFrame":
    """A sample of today's training rows, by the split."""
    from gitops_ml import contract
    from gitops_ml.commands.validate import checked
    from gitops_ml.training.train import prepare

    validation = checked(repository, contract.load(repository), keep=True)
    assert validation.frame is not None  # noqa: S101 (it was asked for)
    rows = prepare(repository, validation.frame, validation.digest).rows[columns]
    return rows.sample(min(ROWS, len(rows)), random_state=repository.config.training.seed)
