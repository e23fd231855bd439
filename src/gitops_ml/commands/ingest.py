"""`gitops ingest`"""

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gitops_ml import console, git
from gitops_ml.commands import find_repository
from gitops_ml.errors import ConfigError

if TYPE_CHECKING:
    from gitops_ml.config import Repository

PULLED, INGESTION = "pulled", "ingestion"
NO_SOURCE = (
    'model.toml names no source of new rows: set `source` under [ingest] to "file", "http", "sql" or "outcomes". '
    "`gitops docs monitoring` says what each source needs."
)


@click.command()
@click.option(
    "--stage", type=click.Choice(["pull", "check", "offer"]), envvar="GITOPS_STAGE",
    help="Run only this stage, as the jobs of the workflow do.  [default: all three]",
)  # fmt: skip
@click.option(
    "--digest",
    envvar="GITOPS_DIGEST",
    help="Digest of the previous stage's result, from its output.  [default: the digest in the folder]",
)
@click.option("--local", is_flag=True, help="Create a branch in this clone, without GitHub.")
@click.pass_obj
def command(project: Path, stage: str | None, digest: str | None, local: bool) -> None:
    """Propose new labelled rows as a pull request.

    The rows are fetched, checked against schema.py and the data, and appended. Merging the pull request starts a
    training.
    """
    repository = find_repository(project)
    if repository.config.ingest.source == "none":
        console.echo(f"Nothing to do: {NO_SOURCE}")
        console.append_summary(f"➖ {NO_SOURCE}")
        return
    if repository.config.data.path is None:
        raise ConfigError(
            "model.toml: [data] is a query, so new rows belong into that database.",
            "Insert them there, and run Train; or keep the data as a file (`path` under [data]).",
        )
    if stage in {None, "pull"}:
        digest = _pull(repository)
    if stage == "check" or (stage is None and digest):
        digest = _check(repository, digest)
    if stage == "offer" or (stage is None and digest):
        # Without a token, a user outside of GitHub Actions can only propose in the own clone.
        without_github = local or (not os.environ.get("GITHUB_TOKEN") and not git.in_actions())
        _offer(repository, digest, local=without_github)


def _pull(repository: "Repository") -> str | None:
    """Fetch new rows, and return the digest of the folder that holds them; None if there are none."""
    from gitops_ml.commands.new_rows import report_nothing_new
    from gitops_ml.ingesting.pull import pull

    with console.progress("ingest") as progress:
        progress(f"pull from {repository.config.ingest.source}")
        pulled, digest = pull(repository, repository.scratch / PULLED)
    if pulled.file is None:
        report_nothing_new(pulled.missing)
        return None
    for note in pulled.notes:
        console.echo(note)
    console.set_output("pulled", digest)
    return digest


def _check(repository: "Repository", digest: str | None) -> str | None:
    """Check the fetched rows, and return the digest of the ingestion; None if no row is new."""
    from gitops_ml.commands.new_rows import check_new_rows

    folder = repository.scratch / PULLED
    # A job's checkout holds one commit; the champion is read from main's history and the ledger.
    git.fetch_branches_if_tracked(repository.root)
    digest = check_new_rows(repository, folder, digest or _local_digest(folder, "pull"), repository.scratch / INGESTION)
    console.set_output("ingestion", digest or "")
    return digest


def _offer(repository: "Repository", digest: str | None, *, local: bool) -> None:
    """Propose the checked rows."""
    from gitops_ml.commands.data_pull_request import propose_data

    folder = repository.scratch / INGESTION
    propose_data(repository, folder, digest or _local_digest(folder, "check"), local=local)


def _local_digest(folder: Path, stage: str) -> str:
    """Return the digest of the manifest in the folder; only on a user's machine, which wrote the folder itself."""
    from gitops_ml import manifest

    if git.in_actions():
        raise ConfigError("In a workflow, the digest must come from the previous job.", "Set GITOPS_DIGEST.")
    if not (folder / manifest.FILE).is_file():
        raise ConfigError(f"{folder} has no files of stage {stage}.", f"Run `gitops ingest --stage {stage}` first.")
    return manifest.digest_file(folder / manifest.FILE)
