"""`gitops register`"""

from pathlib import Path

import click

from gitops_ml import console
from gitops_ml.commands import find


@click.command()
@click.option(
    "--run", "folder", type=click.Path(path_type=Path), help="The folder that `train` left.  [default: .gitops/run]"
)
@click.option(
    "--digest", envvar="GITOPS_DIGEST", help="Its digest, as `train` gave it out.  [default: the folder's own]"
)
@click.pass_obj
def command(project: Path, folder: Path | None, digest: str | None) -> None:
    """Make a run a model version in MLflow.

    Imports none of your code, and sets no alias.
    """
    import os

    from gitops_ml import manifest, run
    from gitops_ml.errors import ConfigError
    from gitops_ml.registry import store, versions

    repository = find(project)
    folder = folder or repository.scratch / "run"
    if not (folder / manifest.FILE).is_file():
        raise ConfigError(f"There is no run in {folder}.", "Run `gitops train` first, or name its folder with `--run`.")
    digest = digest or manifest.digest_file(folder / manifest.FILE)
    described = run.read(folder, digest)
    budget = None if os.environ.get(store.SERVER) else repository.config.store.budget_mib
    version, new = store.connect(repository).write(
        f"Register {described.model} {digest[7:19]}",
        lambda client: versions.register(client, folder, digest, described, budget),
    )
    verb = "Registered" if new else "Already registered:"
    console.say(f"{verb} version {version.number} of {described.model} ({version.digest[:19]}).")
    console.summarise(f"{'✅' if new else '➖'} {verb} version {version.number}.")
    console.output("version", version.number)
    console.output("digest", version.digest)
