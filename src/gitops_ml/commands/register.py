"""`gitops register`"""

from pathlib import Path

import click

from gitops_ml import console
from gitops_ml.commands import find_repository


@click.command()
@click.option(
    "--run", "folder", type=click.Path(path_type=Path), help="The folder that `train` wrote.  [default: .gitops/run]"
)
@click.option(
    "--digest", envvar="GITOPS_DIGEST",
    help="The digest of the folder, printed by `train`.  [default: computed from the folder]",
)  # fmt: skip
@click.pass_obj
def command(project: Path, folder: Path | None, digest: str | None) -> None:
    """Register a run as a model version in MLflow.

    It imports none of your code and sets no alias.
    """
    import os

    from gitops_ml import manifest, run
    from gitops_ml.errors import ConfigError
    from gitops_ml.registry import store, versions

    repository = find_repository(project)
    folder = folder or repository.scratch / "run"
    if not (folder / manifest.FILE).is_file():
        raise ConfigError(
            f"There is no run in {folder}.", "Run `gitops train` first, or name the folder of a run with `--run`."
        )
    digest = digest or manifest.digest_file(folder / manifest.FILE)
    described = run.read_run(folder, digest)
    budget = None if os.environ.get(store.SERVER) else repository.config.store.budget_mib
    version, is_new = store.connect(repository).write(
        f"Register {described.model} {digest[7:19]}",
        lambda client: versions.register(client, folder, digest, described, budget),
    )
    verb = "Registered" if is_new else "Already registered:"
    console.echo(f"{verb} version {version.number} of {described.model} ({version.digest[:19]}).")
    console.append_summary(f"{'✅' if is_new else '➖'} {verb} version {version.number}.")
    console.set_output("version", version.number)
    console.set_output("digest", version.digest)
