"""The local GitHub keeps GitHub's rules, one test for each, with a real Git client and a real HTTP client."""

import base64
import json
import os
import shutil
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import requests
from github import contract
from github.model import BOT, Event, Job, Run, Token
from github.pages.markdown import render
from github.rest import actions
from github.routing import declared
from github.server import LocalGitHub
from house import run

WORKFLOW = """\
name: Train
on:
  push:
  workflow_dispatch:
    inputs:
      version: {required: true}
      stage: {type: choice, options: [trial, production], default: trial}
      dry: {type: boolean, default: true}
      rows: {type: number, default: 5}
jobs: {}
"""
PLAIN = "name: Checks\non: push\njobs: {}\n"
PULL_RULE = {
    "type": "pull_request",
    "parameters": {
        "dismiss_stale_reviews_on_push": False,
        "require_code_owner_review": False,
        "require_last_push_approval": False,
        "required_approving_review_count": 0,
        "required_review_thread_resolution": False,
    },
}
CHECK_RULE = {
    "type": "required_status_checks",
    "parameters": {"strict_required_status_checks_policy": False, "required_status_checks": [{"context": "required"}]},
}


Who = Token | str | None
PERSON_ASKS = "person"


@dataclass
class World:
    """The local GitHub, a person's clone, and what the listener heard."""

    hub: LocalGitHub
    clone: Path
    heard: list[Event] = field(default_factory=list)

    def git(self, *command: str, code: int = 0) -> str:
        """Run Git in the clone."""
        return run(self.clone, "git", *command, code=code)

    def branch(self, name: str, file: str = "model.txt", text: str = "new\n", token: Token | None = None) -> str:
        """Push a branch with one commit more than main; the commit."""
        self.git("checkout", "--quiet", "-B", name, "origin/main")
        self.commit(file, text)
        self.push(f"+{name}", token)
        return self.git("rev-parse", "HEAD").strip()

    def commit(self, file: str, text: str) -> None:
        """Commit one file."""
        path = self.clone / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", f"Write {file}")

    def push(self, ref: str, token: Token | None = None, code: int = 0) -> str:
        """Push a ref, as the person unless a token is given."""
        return self.git("push", "--quiet", self.hub.remote_for(token or self.hub.person), ref, code=code)

    def ask(self, method: str, path: str, token: Who = PERSON_ASKS, **body: Any) -> requests.Response:
        """Call the REST interface below the repository, or from the root if the path starts with two slashes."""
        who = self.hub.person if token == PERSON_ASKS else token
        headers = {"Authorization": f"Bearer {who.value}"} if isinstance(who, Token) else {}
        url = f"{self.hub.api}{path[1:]}" if path.startswith("//") else f"{self.hub.home}{path}"
        return requests.request(method, url, json=body or None, headers=headers, timeout=20)

    def pull(self, head: str = "topic", token: Who = PERSON_ASKS, **body: Any) -> dict[str, Any]:
        """Open a pull request."""
        answer = self.ask("POST", "/pulls", token, **{"title": "T", "head": head, "base": "main", **body})
        assert answer.status_code == 201, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def names(self) -> list[str]:
        """What was heard, in short."""
        return [f"{event.name} {event.action}".strip() for event in self.heard]

    def ran(self, number: int, sha: str, conclusion: str | None = "success", waits: bool = False) -> Run:
        """Say that a run with one job, `required`, happened on a commit."""
        event = Event("push", "refs/heads/topic", sha, "ada", {}, head=("topic", sha), waits=waits)
        status = "waiting" if waits else "completed" if conclusion else "in_progress"
        job = Job(
            "required", conclusion, [("Check", "success", 1.5)], "## It works\n\n|a|b|\n|-|-|\n|1|2|", log="hello"
        )
        made = Run(number, "train.yml", "Train", event, self.clone, "2026-01-01T00:00:00Z", status, conclusion)
        made.jobs["required"] = job
        self.hub.runs[number] = made
        return made

    def rules(self, *rules: dict[str, Any], **body: Any) -> dict[str, Any]:
        """Protect the default branch."""
        names = {"ref_name": {"include": ["~DEFAULT_BRANCH"], "exclude": []}}
        about = {"name": "main", "target": "branch", "enforcement": "active", "conditions": names, "rules": list(rules)}
        answer = self.ask("POST", "/rulesets", **{**about, **body})
        assert answer.status_code == 201, answer.text
        found: dict[str, Any] = answer.json()
        return found


@pytest.fixture(scope="module")
def seed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone and its bare remote, with one commit on main."""
    folder = tmp_path_factory.mktemp("seed")
    clone, bare = folder / "clone", folder / "hub" / "tumour-screening.git"
    bare.mkdir(parents=True)
    run(bare, "git", "init", "--quiet", "--bare", "--initial-branch", "main")
    run(folder, "git", "init", "--quiet", "--initial-branch", "main", str(clone))
    files = {"model.txt": "old\n", "README.md": "# Hi\n"}
    files |= {".github/workflows/train.yml": WORKFLOW, ".github/workflows/checks.yml": PLAIN}
    for file, text in files.items():
        (clone / file).parent.mkdir(parents=True, exist_ok=True)
        (clone / file).write_text(text)
    run(clone, "git", "add", "--all")
    run(clone, "git", "commit", "--quiet", "--message", "Begin")
    run(clone, "git", "remote", "add", "origin", str(bare))
    run(clone, "git", "push", "--quiet", "--set-upstream", "origin", "main")
    return folder


@pytest.fixture
def world(seed: Path, tmp_path: Path) -> Iterator[World]:
    """A public repository with one commit on main; whatever a test does, GitHub's OpenAPI has no complaint."""
    shutil.copytree(seed, tmp_path, dirs_exist_ok=True)
    with LocalGitHub(tmp_path / "hub") as hub:
        world = World(hub, tmp_path / "clone")
        world.git("remote", "set-url", "origin", hub.remote)
        hub.listeners.append(world.heard.append)
        yield world
        assert hub.violations == []
    assert not [thread for thread in threading.enumerate() if thread.name == "local GitHub"]


def errors(answer: requests.Response) -> list[str]:
    """What a 422 says, one line per error."""
    assert answer.status_code == 422, answer.text
    return [error.get("message") or f"{error['field']} {error['code']}" for error in answer.json().get("errors", [])]


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


# Pull requests


def test_a_pull_request_is_merged_for_real(world: World) -> None:
    """Its merge commit is in refs/pull/N/merge before, in main after; a push and a close are heard."""
    sha = world.branch("topic")
    world.pull()
    event = world.heard[-1]
    assert (event.ref, event.head) == ("refs/pull/1/merge", ("topic", sha))
    assert world.hub.git.commit(event.sha).parents == (world.hub.git.branch("main"), sha)
    world.heard.clear()
    assert world.ask("PUT", "/pulls/1/merge").json()["merged"] is True
    assert world.names() == ["pull_request closed", "push"]
    assert world.heard[0].payload["pull_request"]["merged"] is True
    main = world.hub.git.branch("main")
    assert (world.heard[0].ref, world.heard[0].sha, world.heard[1].sha) == ("refs/heads/main", main, main)
    assert world.hub.git.text("main", "model.txt") == "new"
    found = world.ask("GET", "/pulls/1").json()
    assert (found["state"], found["merged"], found["merged_by"]["login"]) == ("closed", True, "ada")


@pytest.mark.parametrize(("method", "parents", "title"), [
    ("merge", 2, "Merge pull request #1 from ada/topic"), ("squash", 1, "T (#1)"), ("rebase", 1, "Write model.txt"),
])  # fmt: skip
def test_there_are_three_ways_to_merge(world: World, method: str, parents: int, title: str) -> None:
    """Each makes the commit that GitHub would make."""
    world.branch("topic")
    world.commit("other.txt", "x\n")
    world.push("main")
    world.branch("topic")
    world.pull()
    sha = world.ask("PUT", "/pulls/1/merge", merge_method=method).json()["sha"]
    commit = world.hub.git.commit(sha)
    assert (len(commit.parents), commit.message.splitlines()[0]) == (parents, title)


def test_a_pull_request_follows_its_branch_until_it_is_closed(world: World) -> None:
    """The head is the branch's while it is open, and stays once it is not."""
    first = world.branch("topic")
    assert world.pull()["head"]["sha"] == first
    world.commit("model.txt", "newer\n")
    world.push("topic")
    second = world.git("rev-parse", "HEAD").strip()
    assert world.names()[-1] == "pull_request synchronize"
    assert world.ask("GET", "/pulls/1").json()["head"]["sha"] == second
    world.ask("PATCH", "/pulls/1", state="closed")
    world.branch("topic", text="third\n")
    assert world.ask("GET", "/pulls/1").json()["head"]["sha"] == second
    assert world.names().count("pull_request synchronize") == 1


def test_a_conflict_is_not_merged(world: World) -> None:
    """A pull request that conflicts is not mergeable and starts nothing."""
    world.branch("topic", text="one\n")
    world.branch("main", text="two\n")
    found = world.pull()
    assert (found["mergeable"], found["mergeable_state"]) == (False, "dirty")
    assert world.names() == ["push", "push"]
    answer = world.ask("PUT", "/pulls/1/merge")
    assert (answer.status_code, answer.json()["message"]) == (405, "Pull Request is not mergeable")


def test_a_merge_by_hand_is_noticed(world: World) -> None:
    """Whoever merges locally and pushes main has merged the pull request."""
    world.branch("topic")
    world.pull()
    world.git("checkout", "--quiet", "main")
    world.git("merge", "--quiet", "--no-ff", "--no-edit", "topic")
    world.push("main")
    assert world.ask("GET", "/pulls/1").json()["merged"] is True
    assert world.ask("GET", "/pulls/1/merge").status_code == 204


def test_deleting_the_branch_closes_the_pull_request(world: World) -> None:
    """And it is not reopened without the branch."""
    world.branch("topic")
    world.pull()
    assert world.ask("GET", "/pulls/1/merge").status_code == 404
    world.push(":topic")
    assert world.ask("GET", "/pulls/1").json()["state"] == "closed"
    said = errors(world.ask("PATCH", "/pulls/1", state="open"))
    assert said == ["state cannot be changed. The topic branch has been deleted."]


def test_the_branch_is_deleted_after_the_merge_if_the_owner_wants_it(world: World) -> None:
    """A setting of the repository."""
    world.hub.settings.delete_branch_on_merge = True
    world.branch("topic")
    world.pull()
    world.ask("PUT", "/pulls/1/merge")
    assert world.hub.git.branch("topic") is None


def test_what_is_merged_is_not_merged_again(world: World) -> None:
    """405 the second time; 409 for another commit than the caller saw; nothing is reopened."""
    world.branch("topic")
    world.pull()
    assert world.ask("PUT", "/pulls/1/merge", sha="a" * 40).status_code == 409
    assert world.ask("PUT", "/pulls/1/merge", sha=world.hub.git.branch("topic")).status_code == 200
    assert world.ask("PUT", "/pulls/1/merge").status_code == 405
    assert errors(world.ask("PATCH", "/pulls/1", state="open")) == [
        "state cannot be changed. The pull request cannot be reopened."
    ]


REFUSED: dict[str, tuple[dict[str, str], str]] = {
    "no such head": ({"head": "nowhere"}, "head invalid"),
    "somebody else's head": ({"head": "grace:topic"}, "head invalid"),
    "no such base": ({"base": "nowhere"}, "base invalid"),
    "nothing to merge": ({"head": "main"}, "No commits between main and main"),
    "no title": ({"title": " "}, "title missing_field"),
    "a long title": ({"title": "x" * 257}, "title is too long (maximum is 256 characters)"),
    "a long body": ({"body": "x" * 65_537}, "body is too long (maximum is 65536 characters)"),
}


@pytest.mark.parametrize("named", REFUSED)
def test_a_wrong_pull_request_is_refused(world: World, named: str) -> None:
    """In GitHub's shape and words."""
    change, sentence = REFUSED[named]
    world.branch("topic")
    assert errors(world.ask("POST", "/pulls", **{"title": "T", "head": "topic", "base": "main", **change})) == [
        sentence
    ]
    assert world.hub.state.pulls == {}


def test_there_is_one_pull_request_per_branch(world: World) -> None:
    """The second is refused; after the first is closed there may be another."""
    world.branch("topic")
    world.pull("ada:topic")
    body = {"title": "T", "head": "topic", "base": "main"}
    assert errors(world.ask("POST", "/pulls", **body)) == ["A pull request already exists for ada:topic."]
    world.ask("PATCH", "/pulls/1", state="closed")
    assert world.pull()["number"] == 2
    said = errors(world.ask("PATCH", "/pulls/1", state="open"))
    assert said == ["state cannot be changed. There is already an open pull request from topic to main."]


def test_a_job_opens_no_pull_request_unless_the_owner_allows_it(world: World) -> None:
    """The setting is off in a new repository; an App does not mind it."""
    grants = {"pull_requests": "write"}
    job, app = world.hub.issue_token(grants), world.hub.issue_token(grants, "app", "shipper[bot]")  # type: ignore[arg-type]
    world.branch("topic")
    body = {"title": "T", "head": "topic", "base": "main"}
    answer = world.ask("POST", "/pulls", job, **body)
    sentence = "GitHub Actions is not permitted to create or approve pull requests."
    assert (answer.status_code, answer.json()["message"]) == (403, sentence)
    assert world.ask("PUT", "/actions/permissions/workflow", can_approve_pull_request_reviews=True).status_code == 204
    assert world.ask("GET", "/actions/permissions/workflow").json()["can_approve_pull_request_reviews"] is True
    assert world.ask("POST", "/pulls", job, **body).status_code == 201
    world.ask("PATCH", "/pulls/1", state="closed")
    world.hub.settings.actions_may_open_pull_requests = False
    assert world.ask("POST", "/pulls", app, **body).status_code == 201


def test_pull_requests_are_listed_by_state_head_and_base(world: World) -> None:
    """A head without its owner is ignored, as GitHub ignores it."""
    for name in ("one", "two"):
        world.branch(name)
        world.pull(name)
    world.ask("PATCH", "/pulls/1", state="closed")

    def listed(query: str) -> list[int]:
        return [pull["number"] for pull in world.ask("GET", f"/pulls?{query}").json()]

    assert listed("") == [2]
    assert listed("state=all") == [2, 1]
    assert listed("state=all&direction=asc") == [1, 2]
    assert listed("state=all&head=ada:one") == [1]
    assert listed("state=all&head=one") == [2, 1]
    assert listed("state=all&base=other") == []


def test_long_lists_come_in_pages(world: World) -> None:
    """With links to the next and the last, the previous and the first."""
    for number in range(5):
        world.ask("POST", "/labels", name=f"label {number}")
    answer = world.ask("GET", "/labels?per_page=2&page=2")
    assert [label["name"] for label in answer.json()] == ["label 2", "label 3"]
    assert {name: link["url"].rpartition("page=")[2] for name, link in answer.links.items()} == {
        "prev": "1", "first": "1", "next": "3", "last": "3",
    }  # fmt: skip
    assert [label["name"] for label in requests.get(answer.links["next"]["url"], timeout=9).json()] == ["label 4"]


def test_a_pull_request_is_counted(world: World) -> None:
    """Commits, files and lines, as Git has them."""
    world.branch("topic", text="a\nb\n")
    found = world.pull()
    assert [found[name] for name in ("commits", "changed_files", "additions", "deletions")] == [1, 1, 2, 1]


def test_an_update_is_logged_even_if_it_changes_nothing(world: World) -> None:
    """Tests count the writes; only a change is heard."""
    world.branch("topic")
    world.pull(body="b")
    world.heard.clear()
    assert world.ask("PATCH", "/pulls/1", title="T", body="b").status_code == 200
    assert world.heard == []
    assert world.hub.requests[-1][:4] == ("PATCH", "/api/v3/repos/ada/tumour-screening/pulls/1", 200, "ada")
    assert world.hub.requests[-1].body == {"title": "T", "body": "b"}
    assert world.ask("PATCH", "/pulls/1", body="c").json()["body"] == "c"
    assert world.names() == ["pull_request edited"]
    assert errors(world.ask("PATCH", "/pulls/1", body="x" * 65_537)) == [
        "body is too long (maximum is 65536 characters)"
    ]


def test_nobody_approves_his_own_work(world: World) -> None:
    """Another may; a job may not while the owner forbids it."""
    world.branch("topic")
    world.pull()
    own = world.ask("POST", "/pulls/1/reviews", event="APPROVE")
    assert (own.status_code, own.json()["errors"]) == (422, ["Can not approve your own pull request"])
    job = world.hub.issue_token({"pull_requests": "write"})
    assert world.ask("POST", "/pulls/1/reviews", job, event="APPROVE").status_code == 403
    grace = world.hub.issue_token({"pull_requests": "write"}, "person", "grace")
    assert world.ask("POST", "/pulls/1/reviews", grace, event="APPROVE").json()["state"] == "APPROVED"
    assert world.ask("POST", "/pulls/1/reviews", grace, event="REQUEST_CHANGES").status_code == 422
    assert [review["user"]["login"] for review in world.ask("GET", "/pulls/1/reviews").json()] == ["grace"]


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


def test_a_repository_dispatch_has_limits(world: World) -> None:
    """Ten keys; a type of a hundred characters."""
    payload = {str(number): 1 for number in range(11)}
    answer = world.ask("POST", "/dispatches", event_type="a", client_payload=payload)
    assert (answer.status_code, "No more than 10 properties" in answer.json()["message"]) == (422, True)
    world.hub.violations.clear()  # GitHub's OpenAPI knows both limits too.
    assert world.ask("POST", "/dispatches", event_type="a" * 101).status_code == 422
    world.hub.violations.clear()
    assert world.heard == []


# Rules


def test_main_takes_no_direct_push_where_rules_say_so(world: World) -> None:
    """The push is refused whole, in GitHub's words; a merge arrives."""
    world.rules(PULL_RULE)
    world.commit("model.txt", "new\n")
    said = world.push("main", code=1)
    assert "GH013: Repository rule violations found for refs/heads/main." in said
    assert "Changes must be made through a pull request." in said
    world.push("main:topic")
    world.pull()
    assert world.ask("PUT", "/pulls/1/merge").status_code == 200


def test_who_may_bypass_a_rule_bypasses_it(world: World) -> None:
    """Listed by role; a job is not the owner."""
    world.rules(PULL_RULE, bypass_actors=[{"actor_id": 5, "actor_type": "RepositoryRole", "bypass_mode": "always"}])
    world.commit("model.txt", "new\n")
    assert "GH013" in world.push("main", world.hub.issue_token({"contents": "write"}), code=1)
    world.push("main")


def test_main_is_neither_rewound_nor_deleted_where_rules_say_so(world: World) -> None:
    """Other branches are."""
    world.rules({"type": "non_fast_forward"}, {"type": "deletion"})
    world.commit("model.txt", "new\n")
    world.push("main")
    assert "Cannot force-push to this branch" in world.push("+main~1:main", code=1)
    assert "Cannot delete this branch" in world.push(":main", code=1)
    world.push("main:topic")
    world.push(":topic")


@pytest.mark.parametrize("how", ["status", "check"])
def test_a_merge_waits_for_required_checks(world: World, how: str) -> None:
    """A commit status satisfies them, and so does a run's job."""
    world.rules(CHECK_RULE)
    sha = world.branch("topic")
    world.pull()
    assert world.ask("GET", "/pulls/1").json()["mergeable_state"] == "blocked"
    answer = world.ask("PUT", "/pulls/1/merge")
    sentence = 'Repository rule violations found\n\nRequired status check "required" is expected.'
    assert (answer.status_code, answer.json()["message"]) == (405, sentence)
    if how == "status":
        world.ask("POST", f"/statuses/{sha}", state="success", context="required")
    else:
        world.ran(1, sha)
    assert world.ask("PUT", "/pulls/1/merge").status_code == 200


def test_a_merge_waits_for_an_approval(world: World) -> None:
    """As many as the ruleset asks for, and no open request for changes."""
    world.rules({**PULL_RULE, "parameters": {**PULL_RULE["parameters"], "required_approving_review_count": 1}})  # type: ignore[dict-item]
    world.branch("topic")
    world.pull()
    assert world.ask("PUT", "/pulls/1/merge").status_code == 405
    grace = world.hub.issue_token({"pull_requests": "write"}, "person", "grace")
    world.ask("POST", "/pulls/1/reviews", grace, event="REQUEST_CHANGES", body="no")
    assert "Changes have been requested." in world.ask("PUT", "/pulls/1/merge").json()["message"]
    world.ask("POST", "/pulls/1/reviews", grace, event="APPROVE")
    assert world.ask("PUT", "/pulls/1/merge").status_code == 200


def test_rulesets_are_read_and_changed(world: World) -> None:
    """One that is disabled binds nobody; a name is taken once; a private repository on a free plan has none."""
    made = world.rules(PULL_RULE)
    assert [rule["type"] for rule in world.ask("GET", "/rules/branches/main").json()] == ["pull_request"]
    assert [ruleset["name"] for ruleset in world.ask("GET", "/rulesets").json()] == ["main"]
    body = {"name": "main", "enforcement": "active"}
    assert errors(world.ask("POST", "/rulesets", **body)) == ["Name must be unique"]
    assert world.ask("PUT", f"/rulesets/{made['id']}", enforcement="disabled").status_code == 200
    assert world.ask("GET", f"/rulesets/{made['id']}").json()["enforcement"] == "disabled"
    assert world.ask("GET", "/rules/branches/main").json() == []
    world.commit("model.txt", "new\n")
    world.push("main")
    assert world.ask("GET", "/rulesets/1").status_code == 404
    world.hub.settings.private = True
    assert world.ask("POST", "/rulesets", **body).status_code == 403


def test_a_private_free_repository_has_no_reviewers(world: World) -> None:
    """The environment itself may be made."""
    body: dict[str, Any] = {"reviewers": [{"type": "User", "id": 1}]}
    assert world.ask("PUT", "/environments/production", **body).status_code == 200
    rules = world.ask("GET", "/environments/production").json()["protection_rules"]
    assert [rule["type"] for rule in rules] == ["required_reviewers"]
    world.hub.settings.private = True
    answer = world.ask("PUT", "/environments/production", **body)
    assert (answer.status_code, "billing plan" in answer.json()["message"]) == (422, True)
    assert world.ask("PUT", "/environments/trial").status_code == 200
    assert world.ask("GET", "/environments").json()["total_count"] == 2
    assert world.ask("GET", "/environments/none").status_code == 404


# Bad days


@pytest.mark.parametrize("kind", ["401", "403-integration", "403-pull-requests", "404", "409", "422", "502"])
def test_a_call_fails_on_demand(world: World, kind: Any) -> None:
    """Once, without an effect; then all is well."""
    world.hub.faults.add(method="POST", path=r"/issues$", kind=kind)
    assert world.ask("GET", "/issues").status_code == 200
    assert world.ask("POST", "/issues", title="T").status_code == int(kind[:3])
    assert world.hub.state.issues == {}
    assert world.ask("POST", "/issues", title="T").status_code == 201


def test_a_bad_gateway_speaks_html(world: World) -> None:
    """A client that expects JSON of every answer must not stumble."""
    world.hub.faults.add(method="GET", path=r"/issues$", kind="502")
    assert world.ask("GET", "/issues").headers["content-type"].startswith("text/html")


@pytest.mark.parametrize(
    ("kind", "words"), [("429", "rate limit"), ("403-secondary", "exceeded a secondary rate limit")]
)
def test_a_limit_says_how_long_to_wait(world: World, kind: Any, words: str) -> None:
    """In the header that clients must honour; twice, after one call that goes well."""
    world.hub.faults.add(method="GET", path=r"/issues$", kind=kind, times=2, seconds=7, skip=1)
    statuses = [world.ask("GET", "/issues") for _ in range(4)]
    assert [answer.status_code for answer in statuses] == [200, int(kind[:3]), int(kind[:3]), 200]
    assert statuses[1].headers["retry-after"] == "7"
    assert words in statuses[1].json()["message"]


def test_an_answer_is_lost(world: World) -> None:
    """The deed is done, and heard of; the caller cannot know."""
    world.hub.faults.add(method="POST", path=r"/issues$", kind="lost")
    with pytest.raises(requests.ConnectionError):
        world.ask("POST", "/issues", title="T")
    assert (len(world.hub.state.issues), world.names()) == (1, ["issues opened"])
    assert world.hub.requests[-1].status == 201


def test_a_connection_is_dropped(world: World) -> None:
    """Nothing was done."""
    world.hub.faults.add(method="POST", path=r"/issues$", kind="dropped")
    with pytest.raises(requests.ConnectionError):
        world.ask("POST", "/issues", title="T")
    assert world.hub.state.issues == {}
    assert world.hub.requests[-1].status == 0


def test_an_answer_is_slow(world: World) -> None:
    """But it comes."""
    world.hub.faults.add(method="GET", path=r"/issues$", kind="slow", seconds=0.3)
    start = time.monotonic()
    assert world.ask("GET", "/issues").status_code == 200
    assert time.monotonic() - start > 0.3


@pytest.mark.parametrize(("kind", "arrives"), [("502", False), ("dropped", False), ("lost", True), ("429", False)])
def test_a_push_fails_on_demand(world: World, kind: Any, arrives: bool) -> None:
    """Git has bad days too."""
    world.hub.faults.add(method="POST", path=r"/git-receive-pack$", kind=kind)
    world.push("main:topic", code=1)
    assert (world.hub.git.branch("topic") is not None) is arrives


def test_an_unknown_fault_is_refused(world: World) -> None:
    """A misspelt one would never befall anything."""
    with pytest.raises(ValueError, match="'teapot' is not a fault"):
        world.hub.faults.add(method="GET", path="", kind="teapot")  # type: ignore[arg-type]


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


# Pages


def test_a_pull_requests_page_is_read_and_its_button_merges(world: World) -> None:
    """As the person; the Markdown is rendered, its comments are hidden, its scripts are gone."""
    sha = world.branch("topic")
    world.ran(1, sha)
    table, more = "|a|b|\n|-|-|\n|1|2|\n\n", "<details><summary>More</summary>text</details>\n"
    body = f"<!-- hidden -->\n{table}{more}<script>evil()</script>"
    world.pull(body=body)
    page = f"{world.hub.page}/pull/1"
    text = requests.get(page, timeout=9).text
    assert all(piece in text for piece in ("<td>1</td>", "<summary>More</summary>", "Train / required"))
    assert "hidden" not in text
    assert "evil" not in text
    assert requests.post(f"{page}/merge", headers={"Origin": "http://evil.example"}, timeout=9).status_code == 403
    assert requests.post(f"{page}/merge", timeout=9).status_code == 200
    assert world.names()[-2:] == ["pull_request closed", "push"]
    assert "merged commit" in requests.get(page, timeout=9).text
    assert requests.post(f"{page}/merge", timeout=9).status_code == 405


def test_every_page_is_read(world: World) -> None:
    """The repository, an issue, a run, a file, a comparison, the settings."""
    sha = world.branch("some/topic", "notes.md", "**bold**\n")
    world.ran(1, sha)
    world.ask("POST", "/issues", title="A question", body="why?")
    pieces = {
        "": "A question", "/issues/1": "why?", "/actions/runs/1": "<h2>It works</h2>",
        "/blob/some/topic/notes.md": "<strong>bold</strong>", "/raw/some/topic/notes.md": "**bold**",
        "/compare/main...some/topic": "Create pull request", "/settings/actions": "Allow GitHub Actions",
    }  # fmt: skip
    for path, piece in pieces.items():
        answer = requests.get(f"{world.hub.page}{path}", timeout=9)
        assert (path, answer.status_code, piece in answer.text) == (path, 200, True)
    assert requests.get(f"{world.hub.page}/pull/9", timeout=9).status_code == 404


def test_the_other_buttons_work(world: World) -> None:
    """Open a pull request from a comparison, close it, allow jobs to open some."""
    world.branch("topic")
    page = world.hub.page
    opened = requests.post(f"{page}/compare/main...topic", data={"title": "Mine"}, timeout=9)
    assert (opened.url, "Mine" in opened.text) == (f"{page}/pull/1", True)
    requests.post(f"{page}/pull/1/close", timeout=9)
    assert world.ask("GET", "/pulls/1").json()["state"] == "closed"
    requests.post(f"{page}/settings/actions", data={"allowed": "on"}, timeout=9)
    assert world.hub.settings.actions_may_open_pull_requests is True


def test_a_person_lets_a_waiting_run_start(world: World) -> None:
    """By the button or by the call; a job cannot."""
    waiting = world.ran(1, world.branch("topic"), None, waits=True)
    let: list[tuple[int, str]] = []
    world.hub.approvers.append(lambda run, token: let.append((run.id, token.login)))
    job = world.hub.issue_token({"actions": "write"})
    assert world.ask("POST", "/actions/runs/1/approve", job).status_code == 403
    assert world.ask("POST", "/actions/runs/1/approve").status_code == 201
    requests.post(f"{world.hub.page}/actions/runs/1/approve", timeout=9)
    assert let == [(1, "ada"), (1, "ada")]
    assert actions.waits(waiting)


@pytest.mark.parametrize(("text", "html"), [
    ("> [!NOTE]\n> Mind", "<strong>Note</strong>"), ("- [x] done", "☑ done"), ("~~no~~", "<s>no</s>"),
        ("|a|\n|-:|\n|1|", '<td align="right">1</td>'),
    ("[a](javascript:alert(1))", "[a](javascript:alert(1))"), ('<a href="java&#10;script:x">a</a>', "<a>a</a>"),
    ('<img src="x" onerror="evil()">', '<img src="x">'), ("a &lt; b", "a &lt; b"),
])  # fmt: skip
def test_markdown_is_rendered_as_github_renders_it(text: str, html: str) -> None:
    """Alerts, tasks, and nothing that acts."""
    assert html in render(text)


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
