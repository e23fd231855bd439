"""The local GitHub follows GitHub's rules, one test for each, with a real Git client and a real HTTP client."""

import base64
import json
import os
import socket
import threading
from pathlib import Path
from typing import Any

import pytest
import requests

from github import contract
from github.model import BOT, Event
from github.routing import declared_routes
from github.server import LocalGitHub
from repositories import run
from server_world import PUSH_WORKFLOW, ServerWorld, create_seed, open_world

seed = pytest.fixture(scope="module")(create_seed)
world = pytest.fixture(open_world)


# Tokens


def test_an_unknown_token_is_refused(world: ServerWorld) -> None:
    """A revoked token is a bad credential."""
    token = world.hub.issue_token({"contents": "read"})
    world.hub.revoke(token)
    response = world.request("GET", "", token)
    assert (response.status_code, response.json()["message"]) == (401, "Bad credentials")


NEEDS: dict[str, tuple[str, str, str, dict[str, Any]]] = {
    "pull requests": ("POST", "/pulls", "pull_requests=write", {"title": "T", "head": "a", "base": "main"}),
    "issues": ("POST", "/issues", "issues=write", {"title": "T"}),
    "statuses": ("POST", f"/statuses/{'a' * 40}", "statuses=write", {"state": "success"}),
    "dispatch": ("POST", "/actions/workflows/train.yml/dispatches", "actions=write", {"ref": "main"}),
    "repository dispatch": ("POST", "/dispatches", "contents=write", {"event_type": "a"}),
    "merge": ("PUT", "/pulls/1/merge", "contents=write", {}),
    "settings": (
        "PUT",
        "/actions/permissions/workflow",
        "administration=write",
        {"default_workflow_permissions": "read"},
    ),
    "the repository": ("PATCH", "", "administration=write", {"delete_branch_on_merge": True}),
    "rulesets": ("POST", "/rulesets", "administration=write", {"name": "a", "enforcement": "active"}),
    "environments": ("PUT", "/environments/production", "administration=write", {}),
    "refs": ("POST", "/git/refs", "contents=write", {"ref": "refs/tags/v1", "sha": "a" * 40}),
    "releases": ("POST", "/releases", "contents=write", {"tag_name": "v1"}),
    "a release": ("PATCH", "/releases/1", "contents=write", {"name": "a"}),
    "deployments": ("POST", "/deployments", "deployments=write", {"ref": "main"}),
    "deployment statuses": ("POST", "/deployments/1/statuses", "deployments=write", {"state": "success"}),
    "reviews of deployments": (
        "POST",
        "/actions/runs/1/pending_deployments",
        "deployments=write",
        {"environment_ids": [1], "state": "approved", "comment": ""},
    ),
    "comments": ("POST", "/issues/1/comments", "issues=write; pull_requests=write", {"body": "a"}),
    "labels": ("POST", "/issues/1/labels", "issues=write; pull_requests=write", {"labels": ["a"]}),
}
ALL = (
    "actions", "administration", "checks", "contents", "deployments", "environments", "issues", "metadata",
    "pull_requests", "statuses",
)  # fmt: skip


@pytest.mark.parametrize("named", NEEDS)
def test_each_write_needs_its_grant(world: ServerWorld, named: str) -> None:
    """A job with every other grant gets an error that names the missing one."""
    method, path, needs, body = NEEDS[named]
    grants = {name: "write" for name in ALL if f"{name}=write" not in needs}
    response = world.request(method, path, world.hub.issue_token(grants), **body)  # type: ignore[arg-type]
    assert (response.status_code, response.json()["message"]) == (403, "Resource not accessible by integration")
    assert response.headers["x-accepted-github-permissions"] == needs


@pytest.mark.parametrize("named", NEEDS)
def test_each_write_is_allowed_with_its_grant(world: ServerWorld, named: str) -> None:
    """The grant alone suffices; other errors of the call may follow."""
    method, path, needs, body = NEEDS[named]
    world.hub.settings.actions_may_open_pull_requests = True
    grant = needs.partition("=")[0]
    response = world.request(method, path, world.hub.issue_token({grant: "write"}), **body)
    assert response.status_code not in {401, 403}


def test_an_anonymous_write_is_refused(world: ServerWorld) -> None:
    """Anonymous calls can read a public repository, but not write to it."""
    assert world.request("GET", "/pulls", None).status_code == 200
    assert world.request("POST", "/issues", None, title="T").status_code == 401


def test_a_private_repository_is_hidden(world: ServerWorld) -> None:
    """Anonymous calls see nothing of it; a job sees what its grants allow."""
    world.hub.settings.private = True
    assert world.request("GET", "", None).status_code == 404
    job = world.hub.issue_token({"contents": "read"})
    assert world.request("GET", "", job).status_code == 200
    assert world.request("GET", "/pulls", job).status_code == 403
    assert world.request("GET", "/pulls", world.hub.issue_token({"pull-requests": "read"})).status_code == 200


def test_only_a_person_is_a_user(world: ServerWorld) -> None:
    """A job's token has no user; the owner's has, and may do everything."""
    assert world.request("GET", "//user").json()["login"] == "ada"
    assert world.request("GET", "//user", world.hub.issue_token({})).status_code == 403
    assert world.request("GET", "//rate_limit", None).status_code == 200
    assert world.request("GET", "").json()["permissions"]["admin"] is True
    assert world.request("GET", "", world.hub.issue_token({})).json()["permissions"]["push"] is False


def test_another_repository_is_not_there(world: ServerWorld) -> None:
    """The server has only one repository."""
    assert world.request("GET", "//repos/ada/other").status_code == 404


# Git


def test_a_public_repository_is_cloned_without_a_token(world: ServerWorld, tmp_path: Path) -> None:
    """A partial clone without blobs works too."""
    run(tmp_path, "git", "clone", "--quiet", "--filter=blob:none", f"{world.hub.html_url}.git", "copy")
    assert (tmp_path / "copy" / "model.txt").read_text() == "old\n"


def test_a_private_repository_is_cloned_with_a_token(world: ServerWorld, tmp_path: Path) -> None:
    """An anonymous clone is refused; a job can clone with `contents: read`, with the header that checkout sends."""
    world.hub.settings.private = True
    run(tmp_path, "git", "-c", "core.askPass=", "clone", "--quiet", f"{world.hub.html_url}.git", "no", code=128,
        env={"GIT_TERMINAL_PROMPT": "0"})  # fmt: skip
    job = world.hub.issue_token({"contents": "read"})
    header = base64.b64encode(f"x-access-token:{job.value}".encode()).decode()
    extra = f"http.extraheader=AUTHORIZATION: basic {header}"
    run(tmp_path, "git", "-c", extra, "clone", "--quiet", f"{world.hub.html_url}.git", "copy")
    assert (tmp_path / "copy" / "model.txt").exists()


def test_two_authorization_headers_are_refused(world: ServerWorld) -> None:
    """GitHub answers 400 to a checkout's header beside a password in the URL."""
    header = base64.b64encode(f"x-access-token:{world.hub.person.value}".encode()).decode()
    extra = f"http.extraheader=AUTHORIZATION: basic {header}"
    world.git("-c", f"{extra}", "-c", f"{extra}2", "ls-remote", f"{world.hub.html_url}.git", code=128)
    assert world.hub.requests[-1].status == 400


def test_a_push_needs_a_grant(world: ServerWorld) -> None:
    """A job without `contents: write` is refused with GitHub's message."""
    message = world.push("main:topic", world.hub.issue_token({"contents": "read"}), code=128)
    assert f"Permission to ada/tumour-screening.git denied to {BOT}." in message
    assert world.hub.git.branch("topic") is None


def test_a_big_push_arrives(world: ServerWorld) -> None:
    """Git sends large pushes in chunks."""
    (world.clone / "big").write_bytes(os.urandom(3_000_000))
    sha = world.branch("topic")
    assert world.hub.git.branch("topic") == sha


def test_a_job_may_not_change_workflows(world: ServerWorld) -> None:
    """A job may not, on any branch and with any grants; a person may."""
    job = world.hub.issue_token({"contents": "write"})
    world.git("checkout", "--quiet", "-b", "topic")
    world.commit(".github/workflows/new.yml", PUSH_WORKFLOW)
    message = world.push("topic", job, code=1)
    assert "refusing to allow a GitHub App to create or update workflow `.github/workflows/new.yml`" in message
    world.push("topic")
    world.commit("model.txt", "newer\n")
    world.push("topic", job)


def test_a_job_may_merge_workflows_that_are_known(world: ServerWorld) -> None:
    """A merge that brings main's own workflows to a branch changes none."""
    world.branch("topic")
    world.branch("main", ".github/workflows/new.yml", PUSH_WORKFLOW)
    world.git("checkout", "--quiet", "topic")
    world.git("merge", "--quiet", "--no-edit", "main")
    world.push("topic", world.hub.issue_token({"contents": "write"}))


def test_refs_of_pull_requests_cannot_be_pushed(world: ServerWorld) -> None:
    """Only GitHub writes them."""
    assert "deny updating a hidden ref" in world.push("main:refs/pull/1/head", code=1)


# Events


def test_a_persons_push_sends_an_event(world: ServerWorld) -> None:
    """The event has the files of each commit, and is sent after the push."""
    before = world.hub.git.branch("main")
    world.commit("model.txt", "new\n")
    world.push("main")
    (event,) = world.events
    assert (event.name, event.ref, event.before, event.actor) == ("push", "refs/heads/main", before, "ada")
    assert event.sha == world.hub.git.branch("main")
    assert event.payload["commits"][0]["modified"] == ["model.txt"]
    assert (event.payload["created"], event.payload["forced"], event.payload["deleted"]) == (False, False, False)


def test_a_forced_push_sends_an_event(world: ServerWorld) -> None:
    """The payload has the kind of push; a deletion starts nothing."""
    world.branch("topic", text="one\n")
    world.branch("topic", text="two\n")
    world.push(":topic")
    kinds = [[event.payload[kind] for kind in ("created", "forced", "deleted")] for event in world.events]
    assert kinds == [[True, False, False], [False, True, False]]


def test_up_to_three_tags_send_events(world: ServerWorld) -> None:
    """An annotated tag stands for its commit; four tags at once start nothing."""
    world.git("tag", "--annotate", "--message", "m", "v1")
    world.push("v1")
    (event,) = world.events
    assert (event.ref, event.sha) == ("refs/tags/v1", world.hub.git.branch("main"))
    world.git("push", "--quiet", world.hub.remote, *(f"main:refs/tags/t{number}" for number in range(4)))
    assert len(world.events) == 1


def test_a_jobs_push_starts_nothing(world: ServerWorld) -> None:
    """GitHub starts no workflow for what a job's own token did."""
    world.branch("topic", token=world.hub.issue_token({"contents": "write"}))
    assert world.events == []


def test_a_jobs_issue_starts_nothing(world: ServerWorld) -> None:
    """GitHub starts no workflow for a job's issues and comments."""
    job = world.hub.issue_token({"issues": "write"})
    world.request("POST", "/issues", job, title="T")
    world.request("POST", "/issues/1/comments", job, body="b")
    world.request("PATCH", "/issues/1", job, state="closed")
    assert world.events == []


def test_a_jobs_pull_request_waits(world: ServerWorld) -> None:
    """Opened and pushed to by a job, its runs wait for a person; closed by it, it starts nothing."""
    job = world.hub.issue_token({"contents": "write", "pull_requests": "write"})
    world.hub.settings.actions_may_open_pull_requests = True
    world.branch("topic", token=job)
    world.pull(token=job)
    world.commit("model.txt", "newer\n")
    world.push("topic", job)
    world.request("PATCH", "/pulls/1", job, state="closed")
    world.request("PATCH", "/pulls/1", job, state="open")
    events = [(event.action, event.waits) for event in world.events]
    assert events == [("opened", True), ("synchronize", True), ("reopened", True)]


def test_an_apps_actions_start_workflows(world: ServerWorld) -> None:
    """A GitHub App's token is not a job's."""
    app = world.hub.issue_token({"contents": "write", "pull_requests": "write"}, "app", "shipper[bot]")
    world.branch("topic", token=app)
    world.pull(token=app)
    assert world.event_names() == ["push", "pull_request opened"]
    assert not any(event.waits for event in world.events)


def test_a_jobs_dispatches_start_workflows(world: ServerWorld) -> None:
    """The two exceptions to the rule."""
    job = world.hub.issue_token({"contents": "write", "actions": "write"})
    assert world.request("POST", "/dispatches", job, event_type="retrain", client_payload={"why": 1}).status_code == 204
    path = "/actions/workflows/train.yml/dispatches"
    assert world.request("POST", path, job, ref="main", inputs={"version": "3"}).status_code == 204
    assert world.event_names() == ["repository_dispatch retrain", "workflow_dispatch"]
    assert world.events[0].payload["client_payload"] == {"why": 1}


def test_listeners_are_called_outside_any_lock(world: ServerWorld) -> None:
    """A listener may call the server back."""
    seen: list[int] = []
    world.hub.listeners.append(lambda event: seen.append(world.request("GET", "/pulls").status_code))
    world.branch("topic")
    assert seen == [200]


def test_a_failing_listener_is_recorded(world: ServerWorld) -> None:
    """The caller gets a response, and the error is recorded as a violation."""

    def fail(event: Event) -> None:
        raise LookupError(event.name)

    world.hub.listeners.append(fail)
    assert world.request("POST", "/dispatches", event_type="a").status_code == 204
    assert "listener failed on repository_dispatch" in world.hub.violations.pop()


# GitHub's OpenAPI


def test_requests_that_violate_openapi_are_refused_and_recorded(world: ServerWorld) -> None:
    """A request with a number for a title, or without one."""
    for body in ({"title": "T", "head": 7, "base": "main"}, {"body": "b"}):
        response = world.request("POST", "/issues" if "body" in body else "/pulls", **body)
        assert (response.status_code, response.json()["message"].startswith("Invalid request.")) == (422, True)
        assert world.hub.violations
        world.hub.violations.clear()
    headers = {"Authorization": f"Bearer {world.hub.person.value}"}
    response = requests.post(f"{world.hub.repository_url}/issues", data=b"{", headers=headers, timeout=9)
    assert (response.status_code, response.json()["message"]) == (400, "Problems parsing JSON")


def test_a_response_that_violates_openapi_is_recorded(world: ServerWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise tests would rely on errors of the local GitHub."""
    monkeypatch.setattr(world.hub.settings, "default_branch", 7)
    world.request("GET", "")
    assert "7 is not of type 'string'" in world.hub.violations.pop()


def test_an_unknown_operation_is_recorded(world: ServerWorld) -> None:
    """GitHub might have the operation."""
    assert world.request("GET", "/teapots").status_code == 404
    assert "no such operation here" in world.hub.violations.pop()


def test_every_route_is_in_githubs_openapi() -> None:
    """The pruned copy contains nothing else, and stays small."""
    paths = json.loads(contract.OPENAPI_FILE.read_text())["paths"]
    operations = {(method.upper(), path) for path, methods in paths.items() for method in methods}
    assert operations == {(route.method, route.template) for route in declared_routes()}
    assert contract.OPENAPI_FILE.stat().st_size < 400_000


# Many at once


def test_concurrent_requests_are_served(world: ServerWorld) -> None:
    """Twenty issues from ten threads have twenty numbers."""

    def two() -> None:
        for _ in range(2):
            world.request("POST", "/issues", title="T")

    threads = [threading.Thread(target=two) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(world.hub.state.issues) == list(range(1, 21))


def test_nothing_is_left_running(tmp_path: Path) -> None:
    """The port is closed after the end."""
    with LocalGitHub(tmp_path) as hub:
        port = int(hub.url.rpartition(":")[2])
    with socket.socket() as client:
        assert client.connect_ex(("127.0.0.1", port)) != 0
