"""`gitops start-over`"""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from gitops_ml import console, git
from gitops_ml.commands import find_repository

if TYPE_CHECKING:
    from gitops_ml.commands.deploy_context import DeployContext
    from gitops_ml.forge.start_over_text import StartOver
    from gitops_ml.registry.lines import Line
    from gitops_ml.registry.propose import Change


@click.command("start-over")
@click.option("--why", required=True, help="Reason why later versions are not compared with the current one.")
@click.pass_obj
def command(project: Path, why: str) -> None:
    """Propose to compare the next version with no champion.

    This ends the line of versions, for another table, key or target. After the merge of the pull request, the next
    version is judged by the rules of its own commit. The current version serves until that version is promoted.
    """
    from gitops_ml.commands.deploy_context import open_deploy_context
    from gitops_ml.registry.lines import load_line
    from gitops_ml.registry.propose import commit_proposal
    from gitops_ml.registry.reconcile import load_current_facts

    reason = " ".join(why.split())
    if not reason:
        raise click.UsageError("--why is empty. Give the reason in a sentence.")
    repository = find_repository(project)
    context = open_deploy_context(repository, repository.config.deploy.environments[-1])
    context.refresh()
    main = git.main_ref(repository.root)
    line = load_line(repository.root, main, load_current_facts(repository, context.store))
    if not line.has_versions:
        console.echo(_explain_nothing_to_end(line))
        return
    start_over, change = _plan(context, main, reason)
    if context.github:
        context.announce(context.retry(_open_pull_request, context, start_over, change))
        return
    status = "Proposed" if commit_proposal(repository.root, change) else "Already proposed"
    console.echo(f"{status}: branch {change.branch} ends the line. {start_over.serving}")
    console.echo(f"Look at it:  git show {change.branch}\nMerge it:    git merge --no-ff {change.branch}")


def _explain_nothing_to_end(line: "Line") -> str:
    next_step = "The next version is judged by the rules of its own commit: push your table."
    if line.ending:
        return f"Nothing to do: {line.ending.path} ended the line, and no version was promoted since. {next_step}"
    return f"Nothing to do: no version was ever promoted. {next_step}"


def _plan(context: "DeployContext", main: str, reason: str) -> "tuple[StartOver, Change]":
    """Return the texts of the proposal, and the change of main that ends the line."""
    from gitops_ml.forge.start_over_text import StartOver
    from gitops_ml.registry import lines, record
    from gitops_ml.registry.propose import Change

    root, config = context.repository.root, context.repository.config
    records = {name: record.load_record(root, name, main) for name in config.deploy.environments}
    versions = {name: each.version for name, each in records.items() if each}
    path = lines.next_ending_path(root, main)
    content = lines.EndedLine(why=reason, versions=versions).to_json()
    start_over = StartOver(config.project.name, reason, versions, path, content)
    branch = f"start-over/{Path(path).stem}"
    return start_over, Change(branch, f"{start_over.title}\n\n{reason}\n", {path: content})


def _open_pull_request(context: "DeployContext", start_over: "StartOver", change: "Change") -> str:
    """Bring branch and pull request to the proposal, and return a sentence about it."""
    from gitops_ml.forge import pull_request, workflow_dispatch
    from gitops_ml.registry.propose import push_proposal

    github, root, branch = context.github, context.repository.root, change.branch
    assert github is not None  # noqa: S101 (the caller checks)
    context.refresh()
    tip = git.resolve(root, f"refs/remotes/origin/{branch}")
    # Git's output comes without the newline at its end.
    is_pushed = tip is not None and git.read_file(root, tip, start_over.path) == start_over.content.strip()
    open_now = pull_request.find_open(github, branch)
    if open_now and is_pushed:
        return f"{open_now.page} is open already. {start_over.serving}"
    head = tip if tip and is_pushed else push_proposal(root, change, tip)
    if open_now:
        opened, verb = pull_request.update(github, open_now, start_over.title, start_over.body), "Updated"
    else:
        opened, verb = pull_request.create(github, branch, start_over.title, start_over.body), "Opened"
    workflow_dispatch.request_ci(github, branch, head)
    return f"{verb} {opened.page}: {start_over.title}. {start_over.serving}"
