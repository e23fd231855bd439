"""The local GitHub's issues, commits, runs and dispatches behave like GitHub's."""

import pytest

from github.model import BOT
from server_world import ServerWorld, create_seed, errors, open_world

seed = pytest.fixture(scope="module")(create_seed)
world = pytest.fixture(open_world)


# Issues, labels


def test_an_issue_has_the_user_who_closed_it(world: ServerWorld) -> None:
    """Opened by one, closed by another, reopened, and listed among the pull requests."""
    job = world.hub.issue_token({"issues": "write"})
    assert world.request("POST", "/issues", job, title="T", body="b", labels=["model"]).status_code == 201
    assert world.request("PATCH", "/issues/1", state="closed", state_reason="not_planned").status_code == 200
    document = world.request("GET", "/issues/1").json()
    assert (document["user"]["login"], document["closed_by"]["login"], document["state_reason"]) == (
        BOT,
        "ada",
        "not_planned",
    )
    assert world.request("PATCH", "/issues/1", job, state="open").json()["closed_by"] is None
    world.branch("topic")
    world.pull()
    assert [("pull_request" in issue) for issue in world.request("GET", "/issues").json()] == [True, False]
    assert [issue["number"] for issue in world.request("GET", "/issues?labels=model").json()] == [1]


def test_a_pull_request_is_closed_as_an_issue(world: ServerWorld) -> None:
    """They share a number, a state and comments; `issues: write` alone is enough, as on GitHub."""
    world.branch("topic")
    world.pull()
    job = world.hub.issue_token({"issues": "write"})
    assert world.request("POST", "/issues/1/comments", job, body="b").status_code == 201
    assert world.request("GET", "/issues/1/comments").json()[0]["user"]["login"] == BOT
    world.request("PATCH", "/issues/1", job, state="closed")
    assert world.request("GET", "/pulls/1").json()["state"] == "closed"


def test_a_pull_requests_grant_is_not_enough_for_an_issue(world: ServerWorld) -> None:
    """Comments share a path, not a grant."""
    world.request("POST", "/issues", title="T")
    job = world.hub.issue_token({"pull_requests": "write"})
    assert world.request("POST", "/issues/1/comments", job, body="b").status_code == 403
    assert world.request("PATCH", "/issues/1", job, body="b").status_code == 403


def test_a_label_is_made_once(world: ServerWorld) -> None:
    """Names ignore case; adding an unknown label to an issue creates it."""
    assert world.request("POST", "/labels", name="Model", color="ff0000").status_code == 201
    assert errors(world.request("POST", "/labels", name="model")) == ["name already_exists"]
    assert errors(world.request("POST", "/labels", name="other", color="red")) == ["color invalid"]
    assert world.request("GET", "/labels/model").json()["color"] == "ff0000"
    assert world.request("GET", "/labels/none").status_code == 404
    world.request("POST", "/issues", title="T")
    put = world.request("POST", "/issues/1/labels", labels=["model", "fresh"]).json()
    assert [label["name"] for label in put] == ["Model", "fresh"]


# Commits


def test_statuses_add_up(world: ServerWorld) -> None:
    """The last status of each context counts; no status means pending; an unknown commit is refused."""
    sha = world.branch("some/topic")
    path = "/commits/some/topic/status"
    assert world.request("GET", path).json()["state"] == "pending"
    for state, sum_of_all in {"failure": "failure", "success": "success"}.items():
        assert world.request("POST", f"/statuses/{sha}", state=state, context="ci").status_code == 201
        assert world.request("GET", path).json()["state"] == sum_of_all
    assert world.request("GET", path).json()["total_count"] == 1
    assert [status["state"] for status in world.request("GET", f"/commits/{sha}/statuses").json()] == [
        "success",
        "failure",
    ]
    unknown = world.request("POST", f"/statuses/{'a' * 40}", state="success")
    assert (unknown.status_code, unknown.json()["message"]) == (422, f"No commit found for SHA: {'a' * 40}")
    assert world.request("GET", "/commits/nowhere/status").status_code == 422
    long = errors(world.request("POST", f"/statuses/{sha}", state="success", description="x" * 141))
    assert long == ["description is too long (maximum is 140 characters)"]


def test_a_ref_is_read(world: ServerWorld) -> None:
    """A full name is required; an unknown ref is not found."""
    world.branch("some/topic")
    document = world.request("GET", "/git/ref/heads/some/topic").json()
    assert (document["ref"], document["object"]["sha"]) == ("refs/heads/some/topic", world.hub.git.branch("some/topic"))
    assert world.request("GET", "/git/ref/heads/nowhere").status_code == 404


def test_runs_and_their_checks_are_read(world: ServerWorld) -> None:
    """Runs are filtered by commit, branch, event, status and workflow."""
    sha = world.branch("topic")
    world.add_run(1, sha)
    world.add_run(2, sha, None)

    def listed(path: str) -> list[int]:
        return [run["id"] for run in world.request("GET", path).json()["workflow_runs"]]

    assert listed("/actions/runs") == [2, 1]
    assert listed(f"/actions/runs?head_sha={sha}&status=success") == [1]
    assert listed("/actions/runs?branch=main") == []
    assert listed("/actions/runs?created=%3E%3D2026-01-01") == [2, 1]
    assert listed("/actions/runs?created=%3C2026-01-01T00:00:00Z") == []
    assert listed("/actions/runs?created=2026-01-01..*") == [2, 1]
    assert world.request("GET", "/actions/runs?created=%3Eyesterday").status_code == 422
    assert listed("/actions/workflows/train.yml/runs?event=push&branch=topic&status=in_progress") == [2]
    assert listed("/actions/workflows/checks.yml/runs") == []
    assert world.request("GET", "/actions/workflows/none.yml/runs").status_code == 404
    assert world.request("GET", "/actions/runs/1").json()["conclusion"] == "success"
    assert world.request("GET", "/actions/runs/3").status_code == 404
    checks = world.request("GET", "/commits/topic/check-runs").json()["check_runs"]
    assert [(check["name"], check["status"]) for check in checks] == [
        ("required", "in_progress"),
        ("required", "completed"),
    ]


def test_a_commit_names_the_pull_request_that_brought_it(world: ServerWorld) -> None:
    """It includes who merged and approved it; an unmerged commit has its open pull request."""
    sha = world.branch("topic")
    world.pull()
    start = world.git("rev-parse", "origin/main").strip()
    assert [pull["state"] for pull in world.request("GET", f"/commits/{sha}/pulls").json()] == ["open"]
    grace = world.hub.issue_token({"pull_requests": "write"}, "person", "grace")
    world.request("POST", "/pulls/1/reviews", grace, event="APPROVE")
    merge = world.request("PUT", "/pulls/1/merge").json()["sha"]
    for commit in (sha, merge):
        (document,) = world.request("GET", f"/commits/{commit}/pulls").json()
        assert (document["number"], document["merge_commit_sha"]) == (1, merge)
    assert world.request("GET", f"/commits/{start}/pulls").json() == []
    assert world.request("GET", f"/commits/{'a' * 40}/pulls").status_code == 422
    assert world.request("GET", "/pulls/1").json()["merged_by"]["login"] == "ada"
    assert [review["user"]["login"] for review in world.request("GET", "/pulls/1/reviews").json()] == ["grace"]


def test_a_commit_names_a_pull_request_that_was_merged_by_hand(world: ServerWorld) -> None:
    """GitHub has created no merge commit for it."""
    sha = world.branch("topic")
    world.pull()
    world.git("checkout", "--quiet", "main")
    world.git("merge", "--quiet", "--no-ff", "--no-edit", "topic")
    world.push("main")
    merge = world.git("rev-parse", "HEAD").strip()
    for commit in (sha, merge):
        assert [pull["number"] for pull in world.request("GET", f"/commits/{commit}/pulls").json()] == [1]


# Dispatches


def test_a_dispatch_fills_in_defaults(world: ServerWorld) -> None:
    """Inputs reach the event as text."""
    world.request("POST", "/actions/workflows/train.yml/dispatches", ref="main", inputs={"version": 3, "dry": False})
    (event,) = world.events
    assert event.payload["inputs"] == {"version": "3", "stage": "trial", "dry": "false", "rows": "5"}
    assert (event.workflow, event.ref, event.head) == ("train.yml", "refs/heads/main", ("main", event.sha))
    assert event.payload["workflow"] == ".github/workflows/train.yml"


WRONG = {
    "unexpected": ("train.yml", "main", {"version": "1", "x": "1"}, 422, 'Unexpected inputs provided: ["x"]'),
    "missing": ("train.yml", "main", {}, 422, "Required input 'version' not provided"),
    "not offered": (
        "train.yml", "main", {"version": "1", "stage": "moon"}, 422,
        "Provided value 'moon' for input 'stage' not in the list of allowed values",
    ),
    "no such ref": ("train.yml", "nowhere", {}, 422, "No ref found for: nowhere"),
    "no such workflow": ("none.yml", "main", {}, 404, "Not Found"),
    "no trigger": ("checks.yml", "main", {}, 422, "Workflow does not have 'workflow_dispatch' trigger"),
    "too much": ("train.yml", "main", {"version": "x" * 65_536}, 422, "inputs are too large."),
}  # fmt: skip


@pytest.mark.parametrize("named", WRONG)
def test_a_wrong_dispatch_is_refused(world: ServerWorld, named: str) -> None:
    """The error has GitHub's message, and nothing starts."""
    file, ref, inputs, status, message = WRONG[named]
    response = world.request("POST", f"/actions/workflows/{file}/dispatches", ref=ref, inputs=inputs)
    assert (response.status_code, response.json()["message"]) == (status, message)
    assert world.events == []


def test_a_disabled_workflow_is_not_dispatched(world: ServerWorld) -> None:
    """The caller gets GitHub's error."""
    world.hub.settings.disabled = {"train.yml"}
    response = world.request("POST", "/actions/workflows/train.yml/dispatches", ref="main", inputs={"version": "3"})
    assert response.status_code == 422
    assert response.json()["message"] == "Cannot trigger a 'workflow_dispatch' on a disabled workflow"
    assert world.events == []


def test_a_repository_dispatch_has_limits(world: ServerWorld) -> None:
    """Ten keys; a type of a hundred characters."""
    payload = {str(number): 1 for number in range(11)}
    response = world.request("POST", "/dispatches", event_type="a", client_payload=payload)
    assert (response.status_code, "No more than 10 properties" in response.json()["message"]) == (422, True)
    world.hub.violations.clear()  # GitHub's OpenAPI knows both limits too.
    assert world.request("POST", "/dispatches", event_type="a" * 101).status_code == 422
    world.hub.violations.clear()
    assert world.events == []


# Variables and secrets


def test_variables_are_read_with_values_and_secrets_without(world: ServerWorld) -> None:
    """The owner sees them; a job's token has no grant for either."""
    world.hub.settings.variables["TRAIN_RUNNER"] = "gpu"
    world.hub.settings.secrets["DATABASE_URL"] = "sqlite:///rows.db"
    (variable,) = world.request("GET", "/actions/variables").json()["variables"]
    assert (variable["name"], variable["value"]) == ("TRAIN_RUNNER", "gpu")
    (secret,) = world.request("GET", "/actions/secrets").json()["secrets"]
    assert secret["name"] == "DATABASE_URL"
    assert "value" not in secret
    for path in ("variables", "secrets"):
        assert world.request("GET", f"/actions/organization-{path}").json() == {"total_count": 0, path: []}
        assert world.request("GET", f"/actions/{path}", world.hub.issue_token({"contents": "write"})).status_code == 403
    assert world.request("GET", "/environments/production/secrets").status_code == 404
    world.request("PUT", "/environments/production")
    assert world.request("GET", "/environments/production/secrets").json()["secrets"] == []
