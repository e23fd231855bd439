"""`gitops store`"""

from pathlib import Path

import click

from gitops_ml import console
from gitops_ml.commands import find_repository
from gitops_ml.errors import StoreError
from gitops_ml.printable import show_addresses


@click.group()
def command() -> None:
    """Show and migrate the MLflow store."""


@command.command()
@click.pass_obj
def status(project: Path) -> None:
    """Show versions, size and commit of the store."""
    import os

    from gitops_ml.registry import versions
    from gitops_ml.registry.database import DELETED
    from gitops_ml.registry.store import SERVER, BranchStore, connect
    from gitops_ml.registry.store_checks import was_deleted

    repository = find_repository(project)
    store = connect(repository)
    all_versions = versions.list_versions(store, repository.config.project.name)
    rows = [
        [v.number, ", ".join(v.aliases), f"{v.bytes / 1024:.0f} KiB", v.training[7:16], v.digest[7:16]]
        for v in all_versions
    ]
    console.table("Versions", ["version", "aliases", "size", "training", "digest"], rows)
    size = sum(version.bytes for version in all_versions) / 2**20
    if isinstance(store, BranchStore):
        location = f"branch {repository.config.store.branch} of {store.branch.url}"
        if store.branch.tip is None and was_deleted(repository):
            raise StoreError(f"The {location} does not exist, but main has the record of a version.", DELETED)
        tip = store.branch.tip[:12] if store.branch.tip else "not created yet"
        console.echo(f"{location}, tip {tip}; {size:.1f} of {repository.config.store.budget_mib} MiB.")
    else:
        console.echo(f"server {show_addresses(os.environ[SERVER])}; {size:.1f} MiB.")


@command.command()
@click.pass_obj
def upgrade(project: Path) -> None:
    """Migrate the database to the installed MLflow.

    Older releases of MLflow cannot open the database afterwards.
    """
    from gitops_ml.registry.store import upgrade_schema as migrate

    before, after = migrate(find_repository(project))
    message = (
        f"Migrated from {before} to {after}."
        if before != after
        else "Nothing to do: the database matches the installed MLflow."
    )
    console.echo(message)
