"""`gitops store`"""

from pathlib import Path

import click

from gitops_ml import console
from gitops_ml.commands import find


@click.group()
def command() -> None:
    """Look after the MLflow store."""


@command.command()
@click.pass_obj
def status(project: Path) -> None:
    """Print versions, size and tip."""
    import os

    from gitops_ml.registry import versions
    from gitops_ml.registry.store import SERVER, BranchStore, connect

    repository = find(project)
    store = connect(repository)
    known = versions.known(store, repository.config.project.name)
    rows = [
        [v.number, ", ".join(v.aliases), f"{v.bytes / 1024:.0f} KiB", v.training[7:16], v.digest[7:16]] for v in known
    ]
    console.table("Versions", ["version", "aliases", "size", "training", "digest"], rows)
    size = sum(version.bytes for version in known) / 2**20
    if isinstance(store, BranchStore):
        where = f"branch {repository.config.store.branch} of {store.branch.url}"
        tip = (store.branch.tip or "not there yet")[:12]
        console.say(f"{where}, tip {tip}; {size:.1f} of {repository.config.store.budget_mib} MiB.")
    else:
        console.say(f"server {os.environ[SERVER].split('@')[-1]}; {size:.1f} MiB.")


@command.command()
@click.pass_obj
def upgrade(project: Path) -> None:
    """Migrate the database on the branch to the installed MLflow; older ones cannot open it afterwards."""
    from gitops_ml.registry.store import upgrade as migrate

    before, after = migrate(find(project))
    moved = f"Migrated from {before} to {after}." if before != after else "Nothing to do: the store fits this MLflow."
    console.say(moved)
