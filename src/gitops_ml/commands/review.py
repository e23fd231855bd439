"""`gitops review`"""

from pathlib import Path

import click

from gitops_ml import console, git
from gitops_ml.commands import find


@click.command()
@click.option("--base", envvar="GITOPS_BASE", help="What to compare with.  [default: where this branch left main]")
@click.pass_obj
def command(project: Path, base: str | None) -> None:
    """Say what a change would loosen.

    Gates, metric, slices, and what schema.py accepts. It hinders nothing: whoever reviews decides.
    """
    from gitops_ml.forge.report import table
    from gitops_ml.training.review import between

    repository = find(project)
    root = repository.root
    if git.succeeds(root, "remote", "get-url", "origin"):
        git.refresh(root)
    start = git.resolve(root, base) if base else _left_main(root)
    if start is None:
        console.say("There is nothing on main yet to compare with.")
        return
    loose = between(root, start, "HEAD", repository.config.project.package)
    console.output("loosened", str(len(loose)))
    if not loose:
        console.say(f"Nothing is loosened since {start[:12]}.")
        return
    rows = [[place, said] for place, said in loose.items()]
    console.table("This change loosens", ["what", "how"], rows)
    console.summarise(f"### ⚠️ This change loosens what protects main\n\n{table(['what', 'how'], rows)}")
    console.warn(f"This change loosens {', '.join(loose)}.")


def _left_main(root: Path) -> str | None:
    """Where this branch left main; on main itself, the commit before."""
    main = git.main_ref(root)
    if not git.succeeds(root, "merge-base", main, "HEAD"):
        return None
    start = git.run(root, "merge-base", main, "HEAD")
    return git.resolve(root, "HEAD^") if start == git.resolve(root, "HEAD") else start
