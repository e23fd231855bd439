"""The local GitHub's deployments and environments are GitHub's."""

from typing import Any

import pytest

from github.model import Run, Token
from github.resources.users import number
from local_world import World, enter, errors, plant

seed = pytest.fixture(scope="module")(plant)
world = pytest.fixture(enter)


def deploy(world: World, token: Token | None = None, **body: Any) -> dict[str, Any]:
    """Begin a deployment of main."""
    answer = world.ask("POST", "/deployments", token or world.hub.person, **{"ref": "main", **body})
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


def say(world: World, deployment: dict[str, Any], state: str, **body: Any) -> dict[str, Any]:
    """Say how one goes."""
    answer = world.ask("POST", f"/deployments/{deployment['id']}/statuses", state=state, **body)
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


def states(world: World, deployment: dict[str, Any]) -> list[str]:
    """All that was said of one, the newest first."""
    return [said["state"] for said in world.ask("GET", f"/deployments/{deployment['id']}/statuses").json()]


def test_a_deployment_is_begun_and_told_of(world: World) -> None:
    """By a job with `deployments: write`; its environment is there from then on."""
    job = world.hub.issue_token({"deployments": "write"})
    made = deploy(world, job, payload={"image": "sha256:1"}, description="d")
    assert (made["sha"], made["environment"], made["task"]) == (world.hub.git.branch("main"), "production", "deploy")
    assert (made["payload"], made["production_environment"]) == ({"image": "sha256:1"}, True)
    assert world.ask("GET", "/environments/production").json()["protection_rules"] == []
    say(world, made, "in_progress")
    said = say(world, made, "success", environment_url="http://127.0.0.1:1/", log_url="http://127.0.0.1:2/")
    assert (said["environment_url"], said["target_url"]) == ("http://127.0.0.1:1/", "http://127.0.0.1:2/")
    assert states(world, made) == ["success", "in_progress"]
    assert world.ask("GET", f"/deployments/{made['id']}").json()["creator"]["login"] == "github-actions[bot]"
    assert world.ask("GET", "/deployments/1/statuses").status_code == 404


def test_deployments_are_listed_by_what_they_are_of(world: World) -> None:
    """The newest first."""
    first, second = deploy(world, environment="staging"), deploy(world, task="migrate")

    def listed(query: str) -> list[int]:
        return [it["id"] for it in world.ask("GET", f"/deployments?{query}").json()]

    assert listed("") == [second["id"], first["id"]]
    assert listed("environment=staging") == [first["id"]]
    assert listed("task=migrate") == [second["id"]]
    assert listed(f"sha={world.hub.git.branch('main')}&ref=main") == [second["id"], first["id"]]
    assert listed("ref=topic") == []


def test_a_success_makes_earlier_ones_inactive(world: World) -> None:
    """Of the same environment, unless that is of production or passing, or the caller says no."""
    bodies: dict[str, dict[str, Any]] = {"staging": {}, "production": {}, "trial": {"transient_environment": True}}
    for environment, about in bodies.items():
        old, other = deploy(world, environment=environment, **about), deploy(world, environment="elsewhere")
        for each in (old, other):
            say(world, each, "success", auto_inactive=False)
        say(world, deploy(world, environment=environment, **about), "success")
        assert states(world, old)[0] == ("inactive" if environment == "staging" else "success")
        assert states(world, other) == ["success"]


@pytest.mark.parametrize("how", ["status", "check"])
def test_a_commit_that_has_not_passed_is_not_deployed(world: World, how: str) -> None:
    """Unless the caller names the checks that matter: a job whose own run still works needs that."""
    sha = world.hub.git.branch("main") or ""
    if how == "status":
        world.ask("POST", f"/statuses/{sha}", state="pending", context="required")
    else:
        world.ran(1, sha, None)
    answer = world.ask("POST", "/deployments", ref="main")
    assert (answer.status_code, answer.json()["message"]) == (409, "Conflict: Commit status checks failed for main.")
    assert answer.json()["errors"][0]["contexts"] == ["required"]
    assert world.ask("POST", "/deployments", ref="main", required_contexts=["other"]).status_code == 409
    deploy(world, required_contexts=[])


def test_a_branch_that_is_behind_is_merged_first(world: World) -> None:
    """And not deployed yet, unless the caller forbids that; what is nowhere is refused."""
    world.branch("topic")
    world.branch("main", "other.txt")
    answer = world.ask("POST", "/deployments", ref="topic")
    assert (answer.status_code, answer.json()) == (202, {"message": "Auto-merged main into topic on deployment."})
    assert world.hub.git.contains("topic", "main")
    assert world.hub.deployments.all == {}
    world.branch("late", text="older\n")
    world.branch("main", "third.txt")
    assert deploy(world, ref="late", auto_merge=False)["ref"] == "late"
    answer = world.ask("POST", "/deployments", ref="nowhere")
    assert (answer.status_code, answer.json()["message"]) == (422, "No ref found for: nowhere")
    assert errors(world.ask("POST", "/deployments", ref="main", description="x" * 141)) == [
        "description is too long (maximum is 140 characters)"
    ]


def guarded(world: World, *people: str, **more: Any) -> int:
    """Let an environment be guarded by these people; its number."""
    reviewers = [{"type": "User", "id": number(login)} for login in people]
    answer = world.ask("PUT", "/environments/production", reviewers=reviewers, **more)
    assert answer.status_code == 200, answer.text
    id: int = answer.json()["id"]
    return id


def waiting(world: World) -> Run:
    """A run of Ada's with a job that is about to deploy to production."""
    run = world.ran(1, world.hub.git.branch("main") or "", None)
    assert world.hub.deployments.waits(world.hub.deployments.start(run, "Production"))
    return run


def review(world: World, id: int, token: Token, state: str = "approved") -> int:
    """Review what a run waits for; the answer's status."""
    body = {"environment_ids": [id], "state": state, "comment": ""}
    return world.ask("POST", "/actions/runs/1/pending_deployments", token, **body).status_code


def test_a_reviewer_lets_a_job_deploy(world: World) -> None:
    """Once; whoever runs the job hears of it, and the environment is known whatever the case of its name."""
    id, run = guarded(world, "ada"), waiting(world)
    heard: list[tuple[Run, bool]] = []
    world.hub.reviewers.append(lambda run, approved: heard.append((run, approved)))
    (asked,) = world.ask("GET", "/actions/runs/1/pending_deployments").json()
    assert (asked["environment"]["id"], asked["environment"]["name"]) == (id, "production")
    assert (asked["current_user_can_approve"], asked["reviewers"][0]["reviewer"]["login"]) == (True, "ada")
    assert review(world, id + 1, world.hub.person) == 422
    assert review(world, id, world.hub.person) == 200
    assert heard == [(run, True)]
    assert world.ask("GET", "/actions/runs/1/pending_deployments").json() == []
    assert review(world, id, world.hub.person) == 422
    assert world.ask("GET", "/actions/runs/2/pending_deployments").status_code == 404


def test_only_a_reviewer_lets_a_job_deploy(world: World) -> None:
    """Neither another person nor a job; nor who started the run, where that is forbidden."""
    grace = world.hub.issue_token({"deployments": "write"}, "person", "grace")
    id = guarded(world, "grace", "ada", prevent_self_review=True)
    waiting(world)
    other = world.hub.issue_token({"deployments": "write"}, "person", "eve")
    for token in (world.hub.person, other, world.hub.issue_token({"deployments": "write"})):
        assert review(world, id, token) == 422
    assert review(world, id, grace, "rejected") == 200


def test_a_reviewer_must_be_somebody(world: World) -> None:
    """An environment cannot be guarded by nobody."""
    answer = world.ask("PUT", "/environments/production", reviewers=[{"type": "User", "id": 1}])
    assert answer.status_code == 422
    assert world.ask("GET", "/environments/production").status_code == 404
