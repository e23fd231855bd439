"""Pages of releases and deployments, and the button that approves a deployment."""

from flask import redirect, render_template, request
from werkzeug.wrappers import Response as Redirection

from .. import reviewing
from ..errors import ApiError, not_found
from ..hub import Hub
from ..state import Release


class ReleasePages:
    """Pages of releases and deployments."""

    def __init__(self, hub: Hub) -> None:
        """Keep the hub."""
        self.hub = hub

    def releases(self) -> str:
        """List all releases, newest first."""
        return self._releases(sorted(self.hub.state.releases.values(), key=lambda item: -item.id))

    def release(self, tag: str) -> str:
        """Render one release."""
        releases = [item for item in self.hub.state.releases.values() if item.tag == tag]
        if not releases:
            raise not_found()
        return self._releases(releases)

    def _releases(self, releases: list[Release]) -> str:
        return render_template("releases.html", hub=self.hub, page=self.hub.html_url, releases=releases)

    def deployments(self) -> str:
        """Render all deployments, newest first, optionally of one environment."""
        wanted = request.args.get("environments_filter")
        deployments = [
            item for item in reversed(self.hub.deployments.all.values()) if wanted in {None, item.environment}
        ]
        return render_template("deployments.html", hub=self.hub, page=self.hub.html_url, deployments=deployments)

    def review(self, number: int, environment: str) -> Redirection:
        """Approve or reject the deployments of a run to an environment."""
        run = self.hub.runs.get(number)
        environments = {item.name: item for item in reviewing.awaited_environments(self.hub, run)} if run else {}
        if run is None or environment not in environments:
            raise not_found()
        if not reviewing.may_review(self.hub, self.hub.person, run, environments[environment]):
            raise ApiError(403, "You are not a reviewer of this environment.")
        reviewing.decide(self.hub, run, environments[environment], "reject" not in request.form)
        return redirect(f"{self.hub.html_url}/actions/runs/{number}")
