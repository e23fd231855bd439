"""The local GitHub keeps GitHub's rules, one test for each, with a real Git client and a real HTTP client."""

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
from github.routing import declared
from github.server import LocalGitHub
from house import run
from local_world import PLAIN, World, enter, plant

seed = pytest.fixture(scope="module")(plant)
world = pytest.fixture(enter)


# Tokens


def test_an_unknown_token_is_refused(world: World) -> None:
    """A token that nobody issued, or that was revoked, is a bad credential."""
    token = world.hub.issue_token({"contents": "read"})
    world.hub.revoke(token)
    answer = world.ask("GET", "", token)
    assert (answer.status_code, answer.json()["message"]) == (401, "Bad credentials")


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
def test_each_write_needs_its_grant(world: World, named: str) -> None:
    """A job with every grant but the one is told which it lacks."""
    method, path, needs, body = NEEDS[named]
    grants = {name: "write" for name in ALL if f"{name}=write" not in needs}
    answer = world.ask(method, path, world.hub.issue_token(grants), **body)  # type: ignore[arg-type]
    assert (answer.status_code, answer.json()["message"]) == (403, "Resource not accessible by integration")
    assert answer.headers["x-accepted-github-permissions"] == needs


@pytest.mark.parametrize("named", NEEDS)
def test_each_write_is_let_pass_with_its_grant(world: World, named: str) -> None:
    """With the grant alone nothing is forbidden, whatever else may be wrong with the call."""
    method, path, needs, body = NEEDS[named]
    world.hub.settings.actions_may_open_pull_requests = True
    grant = needs.partition("=")[0]
    answer = world.ask(method, path, world.hub.issue_token({grant: "write"}), **body)
    assert answer.status_code not in {401, 403}


def test_a_strangers_write_needs_a_token(world: World) -> None:
    """Without a token a public repository is read, not written."""
    assert world.ask("GET", "/pulls", None).status_code == 200
    assert world.ask("POST", "/issues", None, title="T").status_code == 401


def test_a_private_repository_is_hidden(world: World) -> None:
    """A stranger sees nothing of it; a job sees what it was granted."""
    world.hub.settings.private = True
    assert world.ask("GET", "", None).status_code == 404
    job = world.hub.issue_token({"contents": "read"})
    assert world.ask("GET", "", job).status_code == 200
    assert world.ask("GET", "/pulls", job).status_code == 403
    assert world.ask("GET", "/pulls", world.hub.issue_token({"pull-requests": "read"})).status_code == 200


def test_only_a_person_is_a_user(world: World) -> None:
    """A job's token has no user; the owner's has, and may do everything."""
    assert world.ask("GET", "//user").json()["login"] == "ada"
    assert world.ask("GET", "//user", world.hub.issue_token({})).status_code == 403
    assert world.ask("GET", "//rate_limit", None).status_code == 200
    assert world.ask("GET", "").json()["permissions"]["admin"] is True
    assert world.ask("GET", "", world.hub.issue_token({})).json()["permissions"]["push"] is False


def test_another_repository_is_not_there(world: World) -> None:
    """There is one repository."""
    assert world.ask("GET", "//repos/ada/other").status_code == 404


# Git


def test_a_public_repository_is_cloned_without_a_token(world: World, tmp_path: Path) -> None:
    """Also without its blobs, as a partial clone."""
    run(tmp_path, "git", "clone", "--quiet", "--filter=blob:none", f"{world.hub.page}.git", "copy")
    assert (tmp_path / "copy" / "model.txt").read_text() == "old\n"


def test_a_private_repository_is_cloned_with_a_token(world: World, tmp_path: Path) -> None:
    """A stranger is asked who he is; a job may read with `contents: read`, sent as checkout sends it."""
    world.hub.settings.private = True
    run(tmp_path, "git", "-c", "core.askPass=", "clone", "--quiet", f"{world.hub.page}.git", "no", code=128,
        env={"GIT_TERMINAL_PROMPT": "0"})  # fmt: skip
    job = world.hub.issue_token({"contents": "read"})
    header = base64.b64encode(f"x-access-token:{job.value}".encode()).decode()
    extra = f"http.extraheader=AUTHORIZATION: basic {header}"
    run(tmp_path, "git", "-c", extra, "clone", "--quiet", f"{world.hub.page}.git", "copy")
    assert (tmp_path / "copy" / "model.txt").exists()


def test_two_authorization_headers_are_refused(world: World) -> None:
    """GitHub answers 400 to a checkout's header beside a password in the URL."""
    header = base64.b64encode(f"x-access-token:{world.hub.person.value}".encode()).decode()
    extra = f"http.extraheader=AUTHORIZATION: basic {header}"
    world.git("-c", f"{extra}", "-c", f"{extra}2", "ls-remote", f"{world.hub.page}.git", code=128)
    assert world.hub.requests[-1].status == 400


def test_a_push_needs_a_grant(world: World) -> None:
    """A job without `contents: write` is refused in GitHub's words."""
    said = world.push("main:topic", world.hub.issue_token({"contents": "read"}), code=128)
    assert f"Permission to ada/tumour-screening.git denied to {BOT}." in said
    assert world.hub.git.branch("topic") is None


def test_a_big_push_arrives(world: World) -> None:
    """Git sends what is big in chunks."""
    (world.clone / "big").write_bytes(os.urandom(3_000_000))
    sha = world.branch("topic")
    assert world.hub.git.branch("topic") == sha


def test_a_job_may_not_change_workflows(world: World) -> None:
    """Whatever its grants, on whichever branch; a person may."""
    job = world.hub.issue_token({"contents": "write"})
    world.git("checkout", "--quiet", "-b", "topic")
    world.commit(".github/workflows/new.yml", PLAIN)
    said = world.push("topic", job, code=1)
    assert "refusing to allow a GitHub App to create or update workflow `.github/workflows/new.yml`" in said
    world.push("topic")
    world.commit("model.txt", "newer\n")
    world.push("topic", job)


def test_a_job_may_merge_workflows_that_are_known(world: World) -> None:
    """A merge that brings main's own workflows to a branch changes none."""
    world.branch("topic")
    world.branch("main", ".github/workflows/new.yml", PLAIN)
    world.git("checkout", "--quiet", "topic")
    world.git("merge", "--quiet", "--no-edit", "main")
    world.push("topic", world.hub.issue_token({"contents": "write"}))


def test_nobody_pushes_pull_requests_refs(world: World) -> None:
    """They are GitHub's own."""
    assert "deny updating a hidden ref" in world.push("main:refs/pull/1/head", code=1)


# Events


def test_a_persons_push_is_heard(world: World) -> None:
    """With the files of each commit, once the push is done."""
    before = world.hub.git.branch("main")
    world.commit("model.txt", "new\n")
    world.push("main")
    (event,) = world.heard
    assert (event.name, event.ref, event.before, event.actor) == ("push", "refs/heads/main", before, "ada")
    assert event.sha == world.hub.git.branch("main")
    assert event.payload["commits"][0]["modified"] == ["model.txt"]
    assert (event.payload["created"], event.payload["forced"], event.payload["deleted"]) == (False, False, False)


def test_a_forced_push_is_heard(world: World) -> None:
    """The payload says what kind of push it was; a deletion starts nothing."""
    world.branch("topic", text="one\n")
    world.branch("topic", text="two\n")
    world.push(":topic")
    kinds = [[event.payload[kind] for kind in ("created", "forced", "deleted")] for event in world.heard]
    assert kinds == [[True, False, False], [False, True, False]]


def test_tags_are_heard_up_to_three(world: World) -> None:
    """An annotated tag stands for its commit; four tags at once start nothing."""
    world.git("tag", "--annotate", "--message", "m", "v1")
    world.push("v1")
    (event,) = world.heard
    assert (event.ref, event.sha) == ("refs/tags/v1", world.hub.git.branch("main"))
    world.git("push", "--quiet", world.hub.remote, *(f"main:refs/tags/t{number}" for number in range(4)))
    assert len(world.heard) == 1


def test_a_jobs_push_starts_nothing(world: World) -> None:
    """GitHub starts no workflow for what a job's own token did."""
    world.branch("topic", token=world.hub.issue_token({"contents": "write"}))
    assert world.heard == []


def test_a_jobs_issue_starts_nothing(world: World) -> None:
    """Nor for issues and comments."""
    job = world.hub.issue_token({"issues": "write"})
    world.ask("POST", "/issues", job, title="T")
    world.ask("POST", "/issues/1/comments", job, body="b")
    world.ask("PATCH", "/issues/1", job, state="closed")
    assert world.heard == []


def test_a_jobs_pull_request_waits(world: World) -> None:
    """Opened and pushed to by a job, its runs wait for a person; closed by it, it starts nothing."""
    job = world.hub.issue_token({"contents": "write", "pull_requests": "write"})
    world.hub.settings.actions_may_open_pull_requests = True
    world.branch("topic", token=job)
    world.pull(token=job)
    world.commit("model.txt", "newer\n")
    world.push("topic", job)
    world.ask("PATCH", "/pulls/1", job, state="closed")
    world.ask("PATCH", "/pulls/1", job, state="open")
    found = [(event.action, event.waits) for event in world.heard]
    assert found == [("opened", True), ("synchronize", True), ("reopened", True)]


def test_an_apps_deeds_start_everything(world: World) -> None:
    """A GitHub App's token is not a job's."""
    app = world.hub.issue_token({"contents": "write", "pull_requests": "write"}, "app", "shipper[bot]")
    world.branch("topic", token=app)
    world.pull(token=app)
    assert world.names() == ["push", "pull_request opened"]
    assert not any(event.waits for event in world.heard)


def test_a_jobs_dispatches_start_workflows(world: World) -> None:
    """The two exceptions to the rule."""
    job = world.hub.issue_token({"contents": "write", "actions": "write"})
    assert world.ask("POST", "/dispatches", job, event_type="retrain", client_payload={"why": 1}).status_code == 204
    path = "/actions/workflows/train.yml/dispatches"
    assert world.ask("POST", path, job, ref="main", inputs={"version": "3"}).status_code == 204
    assert world.names() == ["repository_dispatch retrain", "workflow_dispatch"]
    assert world.heard[0].payload["client_payload"] == {"why": 1}


def test_listeners_are_called_outside_any_lock(world: World) -> None:
    """A listener may call the server back."""
    seen: list[int] = []
    world.hub.listeners.append(lambda event: seen.append(world.ask("GET", "/pulls").status_code))
    world.branch("topic")
    assert seen == [200]


def test_a_listener_that_fails_is_noted(world: World) -> None:
    """The caller gets his answer, the test its violation."""

    def fail(event: Event) -> None:
        raise LookupError(event.name)

    world.hub.listeners.append(fail)
    assert world.ask("POST", "/dispatches", event_type="a").status_code == 204
    assert "listener failed on repository_dispatch" in world.hub.violations.pop()


# GitHub's OpenAPI


def test_what_openapi_forbids_is_refused_and_noted(world: World) -> None:
    """A request with a number for a title, or without one."""
    for body in ({"title": "T", "head": 7, "base": "main"}, {"body": "b"}):
        answer = world.ask("POST", "/issues" if "body" in body else "/pulls", **body)
        assert (answer.status_code, answer.json()["message"].startswith("Invalid request.")) == (422, True)
        assert world.hub.violations
        world.hub.violations.clear()
    headers = {"Authorization": f"Bearer {world.hub.person.value}"}
    answer = requests.post(f"{world.hub.home}/issues", data=b"{", headers=headers, timeout=9)
    assert (answer.status_code, answer.json()["message"]) == (400, "Problems parsing JSON")


def test_a_wrong_answer_of_ours_is_noted(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Or our own mistakes would teach the tests a GitHub that is not."""
    monkeypatch.setattr(world.hub.settings, "default_branch", 7)
    world.ask("GET", "")
    assert "7 is not of type 'string'" in world.hub.violations.pop()


def test_a_call_that_we_do_not_know_is_noted(world: World) -> None:
    """GitHub might answer it."""
    assert world.ask("GET", "/teapots").status_code == 404
    assert "no such operation here" in world.hub.violations.pop()


def test_every_route_is_in_githubs_openapi() -> None:
    """And nothing else is in our copy of it, which stays small."""
    paths = json.loads(contract.HERE.read_text())["paths"]
    known = {(method.upper(), path) for path, methods in paths.items() for method in methods}
    assert known == {(route.method, route.template) for route in declared()}
    assert contract.HERE.stat().st_size < 400_000


# Many at once


def test_many_at_once_are_served(world: World) -> None:
    """Twenty issues from ten threads have twenty numbers."""

    def two() -> None:
        for _ in range(2):
            world.ask("POST", "/issues", title="T")

    threads = [threading.Thread(target=two) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(world.hub.state.issues) == list(range(1, 21))


def test_nothing_is_left_running(tmp_path: Path) -> None:
    """After the end nobody listens."""
    with LocalGitHub(tmp_path) as hub:
        port = int(hub.url.rpartition(":")[2])
    with socket.socket() as client:
        assert client.connect_ex(("127.0.0.1", port)) != 0
