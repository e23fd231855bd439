"""Evidently's report on samples of the training rows and of the prediction log, made in a separate environment."""

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import gitops_ml
from gitops_ml import prediction_log
from gitops_ml.errors import ConfigError, DataUnreadable

if TYPE_CHECKING:
    import pandas as pd

    from gitops_ml.config import Repository
    from gitops_ml.registry.record import Record
    from gitops_ml.registry.store import Store

LOCK = Path(gitops_ml.__file__).parent / "data" / "evidently.txt"
SAMPLE_ROWS = 20_000


def write_evidently_report(repository: "Repository", store: "Store", environment: str, page: Path) -> str:
    """Write Evidently's report, if the prediction log has rows of the champion.

    Args:
        repository: The local clone.
        store: Model store with the versions.
        environment: Environment of the champion.
        page: HTML file to write.

    Returns:
        A sentence about the report, or about why there is none.

    Raises:
        ConfigError: Evidently cannot be installed, or it fails.
        DataUnreadable: The prediction log cannot be read.
    """
    from gitops_ml import checkout
    from gitops_ml.commands import find_champion
    from gitops_ml.forge import evidently_report

    if not repository.config.log.sink:
        return (
            "There is no report by Evidently, because no prediction log is kept: set `sink` under [log] in model.toml."
        )
    served = find_champion(repository, environment, store)
    if served is None:
        return f"There is no report by Evidently, because no version was promoted to {environment} yet."
    current = _sample_log(repository, served)
    if current is None:
        return f"There is no report by Evidently, because the prediction log has no row of version {served.version}."
    reference = _sample_training_rows(repository, list(current.columns))
    page.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        files = [Path(scratch, name) for name in ("reference.parquet", "current.parquet")]
        for frame, file in zip((reference, current), files, strict=True):
            frame.to_parquet(file, index=False)
        try:
            python = checkout.cached_environment(repository, LOCK)
            checkout.run_python(python, "-W", "ignore", Path(evidently_report.__file__).resolve(), *files, page)
        except checkout.CheckoutFailed as error:
            raise ConfigError(
                f"Evidently's report cannot be made: {error.problem}",
                f"Check that the packages of {LOCK} can be installed on this machine.",
            ) from error
    return f"Evidently's report compares {len(reference)} training rows with {len(current)} of the log: {page.name}."


def _sample_log(repository: "Repository", served: "Record") -> "pd.DataFrame | None":
    """Return the newest logged rows of a version, without hashed and omitted columns, or None if there are none."""
    import pandas as pd
    import pyarrow as pa

    from gitops_ml.sink import open_sink

    log, sink = repository.config.log, open_sink(repository)
    columns = [name for name in served.columns if name not in {*log.left_out, *log.hashed}]
    frames: list[pd.DataFrame] = []
    count = 0
    try:
        pattern = f"{sink.path}/{prediction_log.PREDICTIONS}/{prediction_log.DAY_PREFIX}*/*.parquet"
        for file in sorted(sink.filesystem.glob(pattern), reverse=True):
            with sink.filesystem.open(file) as stream:
                frame = pd.read_parquet(stream)
            selected = frame.loc[frame[prediction_log.VERSION].astype(str) == served.version, columns]
            frames, count = [*frames, selected], count + len(selected)
            if count >= SAMPLE_ROWS:
                break
    except (OSError, ValueError, KeyError, pa.ArrowException) as error:
        raise DataUnreadable(
            f"The prediction log at {log.sink} cannot be read: {error}.", "Check `sink` under [log] in model.toml."
        ) from error
    return pd.concat(frames).tail(SAMPLE_ROWS) if count else None


def _sample_training_rows(repository: "Repository", columns: list[str]) -> "pd.DataFrame":
    """Return a sample of today's training rows by the configured split."""
    from gitops_ml import user_package
    from gitops_ml.commands.validate import validate_data
    from gitops_ml.training.train import prepare

    validation = validate_data(repository, user_package.load_user_package(repository), keep_rows=True)
    assert validation.frame is not None  # noqa: S101 (keep_rows=True)
    rows = prepare(repository, validation.frame, validation.digest).rows[columns]
    return rows.sample(min(SAMPLE_ROWS, len(rows)), random_state=repository.config.training.seed)
