"""Workflow runs, open pull requests and open issues on GitHub. https://docs.github.com/rest/actions"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from gitops_ml import git
from gitops_ml.forge.github import GitHub

DAYS = 30
PER_PAGE, MAX_PAGES = 100, 10  # GitHub lists at most 1,000 runs


def fetch_activity(github: GitHub, now: datetime) -> dict[str, Any]:
    """Return the last run of each workflow, the minutes of all runs, and the open pull requests and issues.

    Only pull requests and issues that gitops opened are listed.

    Args:
        github: The repository.
        now: End of the 30 days whose runs are counted.

    Raises:
        ForgeError: GitHub cannot be reached, or refuses.
    """
    runs = list(_fetch_runs(github, now - timedelta(days=DAYS)))
    last_runs: dict[str, dict[str, Any]] = {}
    for run in runs:
        last_runs.setdefault(run["name"], run)
    return {
        "page": github.page,
        "runs": [_summarize_run(run) for run in last_runs.values()],
        "minutes": sum(_duration_minutes(run) for run in runs),
        "pulls": [
            _summarize_item(pull) for pull in github.paginate("/pulls", state="open") if _is_proposal(github, pull)
        ],
        # Workflows open issues as a bot: failed versions, missing permissions, alarms.
        "issues": [_summarize_item(issue) for issue in github.paginate("/issues", state="open")
                   if "pull_request" not in issue and (issue["user"] or {}).get("type") == "Bot"],
    }  # fmt: skip


def _fetch_runs(github: GitHub, since: datetime) -> Iterator[dict[str, Any]]:
    """Yield the runs since a moment, newest first."""
    created = f">={since.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
    for page in range(1, MAX_PAGES + 1):
        runs = github.get("/actions/runs", per_page=PER_PAGE, page=page, created=created)["workflow_runs"]
        yield from (run for run in runs if datetime.fromisoformat(run["created_at"]) >= since)
        if len(runs) < PER_PAGE:
            return


def _summarize_run(run: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": run["name"], "verdict": run["conclusion"] or run["status"], "when": run["created_at"],
        "page": run["html_url"], "event": run["event"],
    }  # fmt: skip


def _duration_minutes(run: dict[str, Any]) -> float:
    """Return the minutes of a completed run, including the time in which it waited for an approval."""
    if run["status"] != "completed":
        return 0.0
    start = datetime.fromisoformat(run["run_started_at"] or run["created_at"])
    return (datetime.fromisoformat(run["updated_at"]) - start).total_seconds() / 60


def _is_proposal(github: GitHub, pull: dict[str, Any]) -> bool:
    """Return whether a pull request comes from a branch of this repository that the commands create."""
    repository = pull["head"]["repo"]
    is_own = bool(repository) and repository["full_name"] == github.repository
    return is_own and pull["head"]["ref"].split("/")[0] in git.PROPOSAL_PREFIXES


def _summarize_item(item: dict[str, Any]) -> dict[str, Any]:
    return {"number": item["number"], "title": item["title"], "page": item["html_url"], "when": item["created_at"]}
