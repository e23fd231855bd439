"""`gitops report`"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gitops_ml import console
from gitops_ml.commands import champion, find

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gitops_ml.config import Repository
    from gitops_ml.registry.store import Store

SITE = "site"


@click.command()
@click.option("--output", type=click.Path(path_type=Path), help="The folder to write.  [default: .gitops/site]")
@click.option(
    "--evidently", is_flag=True, envvar="GITOPS_EVIDENTLY",
    help="Evidently's report, too: on samples of the training rows and of the prediction log.",
)  # fmt: skip
@click.pass_obj
def command(project: Path, output: Path | None, evidently: bool) -> None:
    """Write pages about what serves, as a folder that can be published.

    The status of every environment, and for each what monitoring has seen; each page is one file that asks no network.
    """
    from gitops_ml.commands.overview import overview
    from gitops_ml.forge.status_page import status_page
    from gitops_ml.forge.watch_page import watch_page
    from gitops_ml.manifest import write_atomically
    from gitops_ml.registry.store import connect

    repository = find(project)
    folder = (output or repository.scratch / SITE).resolve()
    store = connect(repository)
    names = repository.config.deploy.environments
    with console.progress("report") as progress:
        progress("who serves")
        found = overview(repository)
        for name in names:
            progress(f"what was seen in {name}")
            write_atomically(folder / f"{name}.html", watch_page(watched(repository, store, name)))
        if evidently:
            from gitops_ml.commands.sampled import sampled

            progress("samples for Evidently")
            console.say(sampled(repository, store, names[-1], folder / sampled_name(names[-1])))
        write_atomically(folder / "index.html", status_page(found, _beside(folder, names)))
    console.say(f"Pages: {console.near(folder / 'index.html')}, and one for each of: {', '.join(names)}.")


def _beside(folder: Path, names: "Sequence[str]") -> dict[str, dict[str, str]]:
    """The pages that lie beside the first one, for its links."""
    known = {name: {"report": f"{name}.html", "Evidently's report": sampled_name(name)} for name in names}
    return {name: {called: file for called, file in files.items() if (folder / file).exists()}
            for name, files in known.items()}  # fmt: skip


def sampled_name(environment: str) -> str:
    """The file of Evidently's report."""
    return f"{environment}-evidently.html"


def watched(repository: "Repository", store: "Store", environment: str) -> dict[str, Any]:
    """What `watch_page` draws: the windows that the store remembers, and the reference of what serves."""
    import json

    from gitops_ml import run
    from gitops_ml.monitoring import memory
    from gitops_ml.registry import observed
    from gitops_ml.registry.reconcile import ledger_of
    from gitops_ml.registry.versions import fetch, place

    served = champion(repository, environment, store)
    there = observed.there(ledger_of(repository, store).root, environment)
    known = memory.parse(there.windows, there.state, environment)
    ours = served is not None and known.state.digest == served.digest
    reference = None
    if served and known.windows:
        folder = place(repository, served.version, served.digest)
        fetch(store, repository.config.project.name, served.version, served.digest, folder)
        reference = json.loads((folder / run.REFERENCE).read_bytes())
    return {
        "environment": environment,
        "windows": [window.model_dump(mode="json") for window in known.windows],
        "alarms": list(known.state.alarms) if ours else [],
        "reference": reference,
        "version": served.version if served else "",
        "digest": served.digest if served else "",
        "release": served.release if served else "",
    }
