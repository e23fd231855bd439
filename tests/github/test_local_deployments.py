"""The local GitHub's deployments and environments are GitHub's."""

from typing import Any

import pytest

from github.model import Run, Token
from github.resources.users import number
from server_world import ServerWorld, create_seed, errors, open_world

seed = pytest.fixture(scope="module")(create_seed)
world = pytest.fixture(open_world)


def deploy(world: ServerWorld, token: Token | None = None, **body: Any) -> dict[str, Any]:
    """Create a deployment of main."""
    response = world.request("POST", "/deployments", token or world.hub.person, **{"ref": "main", **body})
    assert response.status_code == 201, response.text
    document: dict[str, Any] = response.json()
    return document


def add_status(world: ServerWorld, deployment: dict[str, Any], state: str, **body: Any) -> dict[str, Any]:
    """Add a status to a deployment."""
    response = world.request("POST", f"/deployments/{deployment['id']}/statuses", state=state, **body)
    assert response.status_code == 201, response.text
    document: dict[str, Any] = response.json()
    return document


def states(world: ServerWorld, deployment: dict[str, Any]) -> list[str]:
    """Return the states of a deployment, newest first."""
    return [message["state"] for message in world.request("GET", f"/deployments/{deployment['id']}/statuses").json()]


def test_a_deployment_is_created_with_statuses(world: ServerWorld) -> None:
    """A job with `deployments: write` creates it, and thereby its environment."""
    job = world.hub.issue_token({"deployments": "write"})
    made = deploy(world, job, payload={"image": "sha256:1"}, description="d")
    assert (made["sha"], made["environment"], made["task"]) == (world.hub.git.branch("main"), "production", "deploy")
    assert (made["payload"], made["production_environment"]) == ({"image": "sha256:1"}, True)
    assert world.request("GET", "/environments/production").json()["protection_rules"] == []
    add_status(world, made, "in_progress")
    message = add_status(world, made, "success", environment_url="http://127.0.0.1:1/", log_url="http://127.0.0.1:2/")
    assert (message["environment_url"], message["target_url"]) == ("http://127.0.0.1:1/", "http://127.0.0.1:2/")
    assert states(world, made) == ["success", "in_progress"]
    assert world.request("GET", f"/deployments/{made['id']}").json()["creator"]["login"] == "github-actions[bot]"
    assert world.request("GET", "/deployments/1/statuses").status_code == 404


def test_deployments_are_filtered(world: ServerWorld) -> None:
    """The newest first."""
    first, second = deploy(world, environment="staging"), deploy(world, task="migrate")

    def listed(query: str) -> list[int]:
        return [item["id"] for item in world.request("GET", f"/deployments?{query}").json()]

    assert listed("") == [second["id"], first["id"]]
    assert listed("environment=staging") == [first["id"]]
    assert listed("task=migrate") == [second["id"]]
    assert listed(f"sha={world.hub.git.branch('main')}&ref=main") == [second["id"], first["id"]]
    assert listed("ref=topic") == []


def test_a_success_makes_earlier_ones_inactive(world: ServerWorld) -> None:
    """Only in the same environment, and not for production, transient environments, or with `auto_inactive: false`."""
    bodies: dict[str, dict[str, Any]] = {"staging": {}, "production": {}, "trial": {"transient_environment": True}}
    for environment, about in bodies.items():
        old, other = deploy(world, environment=environment, **about), deploy(world, environment="elsewhere")
        for each in (old, other):
            add_status(world, each, "success", auto_inactive=False)
        add_status(world, deploy(world, environment=environment, **about), "success")
        assert states(world, old)[0] == ("inactive" if environment == "staging" else "success")
        assert states(world, other) == ["success"]


@pytest.mark.parametrize("kind", ["status", "check"])
def test_a_commit_that_has_not_passed_is_not_deployed(world: ServerWorld, kind: str) -> None:
    """The caller can name the required checks: a job whose own run is in progress needs that."""
    sha = world.hub.git.branch("main") or ""
    if kind == "status":
        world.request("POST", f"/statuses/{sha}", state="pending", context="required")
    else:
        world.add_run(1, sha, None)
    response = world.request("POST", "/deployments", ref="main")
    assert (response.status_code, response.json()["message"]) == (
        409,
        "Conflict: Commit status checks failed for main.",
    )
    assert response.json()["errors"][0]["contexts"] == ["required"]
    assert world.request("POST", "/deployments", ref="main", required_contexts=["other"]).status_code == 409
    deploy(world, required_contexts=[])


def test_a_branch_that_is_behind_is_merged_first(world: ServerWorld) -> None:
    """It is not deployed in this call; `auto_merge: false` deploys it as it is; an unknown ref is refused."""
    world.branch("topic")
    world.branch("main", "other.txt")
    response = world.request("POST", "/deployments", ref="topic")
    assert (response.status_code, response.json()) == (202, {"message": "Auto-merged main into topic on deployment."})
    assert world.hub.git.contains("topic", "main")
    assert world.hub.deployments.all == {}
    world.branch("late", text="older\n")
    world.branch("main", "third.txt")
    assert deploy(world, ref="late", auto_merge=False)["ref"] == "late"
    response = world.request("POST", "/deployments", ref="nowhere")
    assert (response.status_code, response.json()["message"]) == (422, "No ref found for: nowhere")
    assert errors(world.request("POST", "/deployments", ref="main", description="x" * 141)) == [
        "description is too long (maximum is 140 characters)"
    ]


def add_reviewers(world: ServerWorld, *people: str, **more: Any) -> int:
    """Make these people reviewers of an environment, and return its id."""
    reviewers = [{"type": "User", "id": number(login)} for login in people]
    response = world.request("PUT", "/environments/production", reviewers=reviewers, **more)
    assert response.status_code == 200, response.text
    id: int = response.json()["id"]
    return id


def add_waiting_run(world: ServerWorld) -> Run:
    """Add a run by Ada with a job that is about to deploy to production."""
    run = world.add_run(1, world.hub.git.branch("main") or "", None)
    assert world.hub.deployments.waits(world.hub.deployments.start(run, "Production"))
    return run


def review(world: ServerWorld, id: int, token: Token, state: str = "approved") -> int:
    """Review the deployments of a run, and return the response's status."""
    body = {"environment_ids": [id], "state": state, "comment": ""}
    return world.request("POST", "/actions/runs/1/pending_deployments", token, **body).status_code


def test_a_reviewer_approves_a_deployment(world: ServerWorld) -> None:
    """The review counts once, the runner is notified, and the environment's name ignores case."""
    id, run = add_reviewers(world, "ada"), add_waiting_run(world)
    reviews: list[tuple[Run, bool]] = []
    world.hub.reviewers.append(lambda run, approved: reviews.append((run, approved)))
    (pending,) = world.request("GET", "/actions/runs/1/pending_deployments").json()
    assert (pending["environment"]["id"], pending["environment"]["name"]) == (id, "production")
    assert (pending["current_user_can_approve"], pending["reviewers"][0]["reviewer"]["login"]) == (True, "ada")
    assert review(world, id + 1, world.hub.person) == 422
    assert review(world, id, world.hub.person) == 200
    assert reviews == [(run, True)]
    assert world.request("GET", "/actions/runs/1/pending_deployments").json() == []
    assert review(world, id, world.hub.person) == 422
    assert world.request("GET", "/actions/runs/2/pending_deployments").status_code == 404


def test_only_a_reviewer_approves_a_deployment(world: ServerWorld) -> None:
    """Other people and jobs may not review it, nor the run's actor if self-review is prevented."""
    grace = world.hub.issue_token({"deployments": "write"}, "person", "grace")
    id = add_reviewers(world, "grace", "ada", prevent_self_review=True)
    add_waiting_run(world)
    other = world.hub.issue_token({"deployments": "write"}, "person", "eve")
    for token in (world.hub.person, other, world.hub.issue_token({"deployments": "write"})):
        assert review(world, id, token) == 422
    assert review(world, id, grace, "rejected") == 200


def test_a_reviewer_must_exist(world: ServerWorld) -> None:
    """An environment cannot have an unknown reviewer."""
    response = world.request("PUT", "/environments/production", reviewers=[{"type": "User", "id": 1}])
    assert response.status_code == 422
    assert world.request("GET", "/environments/production").status_code == 404
