"""`gitops score`"""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gitops_ml import console
from gitops_ml.commands import champion, find, where
from gitops_ml.errors import ConfigError

if TYPE_CHECKING:
    import pandas as pd
    from sklearn.pipeline import Pipeline

    from gitops_ml.config import Repository
    from gitops_ml.predictions import Predictions
    from gitops_ml.registry.store import Store
    from gitops_ml.run import Run
    from gitops_ml.training.trial import Scored

Progress = Callable[[str], object]


@click.command()
@click.option("--rows", type=click.Path(path_type=Path), required=True, help="A CSV or Parquet file.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="The Parquet or CSV file to write.")
@click.option("--environment", help="Whose champion.  [default: the last one in model.toml]")
@click.option("--version", "number", help="A version instead of the champion; with --digest.")
@click.option("--run", "folder", type=click.Path(path_type=Path), help="A version's files instead of the champion's.")
@click.option("--digest", help="Their digest, from a record or from `register`.")
@click.pass_obj
def command(
    project: Path,
    rows: Path,
    out: Path,
    environment: str | None,
    number: str | None,
    folder: Path | None,
    digest: str | None,
) -> None:
    """Predict the rows of a file.

    With the champion, a version, or a version's files. Their digest is verified before anything is opened.
    """
    from gitops_ml.predictions import predict, to_frame
    from gitops_ml.serving.score import open_run, read_rows

    if (folder is None and number is None) != (digest is None) or (folder and number):
        raise click.UsageError("--digest goes with --version or with --run: files are worth nothing without it.")
    repository = find(project)
    if digest is None:
        folder, digest = _champion(repository, where(repository, environment))
    elif number is not None:
        folder = fetch_version(repository, number, digest)
    assert folder is not None  # noqa: S101 (one of the three was named)
    described, model = open_run(folder, digest, repository.config.serving.trusted_types)
    frame = to_frame(predict(model, read_rows(rows, described)))
    frame.to_parquet(out, index=False) if out.suffix == ".parquet" else frame.to_csv(out, index=False)
    console.say(f"{len(frame)} predictions in {console.near(out)}.")


def _champion(repository: "Repository", environment: str) -> tuple[Path, str]:
    """The champion's files, and the digest that the record pins; what is held is no champion."""
    from gitops_ml.registry.store import connect

    record = champion(repository, environment, connect(repository))
    if record is None:
        raise no_champion(environment)
    return fetch_version(repository, record.version, record.digest), record.digest


def no_champion(environment: str) -> ConfigError:
    """Before the first promotion, somebody asked for the champion."""
    return ConfigError(
        f"There is no champion in {environment} yet.", "Promote a version first, or name one: --version, --run."
    )


def fetch_version(repository: "Repository", number: str, digest: str) -> Path:
    """A version's files, fetched from the store and verified."""
    from gitops_ml.registry.store import connect
    from gitops_ml.registry.versions import fetch, place

    folder = place(repository, number, digest)
    return fetch(connect(repository), repository.config.project.name, number, digest, folder)


def scored(
    repository: "Repository", store: "Store", number: str, digest: str, rows: "pd.DataFrame", progress: Progress
) -> "Scored":
    """Fetch and verify a version, and score the holdout; by its own code where today's would change what it says."""
    import json

    from gitops_ml import reasons, run
    from gitops_ml.registry.versions import fetch, place
    from gitops_ml.training import own_code
    from gitops_ml.training.seal import Seal
    from gitops_ml.training.trial import Scored

    folder = place(repository, number, digest)
    fetch(store, repository.config.project.name, number, digest, folder)
    described = run.read(folder, digest)
    missing = [name for name in described.columns if name not in rows.columns]
    if missing:
        raise ConfigError(
            f"Version {number} needs the column {missing[0]!r}, which the data no longer has.",
            "Bring the column back, or remove the record in registry/ by pull request to start over.",
        )
    seen = rows[list(described.columns)]
    today, model = _replayed(repository, described, folder, digest, seen)
    if today is None:
        progress(f"score version {number} by its own commit and lock")
    predictions = today or own_code.score(repository, described, folder, digest, seen)
    sketch, reference = (json.loads((folder / name).read_bytes()) for name in (run.SKETCH, run.REFERENCE))
    seal = Seal.model_validate_json((folder / run.SEAL).read_bytes()) if (folder / run.SEAL).is_file() else None
    return Scored(
        number, digest, described, sketch, reference, predictions, own_code=today is None, model=model, folder=folder,
        seal=seal, basis=reasons.read(folder),
    )  # fmt: skip


def _replayed(
    repository: "Repository", described: "Run", folder: Path, digest: str, rows: "pd.DataFrame"
) -> "tuple[Predictions | None, Pipeline | None]":
    """What a version says of the rows here and now, and its model; None where it no longer says what it said when it
    was trained."""
    from gitops_ml.predictions import predict
    from gitops_ml.serving.score import open_run, replays

    try:
        _, model = open_run(folder, digest, repository.config.serving.trusted_types)
        return (predict(model, rows), model) if replays(described, model, folder) else (None, None)
    except (ImportError, AttributeError, TypeError, ValueError, KeyError):
        return None, None  # today's code or libraries cannot even load it, or run it; its own can
