"""What the local GitHub says of issues, commits and runs, and takes as dispatches, is what GitHub would."""

import pytest

from github.model import BOT
from local_world import World, enter, errors, plant

seed = pytest.fixture(scope="module")(plant)
world = pytest.fixture(enter)


# Issues, labels


def test_an_issue_says_who_closed_it(world: World) -> None:
    """Opened by one, closed by another, reopened, and listed among the pull requests."""
    job = world.hub.issue_token({"issues": "write"})
    assert world.ask("POST", "/issues", job, title="T", body="b", labels=["model"]).status_code == 201
    assert world.ask("PATCH", "/issues/1", state="closed", state_reason="not_planned").status_code == 200
    found = world.ask("GET", "/issues/1").json()
    assert (found["user"]["login"], found["closed_by"]["login"], found["state_reason"]) == (BOT, "ada", "not_planned")
    assert world.ask("PATCH", "/issues/1", job, state="open").json()["closed_by"] is None
    world.branch("topic")
    world.pull()
    assert [("pull_request" in issue) for issue in world.ask("GET", "/issues").json()] == [True, False]
    assert [issue["number"] for issue in world.ask("GET", "/issues?labels=model").json()] == [1]


def test_a_pull_request_is_closed_as_an_issue(world: World) -> None:
    """They share a number, a state and comments; `issues: write` alone is enough, as on GitHub."""
    world.branch("topic")
    world.pull()
    job = world.hub.issue_token({"issues": "write"})
    assert world.ask("POST", "/issues/1/comments", job, body="b").status_code == 201
    assert world.ask("GET", "/issues/1/comments").json()[0]["user"]["login"] == BOT
    world.ask("PATCH", "/issues/1", job, state="closed")
    assert world.ask("GET", "/pulls/1").json()["state"] == "closed"


def test_a_pull_requests_grant_is_not_enough_for_an_issue(world: World) -> None:
    """Comments share a path, not a grant."""
    world.ask("POST", "/issues", title="T")
    job = world.hub.issue_token({"pull_requests": "write"})
    assert world.ask("POST", "/issues/1/comments", job, body="b").status_code == 403
    assert world.ask("PATCH", "/issues/1", job, body="b").status_code == 403


def test_a_label_is_made_once(world: World) -> None:
    """Whatever the case of its letters; one that is put on an issue is made."""
    assert world.ask("POST", "/labels", name="Model", color="ff0000").status_code == 201
    assert errors(world.ask("POST", "/labels", name="model")) == ["name already_exists"]
    assert errors(world.ask("POST", "/labels", name="other", color="red")) == ["color invalid"]
    assert world.ask("GET", "/labels/model").json()["color"] == "ff0000"
    assert world.ask("GET", "/labels/none").status_code == 404
    world.ask("POST", "/issues", title="T")
    put = world.ask("POST", "/issues/1/labels", labels=["model", "fresh"]).json()
    assert [label["name"] for label in put] == ["Model", "fresh"]


# Commits


def test_statuses_add_up(world: World) -> None:
    """The last word in each context counts; nothing said is pending; an unknown commit is refused."""
    sha = world.branch("some/topic")
    path = "/commits/some/topic/status"
    assert world.ask("GET", path).json()["state"] == "pending"
    for state, sum_of_all in {"failure": "failure", "success": "success"}.items():
        assert world.ask("POST", f"/statuses/{sha}", state=state, context="ci").status_code == 201
        assert world.ask("GET", path).json()["state"] == sum_of_all
    assert world.ask("GET", path).json()["total_count"] == 1
    assert [status["state"] for status in world.ask("GET", f"/commits/{sha}/statuses").json()] == ["success", "failure"]
    unknown = world.ask("POST", f"/statuses/{'a' * 40}", state="success")
    assert (unknown.status_code, unknown.json()["message"]) == (422, f"No commit found for SHA: {'a' * 40}")
    assert world.ask("GET", "/commits/nowhere/status").status_code == 422
    long = errors(world.ask("POST", f"/statuses/{sha}", state="success", description="x" * 141))
    assert long == ["description is too long (maximum is 140 characters)"]


def test_a_ref_is_read(world: World) -> None:
    """By its full name; what is not there is not found."""
    world.branch("some/topic")
    found = world.ask("GET", "/git/ref/heads/some/topic").json()
    assert (found["ref"], found["object"]["sha"]) == ("refs/heads/some/topic", world.hub.git.branch("some/topic"))
    assert world.ask("GET", "/git/ref/heads/nowhere").status_code == 404


def test_runs_and_their_checks_are_read(world: World) -> None:
    """What the runner put there, by commit, branch, event, status and workflow."""
    sha = world.branch("topic")
    world.ran(1, sha)
    world.ran(2, sha, None)

    def listed(path: str) -> list[int]:
        return [run["id"] for run in world.ask("GET", path).json()["workflow_runs"]]

    assert listed("/actions/runs") == [2, 1]
    assert listed(f"/actions/runs?head_sha={sha}&status=success") == [1]
    assert listed("/actions/runs?branch=main") == []
    assert listed("/actions/runs?created=%3E%3D2026-01-01") == [2, 1]
    assert listed("/actions/runs?created=%3C2026-01-01T00:00:00Z") == []
    assert listed("/actions/runs?created=2026-01-01..*") == [2, 1]
    assert world.ask("GET", "/actions/runs?created=%3Eyesterday").status_code == 422
    assert listed("/actions/workflows/train.yml/runs?event=push&branch=topic&status=in_progress") == [2]
    assert listed("/actions/workflows/checks.yml/runs") == []
    assert world.ask("GET", "/actions/workflows/none.yml/runs").status_code == 404
    assert world.ask("GET", "/actions/runs/1").json()["conclusion"] == "success"
    assert world.ask("GET", "/actions/runs/3").status_code == 404
    checks = world.ask("GET", "/commits/topic/check-runs").json()["check_runs"]
    assert [(check["name"], check["status"]) for check in checks] == [
        ("required", "in_progress"),
        ("required", "completed"),
    ]


def test_a_commit_names_the_pull_request_that_brought_it(world: World) -> None:
    """With who merged and who approved it; one that is on no branch's way yet names the open one."""
    sha = world.branch("topic")
    world.pull()
    start = world.git("rev-parse", "origin/main").strip()
    assert [pull["state"] for pull in world.ask("GET", f"/commits/{sha}/pulls").json()] == ["open"]
    grace = world.hub.issue_token({"pull_requests": "write"}, "person", "grace")
    world.ask("POST", "/pulls/1/reviews", grace, event="APPROVE")
    merge = world.ask("PUT", "/pulls/1/merge").json()["sha"]
    for commit in (sha, merge):
        (found,) = world.ask("GET", f"/commits/{commit}/pulls").json()
        assert (found["number"], found["merge_commit_sha"]) == (1, merge)
    assert world.ask("GET", f"/commits/{start}/pulls").json() == []
    assert world.ask("GET", f"/commits/{'a' * 40}/pulls").status_code == 422
    assert world.ask("GET", "/pulls/1").json()["merged_by"]["login"] == "ada"
    assert [review["user"]["login"] for review in world.ask("GET", "/pulls/1/reviews").json()] == ["grace"]


def test_a_commit_names_a_pull_request_that_was_merged_by_hand(world: World) -> None:
    """Though GitHub made no commit for it."""
    sha = world.branch("topic")
    world.pull()
    world.git("checkout", "--quiet", "main")
    world.git("merge", "--quiet", "--no-ff", "--no-edit", "topic")
    world.push("main")
    merge = world.git("rev-parse", "HEAD").strip()
    for commit in (sha, merge):
        assert [pull["number"] for pull in world.ask("GET", f"/commits/{commit}/pulls").json()] == [1]


# Dispatches


def test_a_dispatch_fills_in_what_was_left_out(world: World) -> None:
    """Inputs reach the event as text."""
    world.ask("POST", "/actions/workflows/train.yml/dispatches", ref="main", inputs={"version": 3, "dry": False})
    (event,) = world.heard
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
def test_a_wrong_dispatch_is_refused(world: World, named: str) -> None:
    """In GitHub's words, and nothing starts."""
    file, ref, inputs, status, message = WRONG[named]
    answer = world.ask("POST", f"/actions/workflows/{file}/dispatches", ref=ref, inputs=inputs)
    assert (answer.status_code, answer.json()["message"]) == (status, message)
    assert world.heard == []


def test_a_workflow_that_is_switched_off_is_not_dispatched(world: World) -> None:
    """GitHub says so to whoever asks."""
    world.hub.settings.disabled = {"train.yml"}
    answer = world.ask("POST", "/actions/workflows/train.yml/dispatches", ref="main", inputs={"version": "3"})
    assert answer.status_code == 422
    assert answer.json()["message"] == "Cannot trigger a 'workflow_dispatch' on a disabled workflow"
    assert world.heard == []


def test_a_repository_dispatch_has_limits(world: World) -> None:
    """Ten keys; a type of a hundred characters."""
    payload = {str(number): 1 for number in range(11)}
    answer = world.ask("POST", "/dispatches", event_type="a", client_payload=payload)
    assert (answer.status_code, "No more than 10 properties" in answer.json()["message"]) == (422, True)
    world.hub.violations.clear()  # GitHub's OpenAPI knows both limits too.
    assert world.ask("POST", "/dispatches", event_type="a" * 101).status_code == 422
    world.hub.violations.clear()
    assert world.heard == []
