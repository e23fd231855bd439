"""Workflow runs and their check runs."""

import zlib
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from ..hub import Hub
from ..model import Job, Run
from . import commits
from .repositories import minimal
from .users import app, node_id, user


def head(run: Run) -> tuple[str, str]:
    """Return the branch and the commit under which a run is listed."""
    branch, sha = run.event.head
    return branch or run.event.ref.removeprefix("refs/heads/"), sha or run.event.sha


def workflow_id(file: str) -> int:
    """Return the id of a workflow, which depends only on its file name."""
    return zlib.crc32(file.encode()) % 10**8


def _title(hub: Hub, run: Run, sha: str) -> str:
    title = run.event.payload.get("pull_request", {}).get("title")
    if title or run.event.name in {"workflow_dispatch", "repository_dispatch", "schedule"}:
        return str(title or run.name)
    return hub.git.commit(sha).message.partition("\n")[0]


def workflow_run(hub: Hub, run: Run) -> dict[str, Any]:
    """Return one run."""
    branch, sha = head(run)
    url, page = f"{hub.repository_url}/actions/runs/{run.id}", f"{hub.html_url}/actions/runs/{run.id}"
    earlier = [other for other in hub.runs.values() if other.workflow == run.workflow and other.id <= run.id]
    rest = ("jobs", "logs", "cancel", "rerun", "artifacts")
    return {
        "id": run.id,
        "name": run.name,
        "node_id": node_id("WFR", run.id),
        "head_branch": branch,
        "head_sha": sha,
        "path": f".github/workflows/{run.workflow}",
        "display_title": _title(hub, run, sha),
        "run_number": len(earlier),
        "run_attempt": 1,
        "event": run.event.name,
        "status": run.status,
        "conclusion": run.conclusion,
        "workflow_id": workflow_id(run.workflow),
        "check_suite_id": run.id,
        "check_suite_node_id": node_id("CS", run.id),
        "url": url,
        "html_url": page,
        "pull_requests": [],
        "created_at": run.created,
        "updated_at": _ended(run),
        "run_started_at": run.created,
        "actor": user(hub, run.event.actor),
        "triggering_actor": user(hub, run.event.actor),
        **{f"{name}_url": f"{url}/{name}" for name in rest},
        "check_suite_url": f"{hub.repository_url}/check-suites/{run.id}",
        "workflow_url": f"{hub.repository_url}/actions/workflows/{workflow_id(run.workflow)}",
        "previous_attempt_url": None,
        "referenced_workflows": [],
        "head_commit": commits.simple(hub, sha),
        "repository": minimal(hub),
        "head_repository": minimal(hub),
    }


def _ended(run: Run) -> str:
    """Return the end of a run, as if its jobs had run one after the other."""
    seconds = sum(job.seconds for job in run.jobs.values())
    return f"{datetime.fromisoformat(run.created) + timedelta(seconds=seconds):%Y-%m-%dT%H:%M:%SZ}"


def checks(hub: Hub, sha: str) -> Iterator[tuple[Run, int, Job]]:
    """Yield the jobs of each run of a commit, with their ids; the newest run first."""
    for run in sorted(hub.runs.values(), key=lambda run: -run.id):
        if head(run)[1] == sha:
            for index, job in enumerate(run.jobs.values()):
                yield run, run.id * 1000 + index, job


def check_run(hub: Hub, run: Run, number: int, job: Job) -> dict[str, Any]:
    """Return a job as a check run of its commit."""
    done = job.conclusion is not None
    url = f"{hub.repository_url}/check-runs/{number}"
    page = f"{hub.html_url}/actions/runs/{run.id}"
    return {
        "id": number,
        "name": job.id,
        "node_id": node_id("CR", number),
        "head_sha": head(run)[1],
        "external_id": job.id,
        "url": url,
        "html_url": page,
        "details_url": page,
        "status": "completed" if done else "queued" if run.status in {"queued", "waiting"} else "in_progress",
        "conclusion": job.conclusion,
        "started_at": run.created,
        "completed_at": run.created if done else None,
        "output": {
            "title": None,
            "summary": job.summary or None,
            "text": None,
            "annotations_count": 0,
            "annotations_url": f"{url}/annotations",
        },
        "check_suite": {"id": run.id},
        "app": app(hub),
        "pull_requests": [],
    }
