"""`gitops score`"""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gitops_ml import console
from gitops_ml.commands import find_champion, find_repository, resolve_environment
from gitops_ml.errors import ConfigError

if TYPE_CHECKING:
    import pandas as pd

    from gitops_ml.commands.confined_code import ConfinedCode, ConfinedModel
    from gitops_ml.config import Repository
    from gitops_ml.predictions import Predictions
    from gitops_ml.registry.record import Record
    from gitops_ml.registry.store import Store
    from gitops_ml.run import Run
    from gitops_ml.training.comparison_input import ScoredVersion

Progress = Callable[[str], object]


@click.command()
@click.option("--rows", type=click.Path(path_type=Path), required=True, help="The CSV or Parquet file to read.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="The Parquet or CSV file to write.")
@click.option("--environment", help="The environment of the champion.  [default: the last one in model.toml]")
@click.option("--version", "number", help="Use this version instead of the champion; needs --digest.")
@click.option(
    "--run",
    "folder",
    type=click.Path(path_type=Path),
    help="Use the run or version in this folder; needs --digest.",
)
@click.option(
    "--digest",
    help="The digest of the version's manifest, from a record, `train` or `register`.",
)
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
    """Write predictions for the rows of a file.

    It uses the champion, another version, or a folder with the files of a version. Before a file is loaded, all files
    are verified against the digest.
    """
    from gitops_ml.predictions import predict, to_frame
    from gitops_ml.rows.cell_rules import cell_rules
    from gitops_ml.serving.score import open_run, read_rows
    from gitops_ml.user_package import load_schema_of_categories

    if (folder is None and number is None) != (digest is None) or (folder and number):
        raise click.UsageError("Use --digest together with either --version or --run.")
    repository = find_repository(project)
    if digest is None:
        record, folder = fetch_champion(repository, resolve_environment(repository, environment))
        digest = record.digest
    elif number is not None:
        folder = fetch_version(repository, number, digest)
    assert folder is not None  # noqa: S101 (set by --run, or above)
    metadata, model = open_run(folder, digest, repository.config.serving.trusted_types)
    schema = load_schema_of_categories(repository, metadata.columns)
    frame = to_frame(predict(model, read_rows(rows, metadata, cell_rules(repository.config.data), schema)))
    frame.to_parquet(out, index=False) if out.suffix == ".parquet" else frame.to_csv(out, index=False)
    console.echo(f"Wrote {len(frame)} predictions to {console.relative_path(out)}.")


def fetch_champion(repository: "Repository", environment: str) -> "tuple[Record, Path]":
    """Return the champion's record, and the folder with its verified files, downloaded from the store.

    Args:
        repository: The local clone.
        environment: Name of the environment.

    Raises:
        ConfigError: There is no champion.
        IntegrityError: The files do not match the record's digest.
    """
    from gitops_ml.registry.store import connect

    record = find_champion(repository, environment, connect(repository))
    if record is None:
        raise no_champion_error(environment)
    return record, fetch_version(repository, record.version, record.digest)


def no_champion_error(environment: str) -> ConfigError:
    """Return the error for an environment that has no champion.

    Args:
        environment: Name of the environment.
    """
    return ConfigError(
        f"There is no champion in {environment}: no version was promoted, or no promoted version may serve.",
        "Promote a version first, or choose one with --version and --digest.",
    )


def fetch_version(repository: "Repository", number: str, digest: str) -> Path:
    """Return the folder with the verified files of a version, downloaded from the store.

    Args:
        repository: The local clone.
        number: Version number in the registry.
        digest: Digest of the version's manifest.

    Raises:
        IntegrityError: The files do not match the digest.
    """
    from gitops_ml.registry.store import connect
    from gitops_ml.registry.versions import download_version, version_folder

    folder = version_folder(repository, number, digest)
    return download_version(connect(repository), repository.config.project.name, number, digest, folder)


def score_version(
    code: "ConfinedCode", store: "Store", number: str, digest: str, rows: "pd.DataFrame", progress: Progress
) -> "ScoredVersion":
    """Download and verify a version, and have confined processes predict the rows.

    If today's code and libraries do not reproduce the predictions that training recorded, the version is scored with
    the code of its own commit and the packages of its own lock file.

    Args:
        code: Your code, in confined processes.
        store: Model store with the version.
        number: Version number in the registry.
        digest: Digest of the version's manifest.
        rows: Features, one row for each prediction.
        progress: Function that is called with the name of a step.

    Returns:
        The version with its predictions.

    Raises:
        ConfigError: The rows lack a column of the version.
        IntegrityError: The files do not match the digest.
    """
    import json

    from gitops_ml import explanations, run
    from gitops_ml.registry.versions import download_version, version_folder
    from gitops_ml.training.comparison_input import ScoredVersion
    from gitops_ml.training.row_fingerprints import RowFingerprints

    repository = code.repository
    folder = version_folder(repository, number, digest)
    download_version(store, repository.config.project.name, number, digest, folder)
    metadata = run.read_run(folder, digest)
    missing = [name for name in metadata.columns if name not in rows.columns]
    if missing:
        raise ConfigError(
            f"Version {number} needs the column {missing[0]!r}, but the data no longer has it.",
            "Add the column again. For another table, end the line of versions first: `gitops start-over`.",
        )
    features = rows[list(metadata.columns)]
    predictions_now, model = _predict_here(code, metadata, folder, digest, features)
    if predictions_now is None:
        progress(f"score version {number} with the code and the packages of its own commit")
    predictions = predictions_now or code.score_at_commit(metadata, folder, digest, features)
    key_sample, reference = (json.loads((folder / name).read_bytes()) for name in (run.KEY_SAMPLE, run.REFERENCE))
    fingerprints = (
        RowFingerprints.model_validate_json((folder / run.ROW_FINGERPRINTS).read_bytes())
        if (folder / run.ROW_FINGERPRINTS).is_file()
        else None
    )
    return ScoredVersion(
        number, digest, metadata, key_sample, reference, predictions, own_code=predictions_now is None, model=model,
        folder=folder,
        fingerprints=fingerprints, attribution_baseline=explanations.read_attribution_baseline(folder),
    )  # fmt: skip


def _predict_here(
    code: "ConfinedCode", metadata: "Run", folder: Path, digest: str, rows: "pd.DataFrame"
) -> "tuple[Predictions | None, ConfinedModel | None]":
    """Return predictions and model with today's code, or None if the recorded predictions are not reproduced."""
    from gitops_ml.confinement.channel import UserCodeError
    from gitops_ml.serving.score import reproduces_predictions

    model = code.load(folder, digest, metadata)
    if model is None:
        return None, None
    try:
        is_same = reproduces_predictions(metadata, model.predict, folder)
        return (model.predict(rows), model) if is_same else (None, None)
    except UserCodeError:
        return None, None  # today's code or libraries cannot run the model
