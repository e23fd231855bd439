"""Pages of the repository; every visitor acts as the repository's owner."""

import mimetypes
from collections.abc import Callable
from typing import Any

from flask import Flask, Response, redirect, render_template, request
from werkzeug.wrappers import Response as Redirection

from .. import closing, merging, reviewing
from ..errors import ApiError, not_found
from ..hub import Hub
from ..model import Run
from ..resources import runs
from ..rest import actions, merges, pulls
from ..state import Issue, Pull
from .markdown import render
from .release_pages import ReleasePages

MARKS = {"success": "✓", "failure": "✗", "cancelled": "⊘", "skipped": "⊘", "action_required": "!", None: "●"}


class RepositoryPages:
    """Pages of one repository."""

    def __init__(self, hub: Hub) -> None:
        """Keep the hub."""
        self.hub = hub

    def render(self, template: str, **values: Any) -> str:
        """Render a template."""
        return render_template(template, hub=self.hub, page=self.hub.html_url, **values)

    def repository(self) -> str:
        """Render the overview: open pull requests, issues and latest runs."""
        hub = self.hub
        open_issues = [issue for issue in reversed(hub.state.issues.values()) if issue.state == "open"]
        latest = sorted(hub.runs.values(), key=lambda run: -run.id)[:20]
        readme = hub.git.read_text(hub.settings.default_branch, "README.md")
        return self.render("repository.html", issues=open_issues, runs=latest, readme=readme, head=runs.head)

    def pull(self, number: int) -> str:
        """Render a pull request: its text, checks, comments and buttons."""
        pull = self._pull(number)
        sha = merging.head_commit(self.hub, pull)
        start = self.hub.git.merge_base(pull.onto, sha) or pull.onto
        return self.render(
            "pull.html",
            pull=pull,
            issue=pull.issue,
            sha=sha,
            statuses=self.hub.state.latest_statuses(sha),
            checks=[(run, job) for run, _, job in runs.checks(self.hub, sha)],
            mergeable=merging.merge_commit(self.hub, pull) is not None,
            diff=self.hub.git.run("diff", "--stat", "-p", start, sha),
            waiting=[
                run for run in self.hub.runs.values() if runs.head(run)[1] == sha and actions.awaits_approval(run)
            ],
        )

    def issue(self, number: int) -> str | Redirection:
        """Render an issue, or redirect to the page of a pull request."""
        if number in self.hub.state.pulls:
            return redirect(f"{self.hub.html_url}/pull/{number}")
        return self.render("issue.html", issue=self._issue(number))

    def run(self, number: int) -> str:
        """Render a run: its jobs, their summaries, logs and step durations."""
        run = self._run(number)
        awaited = reviewing.awaited_environments(self.hub, run)
        return self.render(
            "run.html", run=run, head=runs.head(run), waits=actions.awaits_approval(run), awaited=awaited
        )

    def blob(self, rest: str) -> str:
        """Render a file at a revision."""
        revision, path, content = self._file(rest)
        text = content.decode("utf-8", "replace") if b"\0" not in content[:8000] else None
        prose = text is not None and path.lower().endswith((".md", ".markdown"))
        return self.render("file.html", revision=revision, path=path, text=text, prose=prose, size=len(content))

    def raw(self, rest: str) -> Response:
        """Return the bytes of a file at a revision."""
        _, path, content = self._file(rest)
        kind = mimetypes.guess_type(path)[0] or "text/plain"
        # Never HTML: a file of the repository must not act with the owner's rights.
        safe = kind if kind.startswith("image/") and "svg" not in kind else "text/plain; charset=utf-8"
        return Response(content, content_type=safe)

    def compare(self, rest: str) -> str:
        """Render the difference between two branches, with a form that opens a pull request."""
        base, _, head = rest.rpartition("...")
        old, new = self.hub.git.resolve(base or self.hub.settings.default_branch), self.hub.git.resolve(head)
        if old is None or new is None:
            raise not_found()
        diff = self.hub.git.run("diff", "--stat", "-p", f"{old}...{new}")
        base = base or self.hub.settings.default_branch
        return self.render("compare.html", base=base, head=head, diff=diff, form=request.args)

    def settings(self) -> str:
        """Render the settings."""
        return self.render("settings.html", settings=self.hub.settings)

    def merge(self, number: int) -> Redirection:
        """Merge a pull request as the owner."""
        merges.merge_pull(self.hub, self.hub.person, self._pull(number))
        return redirect(f"{self.hub.html_url}/pull/{number}")

    def close(self, number: int) -> Redirection:
        """Close an issue or a pull request as the owner."""
        issue = self._issue(number)
        if issue.state == "open":
            closing.close(self.hub, self.hub.person, issue)
        return redirect(f"{self.hub.html_url}/issues/{number}")

    def open_pull(self, rest: str) -> Redirection:
        """Open a pull request as the owner."""
        base, _, head = rest.rpartition("...")
        title, body = request.form.get("title") or head, request.form.get("body")
        pull = pulls.open_pull(
            self.hub, self.hub.person, title, body, head, base or self.hub.settings.default_branch
        )  # fmt: skip
        return redirect(f"{self.hub.html_url}/pull/{pull.number}")

    def save_settings(self) -> Redirection:
        """Save whether jobs may open pull requests."""
        self.hub.settings.actions_may_open_pull_requests = "allowed" in request.form
        return redirect(f"{self.hub.html_url}/settings/actions")

    def approve(self, number: int) -> Redirection:
        """Approve a run of a bot's pull request."""
        run = self._run(number)
        if actions.awaits_approval(run):
            for approver in list(self.hub.approvers):
                approver(run, self.hub.person)
        return redirect(f"{self.hub.html_url}/actions/runs/{number}")

    def _issue(self, number: int) -> Issue:
        if number not in self.hub.state.issues:
            raise not_found()
        return self.hub.state.issues[number]

    def _pull(self, number: int) -> Pull:
        if number not in self.hub.state.pulls:
            raise not_found()
        return self.hub.state.pulls[number]

    def _run(self, number: int) -> Run:
        if number not in self.hub.runs:
            raise not_found()
        return self.hub.runs[number]

    def _file(self, rest: str) -> tuple[str, str, bytes]:
        # A branch's name can contain slashes: the first split that exists counts.
        parts = rest.split("/")
        for at in range(1, len(parts)):
            revision, path = "/".join(parts[:at]), "/".join(parts[at:])
            content = self.hub.git.read_bytes(revision, path) if self.hub.git.resolve(revision) else None
            if content is not None:
                return revision, path, content
        raise not_found()


def register(app: Flask, hub: Hub) -> None:
    """Register the pages."""
    pages, release_pages, prefix = RepositoryPages(hub), ReleasePages(hub), f"/{hub.repository}"
    app.jinja_env.filters["markdown"] = render
    app.jinja_env.filters["mark"] = lambda conclusion: MARKS.get(conclusion, "●")
    app.add_url_rule("/", "root", lambda: redirect(hub.html_url))
    views: dict[str, Callable[..., Any]] = {
        "": pages.repository, "/pull/<int:number>": pages.pull, "/issues/<int:number>": pages.issue,
        "/actions/runs/<int:number>": pages.run, "/blob/<path:rest>": pages.blob, "/raw/<path:rest>": pages.raw,
        "/compare/<path:rest>": pages.compare, "/settings/actions": pages.settings, "/releases": release_pages.releases,
        "/releases/tag/<path:tag>": release_pages.release, "/deployments/activity_log": release_pages.deployments,
    }  # fmt: skip
    for rule, view in views.items():
        app.add_url_rule(prefix + rule, f"page {rule}", view)
    actions_by_rule: dict[str, Callable[..., Redirection]] = {
        "/pull/<int:number>/merge": pages.merge, "/pull/<int:number>/close": pages.close,
        "/issues/<int:number>/close": pages.close, "/compare/<path:rest>": pages.open_pull,
        "/settings/actions": pages.save_settings, "/actions/runs/<int:number>/approve": pages.approve,
        "/actions/runs/<int:number>/review/<path:environment>": release_pages.review,
    }  # fmt: skip
    for rule, action in actions_by_rule.items():
        app.add_url_rule(prefix + rule, f"action {rule}", _action_view(hub, action), methods=["POST"])


def _action_view(hub: Hub, action: Callable[..., Redirection]) -> Callable[..., Redirection]:
    def view(**values: Any) -> Redirection:
        # Pages of other origins must not send forms.
        if request.headers.get("Origin", hub.url) != hub.url:
            raise ApiError(403, "Forms are accepted only from pages of this server.")
        with hub.locked():
            return action(**values)

    return view
