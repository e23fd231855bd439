"""`gitops review`"""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from gitops_ml import console, git
from gitops_ml.commands import find_repository
from gitops_ml.errors import IntegrityError

if TYPE_CHECKING:
    from gitops_ml.config import Repository


@click.command()
@click.option("--base", envvar="GITOPS_BASE", help="The revision to compare with.  [default: the merge base with main]")
@click.pass_obj
def command(project: Path, base: str | None) -> None:
    """Refuse unearned records, and report loosened rules.

    A record in registry/ must name a version that a comparison of this repository admitted, and must agree with the
    version's files. Gates, metric, slices and schema.py are compared with main: about these, the reviewer of the pull
    request decides.
    """
    from gitops_ml.forge.markdown import escape
    from gitops_ml.registry.earned import refuse
    from gitops_ml.registry.record_changes import review_records
    from gitops_ml.registry.store import connect

    repository = find_repository(project)
    root = repository.root
    if git.succeeds(root, "remote", "get-url", "origin"):
        git.fetch_branches(root)
    start = git.resolve(root, base) if base else _merge_base(root)
    notes, refused = review_records(repository, connect(repository), start)
    _require_same_image(repository, start)
    for note in notes:
        console.warn(note)
        console.append_summary(f"### ⚠️ {escape(note)}")
    for record, reason in refused[1:]:
        console.echo_error(f"{refuse(record, reason).problem}")
    _report_loosened(root, start, repository.config.project.package)
    if refused:
        raise refuse(*refused[0])


def _require_same_image(repository: "Repository", start: str | None) -> None:
    """Refuse a change of the file that Argo CD deploys if it is not the one of the record.

    Raises:
        IntegrityError: The file names another version or image than the record.
    """
    from gitops_ml.commands.promote import argocd_files
    from gitops_ml.registry.record import RESTORE, load_record

    root = repository.root
    for name in repository.config.deploy.environments:
        for path, expected in argocd_files(repository, name, load_record(root, name, "HEAD")).items():
            # Git's output comes without the newline at its end.
            actual = git.read_file(root, "HEAD", path)
            is_changed = actual is not None and (start is None or actual != git.read_file(root, start, path))
            if is_changed and actual != (expected or "").rstrip("\n"):
                raise IntegrityError(
                    f"{path}, which Argo CD deploys, is not the file of the record of {name}.", RESTORE
                )


def _report_loosened(root: Path, start: str | None, package: str) -> None:
    """Report the rules that HEAD loosens."""
    from gitops_ml.forge.markdown import format_table
    from gitops_ml.training.review import find_loosened

    if start is None:
        console.echo("There is no commit on main yet to compare with.")
        return
    loosened = find_loosened(root, start, "HEAD", package)
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
