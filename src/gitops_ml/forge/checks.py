"""Runs on a promotion pull request, although GitHub starts nothing by itself for what a job's token has opened.

CI is dispatched on the branch; only CI says how it ended. https://docs.github.com/rest/commits/statuses
"""

import os

from gitops_ml.forge.github import GitHub

CONTEXT = "required"  # the job of ci.yml that branch rules ask for
WORKFLOW = "ci.yml"
TRAIN = "train.yml"
INGEST = "ingest.yml"
LIMIT = 140  # characters that GitHub keeps of a description


def request(github: GitHub, branch: str, head: str) -> bool:
    """Have CI look at this commit, unless a run of it did, or is about to; whether it was asked.

    Args:
        branch: Where the commit is the tip.
        head: The commit.
    """
    runs = github.get(f"/actions/workflows/{WORKFLOW}/runs", head_sha=head)["workflow_runs"]
    # A bot's pull request makes runs that wait for a person's approval, which may never come.
    if any(run["conclusion"] != "action_required" for run in runs):
        return False
    said = github.get(f"/commits/{head}/statuses")
    if not any(status["context"] == CONTEXT for status in said):
        post(github, head, "pending", "CI is on its way")
    github.send("POST", f"/actions/workflows/{WORKFLOW}/dispatches", {"ref": branch})
    return True


def post(github: GitHub, head: str, state: str, description: str) -> None:
    """Put a commit status on a commit: error, failure, pending or success."""
    status = {"state": state, "context": CONTEXT, "description": description[:LIMIT]}
    page = run_page(github)
    github.send("POST", f"/statuses/{head}", {**status, "target_url": page} if page else status)


def compare(github: GitHub, version: str, digest: str, environment: str) -> None:
    """Have Train compare a version with the champion of an environment, in a run of its own, on the newest main."""
    inputs = {"version": version, "digest": digest, "environment": environment}
    github.send("POST", f"/actions/workflows/{TRAIN}/dispatches", {"ref": "main", "inputs": inputs})


def ingest(github: GitHub) -> None:
    """Have Ingest fetch and check new rows, in a run of its own, on the newest main."""
    github.send("POST", f"/actions/workflows/{INGEST}/dispatches", {"ref": "main"})


def run_page(github: GitHub) -> str:
    """The address of the workflow run that we are in; empty outside of one."""
    run = os.environ.get("GITHUB_RUN_ID")
    return f"{github.page}/actions/runs/{run}" if run else ""
