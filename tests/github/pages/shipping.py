"""What people see of releases and deployments, and the button that lets a job deploy."""

from flask import redirect, render_template, request
from werkzeug.wrappers import Response as Redirection

from .. import reviewing
from ..errors import RefusedError, not_found
from ..hub import Hub
from ..state import Release


class Shipping:
    """The pages of what was shipped."""

    def __init__(self, hub: Hub) -> None:
        """Remember whose."""
        self.hub = hub

    def releases(self) -> str:
        """Every release, the newest first."""
        return self._releases(sorted(self.hub.state.releases.values(), key=lambda it: -it.id))

    def release(self, tag: str) -> str:
        """One release."""
        found = [it for it in self.hub.state.releases.values() if it.tag == tag]
        if not found:
            raise not_found()
        return self._releases(found)

    def _releases(self, releases: list[Release]) -> str:
        return render_template("releases.html", hub=self.hub, page=self.hub.page, releases=releases)

    def deployments(self) -> str:
        """Every deployment, the newest first, to one environment if it is named."""
        wanted = request.args.get("environments_filter")
        shown = [it for it in reversed(self.hub.deployments.all.values()) if wanted in {None, it.environment}]
        return render_template("deployments.html", hub=self.hub, page=self.hub.page, deployments=shown)

    def review(self, number: int, environment: str) -> Redirection:
        """The button: let a run's jobs deploy to an environment, or forbid it."""
        run = self.hub.runs.get(number)
        known = {it.name: it for it in reviewing.awaited(self.hub, run)} if run else {}
        if run is None or environment not in known:
            raise not_found()
        if not reviewing.may(self.hub, self.hub.person, run, known[environment]):
            raise RefusedError(403, "You are no reviewer of this environment.")
        reviewing.decide(self.hub, run, known[environment], "forbid" not in request.form)
        return redirect(f"{self.hub.page}/actions/runs/{number}")
