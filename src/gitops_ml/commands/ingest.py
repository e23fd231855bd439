"""`gitops ingest`"""

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gitops_ml import console, git
from gitops_ml.commands import find
from gitops_ml.errors import ConfigError

if TYPE_CHECKING:
    from gitops_ml.config import Repository

PULLED, INGESTION = "pulled", "ingestion"
NO_SOURCE = (
    'model.toml names no source of new rows: set `source` under [ingest] to "file", "http", "sql" or "outcomes". '
    "`gitops docs monitoring` says what each needs."
)


@click.command()
@click.option(
    "--stage", type=click.Choice(["pull", "check", "offer"]), envvar="GITOPS_STAGE",
    help="Only this, as a job of the workflow does.  [default: all three]",
)  # fmt: skip
@click.option(
    "--digest",
    envvar="GITOPS_DIGEST",
    help="Of what the stage before left, as it gave it out.  [default: the folder's own]",
)
@click.option("--local", is_flag=True, help="Propose on a branch of this clone, without GitHub.")
@click.pass_obj
def command(project: Path, stage: str | None, digest: str | None, local: bool) -> None:
    """Offer new rows with their truth as a pull request.

    They are fetched, checked against schema.py and the data, and appended; merging the pull request trains on them.
    """
    repository = find(project)
    if repository.config.ingest.source == "none":
        console.say(f"Nothing to do: {NO_SOURCE}")
        console.summarise(f"➖ {NO_SOURCE}")
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
        # Without a token a person's own clone is all that there is.
        alone = local or (not os.environ.get("GITHUB_TOKEN") and not git.in_actions())
        _offer(repository, digest, local=alone)


def _pull(repository: "Repository") -> str | None:
    """Fetch; the digest of what came, None where nothing did."""
    from gitops_ml.commands.new_rows import nothing
    from gitops_ml.ingesting.pull import pull

    with console.progress("ingest") as progress:
        progress(f"pull from {repository.config.ingest.source}")
        pulled, digest = pull(repository, repository.scratch / PULLED)
    if pulled.file is None:
        nothing(pulled.missing)
        return None
    for note in pulled.notes:
        console.say(note)
    console.output("pulled", digest)
    return digest


def _check(repository: "Repository", digest: str | None) -> str | None:
    from gitops_ml.commands.new_rows import check

    folder = repository.scratch / PULLED
    # A job's checkout holds one commit, and the champion is what main and the ledger say.
    git.catch_up(repository.root)
    made = check(repository, folder, digest or _own(folder, "pull"), repository.scratch / INGESTION)
    console.output("ingestion", made or "")
    return made


def _offer(repository: "Repository", digest: str | None, *, local: bool) -> None:
    from gitops_ml.commands.data_pull_request import offer

    folder = repository.scratch / INGESTION
    offer(repository, folder, digest or _own(folder, "check"), local=local)


def _own(folder: Path, stage: str) -> str:
    """The digest that lies beside the files: enough for a person, whose machine wrote them a moment ago."""
    from gitops_ml import manifest

    if git.in_actions():
        raise ConfigError("In a workflow the digest comes from the job before.", "Set GITOPS_DIGEST.")
    if not (folder / manifest.FILE).is_file():
        raise ConfigError(f"There is nothing in {folder}.", f"Run `gitops ingest --stage {stage}` first.")
    return manifest.digest_file(folder / manifest.FILE)
