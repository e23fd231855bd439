"""What GitHub knows that Git does not: the last runs, and what is open. https://docs.github.com/rest/actions"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from gitops_ml import git
from gitops_ml.forge.github import GitHub

DAYS = 30
PAGE, PAGES = 100, 10  # GitHub lists no more than 1,000 runs at once
# Branches whose pull requests are ours: those that propose a change to main, and those that bring new rows.
OURS = (*git.PROPOSALS, "data")


def activity(github: GitHub, now: datetime) -> dict[str, Any]:
    """The last run of each workflow, the minutes that runs took in 30 days, our open pull requests and issues.

    Args:
        github: Where.
        now: The end of those days.

    Raises:
        ForgeError: It cannot be asked.
    """
    runs = list(_runs(github, now - timedelta(days=DAYS)))
    last: dict[str, dict[str, Any]] = {}
    for run in runs:
        last.setdefault(run["name"], run)
    return {
        "page": github.page,
        "runs": [_run(each) for each in last.values()],
        "minutes": sum(_minutes(each) for each in runs),
        "pulls": [_open(each) for each in github.each("/pulls", state="open") if _ours(github, each)],
        # Ours are a bot's: what failed, what is in the way, what is an alarm.
        "issues": [_open(each) for each in github.each("/issues", state="open")
                   if "pull_request" not in each and (each["user"] or {}).get("type") == "Bot"],
    }  # fmt: skip


def _runs(github: GitHub, since: datetime) -> Iterator[dict[str, Any]]:
    """Newest first."""
    created = f">={since.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
    for page in range(1, PAGES + 1):
        some = github.get("/actions/runs", per_page=PAGE, page=page, created=created)["workflow_runs"]
        yield from (run for run in some if datetime.fromisoformat(run["created_at"]) >= since)
        if len(some) < PAGE:
            return


def _run(run: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": run["name"], "verdict": run["conclusion"] or run["status"], "when": run["created_at"],
        "page": run["html_url"], "event": run["event"],
    }  # fmt: skip


def _minutes(run: dict[str, Any]) -> float:
    """How long a run took that has ended; what waited for people is not told apart from what worked."""
    if run["status"] != "completed":
        return 0.0
    began = datetime.fromisoformat(run["run_started_at"] or run["created_at"])
    return (datetime.fromisoformat(run["updated_at"]) - began).total_seconds() / 60


def _ours(github: GitHub, pull: dict[str, Any]) -> bool:
    """Whether it proposes what commands propose, from a branch of this repository."""
    home = pull["head"]["repo"]
    return bool(home) and home["full_name"] == github.repository and pull["head"]["ref"].split("/")[0] in OURS


def _open(found: dict[str, Any]) -> dict[str, Any]:
    return {"number": found["number"], "title": found["title"], "page": found["html_url"], "when": found["created_at"]}
