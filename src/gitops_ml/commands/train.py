"""`gitops train`"""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from gitops_ml import console
from gitops_ml.commands import find

if TYPE_CHECKING:
    from gitops_ml.config import Repository
    from gitops_ml.run import Lineage


@click.command()
@click.option("--out", type=click.Path(path_type=Path), help="The folder to write.  [default: .gitops/run]")
@click.option(
    "--force", is_flag=True, envvar="GITOPS_FORCE", help="Train although the same training made a version already."
)
@click.pass_obj
def command(project: Path, out: Path | None, force: bool) -> None:
    """Fit the pipeline; leave a sealed folder.

    What trained before with the same data, code, training tables and lock is not trained again: its version is
    fetched instead.
    """
    from gitops_ml import contract
    from gitops_ml.commands.validate import checked
    from gitops_ml.training.train import check_place, prepare, train

    repository = find(project)
    out = out or repository.scratch / "run"
    check_place(out)
    yours = contract.load(repository)
    validation = checked(repository, yours, keep=True)
    assert validation.frame is not None  # noqa: S101 (it was asked for)
    prepared = prepare(repository, validation.frame, validation.digest)
    digest = None if force else _existing(repository, prepared.lineage, out)
    if digest is None:
        with console.progress("train") as progress:
            digest = train(repository, yours, prepared, out, forced=force, progress=progress)
        _show(out, digest)
    console.output("digest", digest)
    console.output("training", prepared.lineage.training)


def _existing(repository: "Repository", lineage: "Lineage", out: Path) -> str | None:
    """Fetch the version that the same training made before, if there is one, and return its digest."""
    import shutil

    from gitops_ml import manifest
    from gitops_ml.registry.store import connect
    from gitops_ml.registry.versions import fetch, known, same_training

    store, model = connect(repository), repository.config.project.name
    version = same_training(known(store, model), lineage)
    if version is None:
        return None
    if (out / manifest.FILE).exists() and manifest.digest_file(out / manifest.FILE) != version.digest:
        shutil.rmtree(out)
    fetch(store, model, version.number, version.digest, out)
    console.say(
        f"Nothing to train: version {version.number} was made from the same data, code, training tables and lock "
        f"({lineage.training[:19]}). `--force` trains all the same."
    )
    console.summarise(f"➖ Nothing to train: version {version.number} was made from the same inputs.")
    return version.digest


def _show(out: Path, digest: str) -> None:
    from gitops_ml import run
    from gitops_ml.forge.report import number, table

    described = run.read(out, digest)
    rows = [[name, number(value)] for name, value in described.metrics.items()]
    console.table("Trained", ["metric", "on the holdout"], rows)
    trained = described.lineage.rows - described.lineage.holdout_rows
    console.say(f"{trained} rows trained on, {described.lineage.holdout_rows} held out.")
    console.say(f"{console.near(out)} has the digest {digest}.")
    console.summarise(f"### Trained\n\n{table(['metric', 'on the holdout'], rows)}")
