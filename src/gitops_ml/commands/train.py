"""`gitops train`"""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from gitops_ml import console
from gitops_ml.commands import find_repository

if TYPE_CHECKING:
    from gitops_ml.config import Repository
    from gitops_ml.run import Lineage


@click.command()
@click.option("--out", type=click.Path(path_type=Path), help="Output folder.  [default: .gitops/run]")
@click.option(
    "--force", is_flag=True, envvar="GITOPS_FORCE", help="Train even if a version with the same inputs exists."
)
@click.pass_obj
def command(project: Path, out: Path | None, force: bool) -> None:
    """Train the model and write its files to a run folder.

    It is measured by cross-validation on the training rows: only `gitops compare` predicts the held-out rows. The
    command prints the metrics and a digest of the folder's files. If a version with the same data, code, training
    settings of model.toml and lock file exists, it is downloaded instead of training again.
    """
    from gitops_ml.commands.confined_code import confined_code
    from gitops_ml.commands.validate import validate_data
    from gitops_ml.training.labels import check_sides
    from gitops_ml.training.train import check_output_folder, prepare, train

    repository = find_repository(project)
    out = out or repository.scratch / "run"
    check_output_folder(out)
    with confined_code(repository) as code:
        validation = validate_data(repository, code.open_checker(), keep_rows=True)
        assert validation.frame is not None  # noqa: S101 (keep_rows=True)
        prepared = prepare(repository, validation.frame, validation.digest)
        target = repository.config.data.target
        for sentence in check_sides(repository.config, prepared.rows[target], prepared.held_out[target]):
            console.echo(sentence)
            console.append_summary(f"⚠️ {sentence}")
        digest = None if force else _download_existing(repository, prepared.lineage, out)
        if digest is None:
            with console.progress("train", timed=True) as progress:
                digest = train(repository, code, prepared, out, forced=force, progress=progress)
            _show_metrics(out, digest)
    console.set_output("digest", digest)
    console.set_output("training", prepared.lineage.training)


def _download_existing(repository: "Repository", lineage: "Lineage", out: Path) -> str | None:
    """Download the version with the same inputs, if there is one, and return its digest."""
    import shutil

    from gitops_ml import manifest
    from gitops_ml.registry.store import connect
    from gitops_ml.registry.versions import download_version, find_same_training, list_versions

    store, model = connect(repository), repository.config.project.name
    version = find_same_training(list_versions(store, model), lineage)
    if version is None:
        return None
    if (out / manifest.FILE).exists() and manifest.digest_file(out / manifest.FILE) != version.digest:
        shutil.rmtree(out)
    download_version(store, model, version.number, version.digest, out)
    console.echo(
        f"Nothing to train: version {version.number} was trained with the same data, code, training settings and lock "
        f"file ({lineage.training[:19]}). Use `--force` to train again."
    )
    console.append_summary(f"➖ Nothing to train: version {version.number} was trained with the same inputs.")
    return version.digest


def _show_metrics(out: Path, digest: str) -> None:
    """Print the cross-validated metrics, the numbers of rows and the digest; the step summary has the metrics too."""
    from gitops_ml import run
    from gitops_ml.forge.markdown import format_number, format_table

    described = run.read_run(out, digest)
    headers = ["metric", "cross-validated value"]
    rows = [[name, format_number(value)] for name, value in described.metrics.items()]
    console.table("Metrics of the trained model", headers, rows)
    lineage = described.lineage
    trained = lineage.rows - lineage.holdout_rows
    cutoff = f", from {lineage.cutoff} on" if lineage.cutoff else ""
    console.echo(f"{trained} training rows, {lineage.holdout_rows} holdout rows{cutoff}.")
    console.echo(
        f"Wrote the run folder {console.relative_path(out)} with the digest {digest}. Next: `gitops register`."
    )
    console.append_summary(f"### Metrics of the trained model\n\n{format_table(headers, rows)}")
