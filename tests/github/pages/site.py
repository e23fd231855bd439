"""What people see of the repository; whoever opens a page is the person who owns it."""

import mimetypes
from collections.abc import Callable
from typing import Any

from flask import Flask, Response, redirect, render_template, request
from werkzeug.wrappers import Response as Redirection

from .. import closing, merging, reviewing
from ..errors import RefusedError, not_found
from ..hub import Hub
from ..model import Run
from ..resources import runs
from ..rest import actions, merges, pulls
from ..state import Issue, Pull
from .markdown import render
from .shipping import Shipping

MARKS = {"success": "✓", "failure": "✗", "cancelled": "⊘", "skipped": "⊘", "action_required": "!", None: "●"}


class Site:
    """The pages of one repository."""

    def __init__(self, hub: Hub) -> None:
        """Remember whose."""
        self.hub = hub

    def shown(self, template: str, **values: Any) -> str:
        """A page."""
        return render_template(template, hub=self.hub, page=self.hub.page, **values)

    def repository(self) -> str:
        """What is going on."""
        hub = self.hub
        waiting = [issue for issue in reversed(hub.state.issues.values()) if issue.state == "open"]
        latest = sorted(hub.runs.values(), key=lambda run: -run.id)[:20]
        readme = hub.git.text(hub.settings.default_branch, "README.md")
        return self.shown("repository.html", issues=waiting, runs=latest, readme=readme, head=runs.head)

    def pull(self, number: int) -> str:
        """A pull request: its text, its checks, what was said, and what can be done."""
        found = self._pull(number)
        sha = merging.head(self.hub, found)
        start = self.hub.git.base(found.onto, sha) or found.onto
        return self.shown(
            "pull.html", pull=found, issue=found.issue, sha=sha, statuses=self.hub.state.latest(sha),
            checks=[(run, job) for run, _, job in runs.checks(self.hub, sha)],
            mergeable=merging.merge(self.hub, found) is not None,
            diff=self.hub.git.run("diff", "--stat", "-p", start, sha),
            waiting=[run for run in self.hub.runs.values() if runs.head(run)[1] == sha and actions.waits(run)],
        )  # fmt: skip

    def issue(self, number: int) -> str | Redirection:
        """An issue; a pull request has its own page."""
        if number in self.hub.state.pulls:
            return redirect(f"{self.hub.page}/pull/{number}")
        return self.shown("issue.html", issue=self._issue(number))

    def run(self, number: int) -> str:
        """A run: its jobs, what they wrote, how long their steps took."""
        run = self._run(number)
        awaited = reviewing.awaited(self.hub, run)
        return self.shown("run.html", run=run, head=runs.head(run), waits=actions.waits(run), awaited=awaited)

    def blob(self, rest: str) -> str:
        """A file at a revision."""
        revision, path, content = self._file(rest)
        text = content.decode("utf-8", "replace") if b"\0" not in content[:8000] else None
        prose = text is not None and path.lower().endswith((".md", ".markdown"))
        return self.shown("file.html", revision=revision, path=path, text=text, prose=prose, size=len(content))

    def raw(self, rest: str) -> Response:
        """A file at a revision, as it is."""
        _, path, content = self._file(rest)
        kind = mimetypes.guess_type(path)[0] or "text/plain"
        # Never HTML: what is in the repository must not act in the person's name.
        safe = kind if kind.startswith("image/") and "svg" not in kind else "text/plain; charset=utf-8"
        return Response(content, content_type=safe)

    def compare(self, rest: str) -> str:
        """What a branch has that another has not, and a form to ask for it."""
        base, _, head = rest.rpartition("...")
        old, new = self.hub.git.resolve(base or self.hub.settings.default_branch), self.hub.git.resolve(head)
        if old is None or new is None:
            raise not_found()
        diff = self.hub.git.run("diff", "--stat", "-p", f"{old}...{new}")
        base = base or self.hub.settings.default_branch
        return self.shown("compare.html", base=base, head=head, diff=diff, given=request.args)

    def settings(self) -> str:
        """What may be switched."""
        return self.shown("settings.html", settings=self.hub.settings)

    def merge(self, number: int) -> Redirection:
        """The button: merge as the person."""
        merges.land(self.hub, self.hub.person, self._pull(number))
        return redirect(f"{self.hub.page}/pull/{number}")

    def close(self, number: int) -> Redirection:
        """The button: close an issue or a pull request as the person."""
        issue = self._issue(number)
        if issue.state == "open":
            closing.close(self.hub, self.hub.person, issue)
        return redirect(f"{self.hub.page}/issues/{number}")

    def propose(self, rest: str) -> Redirection:
        """The button: open a pull request as the person."""
        base, _, head = rest.rpartition("...")
        title, body = request.form.get("title") or head, request.form.get("body")
        pull = pulls.propose(
            self.hub, self.hub.person, title, body, head, base or self.hub.settings.default_branch
        )  # fmt: skip
        return redirect(f"{self.hub.page}/pull/{pull.number}")

    def switch(self) -> Redirection:
        """The button: let jobs open pull requests, or not."""
        self.hub.settings.actions_may_open_pull_requests = "allowed" in request.form
        return redirect(f"{self.hub.page}/settings/actions")

    def approve(self, number: int) -> Redirection:
        """The button: let a bot's run start."""
        run = self._run(number)
        if actions.waits(run):
            for approver in list(self.hub.approvers):
                approver(run, self.hub.person)
        return redirect(f"{self.hub.page}/actions/runs/{number}")

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
        # A branch's name may hold slashes: the first split that exists is meant.
        parts = rest.split("/")
        for at in range(1, len(parts)):
            revision, path = "/".join(parts[:at]), "/".join(parts[at:])
            content = self.hub.git.file(revision, path) if self.hub.git.resolve(revision) else None
            if content is not None:
                return revision, path, content
        raise not_found()


def register(app: Flask, hub: Hub) -> None:
    """Add the pages."""
    site, shipping, home = Site(hub), Shipping(hub), f"/{hub.repository}"
    app.jinja_env.filters["markdown"] = render
    app.jinja_env.filters["mark"] = lambda conclusion: MARKS.get(conclusion, "●")
    app.add_url_rule("/", "root", lambda: redirect(hub.page))
    shown: dict[str, Callable[..., Any]] = {
        "": site.repository, "/pull/<int:number>": site.pull, "/issues/<int:number>": site.issue,
        "/actions/runs/<int:number>": site.run, "/blob/<path:rest>": site.blob, "/raw/<path:rest>": site.raw,
        "/compare/<path:rest>": site.compare, "/settings/actions": site.settings, "/releases": shipping.releases,
        "/releases/tag/<path:tag>": shipping.release, "/deployments/activity_log": shipping.deployments,
    }  # fmt: skip
    for rule, view in shown.items():
        app.add_url_rule(home + rule, f"page {rule}", view)
    done: dict[str, Callable[..., Redirection]] = {
        "/pull/<int:number>/merge": site.merge, "/pull/<int:number>/close": site.close,
        "/issues/<int:number>/close": site.close, "/compare/<path:rest>": site.propose,
        "/settings/actions": site.switch, "/actions/runs/<int:number>/approve": site.approve,
        "/actions/runs/<int:number>/review/<path:environment>": shipping.review,
    }  # fmt: skip
    for rule, deed in done.items():
        app.add_url_rule(home + rule, f"deed {rule}", _doing(hub, deed), methods=["POST"])


def _doing(hub: Hub, deed: Callable[..., Redirection]) -> Callable[..., Redirection]:
    def view(**values: Any) -> Redirection:
        # A page from elsewhere must not press our buttons.
        if request.headers.get("Origin", hub.url) != hub.url:
            raise RefusedError(403, "Not from here.")
        with hub.changing():
            return deed(**values)

    return view
