"""`gitops report`"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gitops_ml import console
from gitops_ml.commands import find_champion, find_repository

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gitops_ml.config import Repository
    from gitops_ml.registry.store import Store

SITE = "site"


@click.command()
@click.option("--output", type=click.Path(path_type=Path), help="The folder to write.  [default: .gitops/site]")
@click.option(
    "--evidently", is_flag=True, envvar="GITOPS_EVIDENTLY",
    help="Also write Evidently's report on samples of the training rows and of the prediction log.",
)  # fmt: skip
@click.pass_obj
def command(project: Path, output: Path | None, evidently: bool) -> None:
    """Write the status and monitoring pages as a website.

    The website is a folder that can be published. One page shows the status of all environments; one page for each
    environment shows its monitoring. Each page is one file that loads nothing from the network.
    """
    from gitops_ml.commands.overview import collect_overview
    from gitops_ml.forge.monitoring_page import render_monitoring_page
    from gitops_ml.forge.status_page import render_status_page
    from gitops_ml.manifest import write_atomically
    from gitops_ml.registry.store import connect

    repository = find_repository(project)
    folder = (output or repository.scratch / SITE).resolve()
    store = connect(repository)
    names = repository.config.deploy.environments
    with console.progress("report") as progress:
        progress("overview")
        overview = collect_overview(repository)
        for name in names:
            progress(f"monitoring of {name}")
            write_atomically(folder / f"{name}.html", render_monitoring_page(monitoring_data(repository, store, name)))
        if evidently:
            from gitops_ml.commands.evidently_samples import write_evidently_report

            progress("samples for Evidently")
            console.echo(write_evidently_report(repository, store, names[-1], folder / evidently_file_name(names[-1])))
        write_atomically(folder / "index.html", render_status_page(overview, _existing_pages(folder, names)))
    console.echo(f"Pages: {console.relative_path(folder / 'index.html')}, and one each for {', '.join(names)}.")


def _existing_pages(folder: Path, names: "Sequence[str]") -> dict[str, dict[str, str]]:
    """Return the existing pages that the status page links to: file name by link text, by environment."""
    pages = {name: {"report": f"{name}.html", "Evidently's report": evidently_file_name(name)} for name in names}
    return {name: {text: file for text, file in files.items() if (folder / file).exists()}
            for name, files in pages.items()}  # fmt: skip


def evidently_file_name(environment: str) -> str:
    """Return the file name of Evidently's report.

    Args:
        environment: Name of the environment.
    """
    return f"{environment}-evidently.html"


def monitoring_data(repository: "Repository", store: "Store", environment: str) -> dict[str, Any]:
    """Return the data of the monitoring page: the stored windows, and the reference of the served version.

    Args:
        repository: The local clone.
        store: Model store with versions and stored windows.
        environment: Name of the environment.

    Raises:
        IntegrityError: The files of the served version do not match its digest.
    """
    import json

    from gitops_ml import run
    from gitops_ml.monitoring import monitoring_history
    from gitops_ml.registry import stored_monitoring
    from gitops_ml.registry.reconcile import open_ledger
    from gitops_ml.registry.versions import download_version, version_folder

    served = find_champion(repository, environment, store)
    stored = stored_monitoring.read_checkout(open_ledger(repository, store).root, environment)
    history = monitoring_history.parse_history(stored.windows, stored.state, environment)
    is_same_version = served is not None and history.state.digest == served.digest
    reference = None
    if served and history.windows:
        folder = version_folder(repository, served.version, served.digest)
        download_version(store, repository.config.project.name, served.version, served.digest, folder)
        reference = json.loads((folder / run.REFERENCE).read_bytes())
    return {
        "environment": environment,
        "windows": [window.model_dump(mode="json") for window in history.windows],
        "alarms": list(history.state.alarms) if is_same_version else [],
        "reference": reference,
        "version": served.version if served else "",
        "digest": served.digest if served else "",
        "release": served.release if served else "",
    }
