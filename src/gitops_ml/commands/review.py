"""`gitops review`"""

from pathlib import Path

import click

from gitops_ml import console, git
from gitops_ml.commands import find_repository


@click.command()
@click.option("--base", envvar="GITOPS_BASE", help="The revision to compare with.  [default: the merge base with main]")
@click.pass_obj
def command(project: Path, base: str | None) -> None:
    """Report gates and schema rules that a change loosens.

    It compares the gates, the metric, the slices and schema.py of this clone with main. It blocks nothing: the reviewer
    of the pull request decides.
    """
    from gitops_ml.forge.markdown import format_table
    from gitops_ml.registry.pinned import require_pinned
    from gitops_ml.registry.record import load_record
    from gitops_ml.registry.store import connect
    from gitops_ml.training.review import find_loosened

    repository = find_repository(project)
    root = repository.root
    if git.succeeds(root, "remote", "get-url", "origin"):
        git.fetch_branches(root)
    store = connect(repository)
    for environment in repository.config.deploy.environments:
        record = load_record(root, environment, "HEAD")
        if record:
            require_pinned(repository, store, record)
    start = git.resolve(root, base) if base else _merge_base(root)
    if start is None:
        console.echo("There is no commit on main yet to compare with.")
        return
    loosened = find_loosened(root, start, "HEAD", repository.config.project.package)
    console.set_output("loosened", str(len(loosened)))
    if not loosened:
        console.echo(f"Nothing is loosened since {start[:12]}.")
        return
    rows = [[rule, change] for rule, change in loosened.items()]
    console.table("This change loosens", ["rule", "change"], rows)
    console.append_summary(
        f"### ⚠️ This change loosens the rules that protect main\n\n{format_table(['rule', 'change'], rows)}"
    )
    console.warn(f"This change loosens {', '.join(loosened)}.")


def _merge_base(root: Path) -> str | None:
    """Return the merge base with main; on main itself, the previous commit."""
    main = git.main_ref(root)
    if not git.succeeds(root, "merge-base", main, "HEAD"):
        return None
    start = git.run(root, "merge-base", main, "HEAD")
    return git.resolve(root, "HEAD^") if start == git.resolve(root, "HEAD") else start
