"""Texts about an update: its pull request, and the issue where a workflow may not propose it."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from packaging.version import InvalidVersion, Version

from gitops_ml import library
from gitops_ml.forge.markdown import collapse, escape, format_count, format_table, shorten
from gitops_ml.update_report import ReportItem, ReportSection, UpdateReport

LIMIT = 60_000  # characters; GitHub's limit is a little higher
MAX_ITEMS = (1000, 200, 50, 10)  # lines of a section: the first number with which the text is short enough
MAX_NAME, MAX_REASON = 200, 400  # characters
WORKFLOWS = ".github/workflows/"
CONFLICTS = "Conflicts"  # first words of the titles of sections
LISTED = (CONFLICTS, "Left to you", "Changed")
ISSUE_TITLE = f"Update {library.NAME}: a person has to run one command"
_SUBJECT = re.compile(rf"Update {re.escape(library.NAME)} from .+ to (\S+)")
_MARKER = re.compile(r"<!-- gitops update: (\S+) -->")


@dataclass(frozen=True)
class Obstacle:
    """Reason why a workflow cannot propose an update.

    Attributes:
        why: Sentences about the reason, in Markdown.
        command: Command that a person runs.
        is_pushed: True if the branch is on GitHub, and only the pull request is missing.
    """

    why: str
    command: str
    is_pushed: bool = False


def parse_version(title: str) -> str | None:
    """Return the version that a pull request proposes; None if it proposes none.

    Args:
        title: Title of the pull request.
    """
    match = _SUBJECT.fullmatch(title)
    return match[1] if match else None


def parse_issue_version(body: str) -> str | None:
    """Return the version that an issue is about; None if it does not say.

    Args:
        body: Body of the issue.
    """
    match = _MARKER.search(body)
    return match[1] if match else None


def version_marker(version: str) -> str:
    """Return the invisible text by which the issue of a version is known.

    Args:
        version: The version.
    """
    return f"<!-- gitops update: {version} -->"


def includes(pinned: str | None, version: str | None) -> bool:
    """Return whether a pinned version is at least as new as another one.

    Args:
        pinned: Version that main pins; None if it pins none.
        version: The other version.
    """
    try:
        return Version(pinned or "") >= Version(version or "")
    except InvalidVersion:
        return False


def explain_workflow_files(app: str) -> str:
    """Return why a push with changed workflow files is refused, in Markdown.

    Args:
        app: Name of the GitHub App whose token is used; empty for a job's own token.
    """
    if app:
        return (
            f"It changes files under `{WORKFLOWS}`, and the GitHub App {escape(app)} may not do that. Give the App the "
            "permission *Workflows: read and write*, and accept it for this repository."
        )
    return f"It changes files under `{WORKFLOWS}`, and GitHub lets no workflow push such changes with its own token."


def explain_forbidden(message: str, compare_url: str, settings_url: str) -> str:
    """Return why a workflow may not open a pull request, and what else helps, in Markdown.

    Args:
        message: GitHub's message.
        compare_url: Page on which a person opens the pull request.
        settings_url: Page with the setting.
    """
    return (
        f"Its branch is pushed, but the workflow may not open a pull request: *{escape(message)}*\n\n"
        f"**Either** go to [Settings > Actions > General]({settings_url}), tick **Allow GitHub Actions to create and "
        "approve pull requests**, and run the workflow **Upkeep** again. **Or** "
        f"[open the pull request yourself]({compare_url}), or run the command below."
    )


def render_pull_request(report: UpdateReport, branch: str, issue: int | None) -> str:
    """Return the body of the pull request in Markdown, within GitHub's limit.

    Args:
        report: Changes of the update, with reasons.
        branch: Name of its branch.
        issue: Number of the open issue about the update; None if there is none.
    """
    head = [_first_line(report)]
    if report.conflicts:
        files = format_count(len(report.conflicts), "file")
        head.append(
            f"> [!WARNING]\n> You and the template changed the same lines of **{files}**. Git's markers are in the "
            f"files listed under Conflicts: check out `{branch}`, edit them until no marker is left, commit and push. "
            "CI fails until then."
        )
    foot = [
        f"**Merge** it, and {library.NAME} {escape(report.version)} runs from then on; until then, everything runs as "
        f"before. **Close** it, and {escape(report.version)} is not proposed again; a later version is. You may push "
        f"commits to `{branch}`: they are not overwritten. `gitops docs update` explains how the files were merged.",
        *([f"Closes #{issue}."] if issue else []),
    ]
    sections = [section for section in report.sections if report.conflicts or not section.title.startswith(CONFLICTS)]
    return _fit(lambda limit: [*head, *(_render_section(section, limit) for section in sections), "---", *foot])


def render_issue(report: UpdateReport, obstacle: Obstacle) -> str:
    """Return the body of the issue in Markdown, within GitHub's limit.

    Args:
        report: Changes of the update, with reasons.
        obstacle: Reason why a workflow cannot propose it.
    """
    items = [item for section in report.sections if section.title.startswith(LISTED)
             for item in section.items]  # fmt: skip
    workflow_files = [item for item in items if item.name.startswith(WORKFLOWS)]
    others = [item for item in items if item not in workflow_files]
    version = escape(report.version)
    head = [
        _first_line(report),
        f"This repository uses {library.NAME} {escape(report.earlier)}; the new version is {version}. The workflow "
        f"Upkeep cannot propose the update. {obstacle.why}",
        f"**In a clone of this repository, run:**\n\n```\n{obstacle.command}\n```",
        "It pushes a branch with your rights, and opens a pull request that lists each change with its reason. It "
        "merges nothing, and changes no file of yours. It uses your login of [`gh`](https://cli.github.com), or the "
        "token in `GITHUB_TOKEN`.",
    ]
    foot = (
        f"This issue is refreshed while the update waits, and closed when `main` has {version}. Close it to skip "
        f"{version}: it is not opened again for this version."
    )

    def render(limit: int) -> list[str]:
        return [
            *head,
            *([f"### Workflow files\n\n{_format_items(workflow_files, limit)}"] if workflow_files else []),
            *([collapse(format_count(len(others), "other change"), _format_items(others, limit))] if others else []),
            *([_APP] if workflow_files else []),
            "---", foot, version_marker(report.version),
        ]  # fmt: skip

    return _fit(render)


_APP = (
    "### Without a command\n\nWith a GitHub App, the workflow opens the pull request itself, also where workflow "
    "files change, and CI starts on it by itself. Create an App with *Contents*, *Issues*, *Pull requests* and "
    "*Workflows*: read and write, install it on this repository, and set the variable `GITOPS_APP_ID` (its client ID) "
    "and the secret `GITOPS_APP_PRIVATE_KEY`. `gitops docs update` has the steps."
)


def _first_line(report: UpdateReport) -> str:
    """Return whether the update retrains, with the verdict in bold."""
    return re.sub(r"^[^,:.]+", lambda verdict: f"**{verdict[0]}**", escape(report.training))


def _render_section(section: ReportSection, limit: int) -> str:
    """Return a section with its heading; what comes after a colon in its title is a sentence."""
    heading, _, sentence = section.title.partition(": ")
    lead = f"\n\n{sentence[:1].upper()}{sentence[1:]}." if sentence else ""
    return f"### {heading}{lead}\n\n{_format_items(section.items, limit)}"


def _format_items(items: Sequence[ReportItem], limit: int) -> str:
    """Return items as a table, or as a list if they have names only."""
    shown = items[:limit]
    more = f"\n\n… and {len(items) - limit} more; the message of the commit lists all." if len(items) > limit else ""
    if not any(item.reason for item in shown):
        return "\n".join(f"- {escape(shorten(item.name, MAX_NAME))}" for item in shown) + more
    has_lines = any(item.lines for item in shown)
    rows = [(shorten(item.name, MAX_NAME), *([item.lines] if has_lines else []), shorten(item.reason, MAX_REASON))
            for item in shown]  # fmt: skip
    return format_table(["what", *(["lines"] if has_lines else []), "why"], rows) + more


def _fit(render: Callable[[int], list[str]]) -> str:
    """Return the parts of a text, with as many lines of each section as fit."""
    texts = ("\n\n".join(render(limit)) + "\n" for limit in MAX_ITEMS)
    return next((text for text in texts if len(text) < LIMIT), "\n\n".join(render(0))[: LIMIT - 1])
