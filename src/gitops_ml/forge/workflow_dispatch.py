"""Workflow runs that the library starts, and the commit status of CI.

GitHub starts no workflow for a pull request that the token of a job has opened. Therefore CI is dispatched on its
branch, and CI itself posts its result as a commit status. https://docs.github.com/rest/commits/statuses
"""

import os

from gitops_ml.forge.github import GitHub

CONTEXT = "required"  # the job of ci.yml that branch rules require
WORKFLOW = "ci.yml"
TRAIN = "train.yml"
INGEST = "ingest.yml"
LIMIT = 140  # characters; GitHub's limit for a description


def request_ci(github: GitHub, branch: str, head: str) -> bool:
    """Start CI on a commit, unless there is a run for it.

    Args:
        github: The repository.
        branch: Branch with the commit at its tip.
        head: The commit.

    Returns:
        Whether CI was started.
    """
    runs = github.get(f"/actions/workflows/{WORKFLOW}/runs", head_sha=head)["workflow_runs"]
    # A pull request of a bot creates runs that wait for the approval of a person, which may never come.
    if any(run["conclusion"] != "action_required" for run in runs):
        return False
    statuses = github.get(f"/commits/{head}/statuses")
    if not any(status["context"] == CONTEXT for status in statuses):
        post_status(github, head, "pending", "CI was started")
    github.send("POST", f"/actions/workflows/{WORKFLOW}/dispatches", {"ref": branch})
    return True


def post_status(github: GitHub, head: str, state: str, description: str) -> None:
    """Set the status `required` of a commit.

    Args:
        github: The repository.
        head: The commit.
        state: One of error, failure, pending and success.
        description: Text of the status, which is cut to 140 characters.
    """
    status = {"state": state, "context": CONTEXT, "description": description[:LIMIT]}
    url = run_url(github)
    github.send("POST", f"/statuses/{head}", {**status, "target_url": url} if url else status)


def dispatch_comparison(github: GitHub, version: str, digest: str, environment: str) -> None:
    """Start Train on the newest main to compare a version with the champion of an environment.

    Args:
        github: The repository.
        version: Registry version number.
        digest: Digest of the version's files.
        environment: Environment of the champion.
    """
    inputs = {"version": version, "digest": digest, "environment": environment}
    github.send("POST", f"/actions/workflows/{TRAIN}/dispatches", {"ref": "main", "inputs": inputs})


def dispatch_ingest(github: GitHub) -> None:
    """Start Ingest on the newest main to fetch and check new rows.

    Args:
        github: The repository.
    """
    github.send("POST", f"/actions/workflows/{INGEST}/dispatches", {"ref": "main"})


def run_url(github: GitHub) -> str:
    """Return the URL of the current workflow run; empty outside of one.

    Args:
        github: The repository.
    """
    run = os.environ.get("GITHUB_RUN_ID")
    return f"{github.page}/actions/runs/{run}" if run else ""
