"""The local GitHub's runner starts what GitHub would start."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from github.model import Event, Token
from github.runner.clock import is_due
from github.runner.repository import Repository
from github.runner.triggers import starts
from github.runner.workflow import parse_workflow
from runner_world import RunnerWorld, workflow


@pytest.fixture
def world(tmp_path: Path) -> Iterator[RunnerWorld]:
    """A new world; its runner is stopped at the end."""
    made = RunnerWorld(tmp_path)
    with made.runner:
        yield made


PUSHES = {  # filter, ref, whether it starts; the push changed src/a/deep.py, docs/x.md and notes.txt
    "any branch": ("push", "refs/heads/topic", True),
    "a list of events": ("[pull_request, push]", "refs/heads/topic", True),
    "another event": ("pull_request", "refs/heads/main", False),
    "its branch": ("{push: {branches: [main]}}", "refs/heads/main", True),
    "another branch": ("{push: {branches: [main]}}", "refs/heads/topic", False),
    "a star stops at a slash": ("{push: {branches: ['release/*']}}", "refs/heads/release/1/2", False),
    "two stars do not": ("{push: {branches: ['release/**']}}", "refs/heads/release/1/2", True),
    "the last pattern decides": ("{push: {branches: ['**', '!topic']}}", "refs/heads/topic", False),
    "an ignored branch": ("{push: {branches-ignore: [topic]}}", "refs/heads/topic", False),
    "a tag where branches are named": ("{push: {branches: ['**']}}", "refs/tags/1.0", False),
    "a tag": ("{push: {tags: ['[0-9]+.*']}}", "refs/tags/10.2", True),
    "a branch where tags are named": ("{push: {tags: ['**']}}", "refs/heads/main", False),
    "a path": ("{push: {paths: ['src/**']}}", "refs/heads/main", True),
    "a path anywhere": ("{push: {paths: ['**/deep.py']}}", "refs/heads/main", True),
    "a path at the top": ("{push: {paths: ['**/notes.txt']}}", "refs/heads/main", True),
    "a star in a path": ("{push: {paths: ['src/*.py']}}", "refs/heads/main", False),
    "a path taken away": ("{push: {paths: ['src/**', '!src/a/**']}}", "refs/heads/main", False),
    "some paths ignored": ("{push: {paths-ignore: ['src/**']}}", "refs/heads/main", True),
    "all paths ignored": ("{push: {paths-ignore: ['**.py', docs/x.md, notes.*]}}", "refs/heads/main", False),
}


@pytest.mark.parametrize(("on", "ref", "expected"), PUSHES.values(), ids=PUSHES)
def test_pushes_are_filtered(world: RunnerWorld, on: str, ref: str, expected: bool) -> None:
    """Branches, tags and paths, by GitHub's patterns."""
    before = world.commit(**{"old/file": "x"})
    sha = world.commit(**{"src/a/deep.py": "", "docs/x.md": "", "./notes.txt": ""})
    world.git("push", "--quiet", "origin", "HEAD:refs/heads/main")
    event = Event("push", ref, sha, "ada", {}, before=before)
    assert starts(parse_workflow("ci.yml", workflow(on)), event, Repository(world.hub.bare)) is expected


def test_a_new_branch_is_compared_with_the_default_one(world: RunnerWorld) -> None:
    """The changed files of its first push are those that main lacks."""
    world.commit(**{"src/a": ""})
    world.git("push", "--quiet", "origin", "HEAD:refs/heads/main")
    sha = world.commit(**{"docs/b": ""})
    world.git("push", "--quiet", "origin", "HEAD:refs/heads/topic")
    event, repository = Event("push", "refs/heads/topic", sha, "ada", {}), Repository(world.hub.bare)
    assert starts(parse_workflow("ci.yml", workflow("{push: {paths: ['docs/**']}}")), event, repository)
    assert not starts(parse_workflow("ci.yml", workflow("{push: {paths: ['src/**']}}")), event, repository)


def test_a_disabled_workflow_does_not_start(world: RunnerWorld) -> None:
    """Other workflows start; it starts again after it is enabled."""
    world.commit(on=workflow("push"), off=workflow("push"))
    world.hub.settings.disabled = {"off.yml"}
    world.push()
    world.hub.settings.disabled = set()
    world.push()
    assert [run.workflow for run in world.runner.wait(60)] == ["on.yml", "off.yml", "on.yml"]


TYPES = {
    "opened by default": ("pull_request", "opened", True),
    "synchronize by default": ("{pull_request: }", "synchronize", True),
    "closed not by default": ("pull_request", "closed", False),
    "closed if named": ("{pull_request: {types: [closed]}}", "closed", True),
    "opened not if closed is named": ("{pull_request: {types: closed}}", "opened", False),
    "to this branch": ("{pull_request: {branches: [main]}}", "opened", True),
    "to another branch": ("{pull_request: {branches: [topic]}}", "opened", False),
    "with a path of its own": ("{pull_request: {paths: [own]}}", "opened", True),
    "with a path that only main changed": ("{pull_request: {paths: [theirs]}}", "opened", False),
}


@pytest.mark.parametrize(("on", "action", "expected"), TYPES.values(), ids=TYPES)
def test_pull_requests_are_filtered(world: RunnerWorld, on: str, action: str, expected: bool) -> None:
    """Types, the branch they go to, and the files they change since they left it."""
    event = replace(world.pull_request(), action=action)
    assert starts(parse_workflow("ci.yml", workflow(on)), event, Repository(world.hub.bare)) is expected


def test_a_message_can_ask_for_no_run(world: RunnerWorld) -> None:
    """GitHub supports this for pushes."""
    world.commit(ci=workflow("push"))
    world.git("commit", "--quiet", "--allow-empty", "--message", "Docs [skip ci]")
    world.push()
    assert world.runner.wait(1) == []


def test_a_repository_dispatch_is_known_by_its_type(world: RunnerWorld) -> None:
    """Other types start nothing."""
    on = "{repository_dispatch: {types: [data]}}"
    world.commit(go=workflow(on, "run: echo ${{ github.event.client_payload.n }}"))
    world.push()
    for action in ("other", "data"):
        payload = {"client_payload": {"n": 3}}
        world.runner.on_event(Event("repository_dispatch", "", "", "ada", payload, action=action))
    assert world.run().jobs["one"].log == "3\n"


def test_a_bots_pull_request_waits_for_approval(world: RunnerWorld) -> None:
    """The run is listed without jobs."""
    world.runner.on_event(replace(world.pull_request(ci=workflow("pull_request")), waits=True))
    run = world.run()
    assert (run.status, run.conclusion, run.jobs) == ("completed", "action_required", {})


def test_an_approved_run_starts(world: RunnerWorld) -> None:
    """After the approval, it runs like any other."""
    world.runner.on_event(replace(world.pull_request(ci=workflow("pull_request")), waits=True))
    run = world.run()
    world.runner.approve(run, Token("", "person", "ada"))
    world.runner.wait(60)
    assert run.conclusion == "success"
    assert run.jobs


@pytest.mark.parametrize(("cron", "expected"), [
    ("17 * * * *", True), ("*/17 5 * * *", True), ("17 5 2 1,2 *", True), ("17 5 3 * 1-5", True), ("18 * * * *", False),
    ("17 6-8 * * *", False), ("17 5 3 * *", False),
])  # fmt: skip
def test_schedules_are_due_at_their_minutes(cron: str, expected: bool) -> None:
    """The time is 05:17 on Monday, 2 February 2026."""
    assert is_due(cron, datetime(2026, 2, 2, 5, 17, tzinfo=UTC)) is expected


def test_a_merge_queue_starts_its_workflows(world: RunnerWorld) -> None:
    """The target branch of the queue counts."""
    sha = world.commit(ci=workflow("{merge_group: {branches: [main]}}"))
    world.git("push", "--quiet", "origin", "HEAD:refs/heads/gh-readonly-queue/main/pr-1")
    payload = {"merge_group": {"base_ref": "refs/heads/main"}}
    ref = "refs/heads/gh-readonly-queue/main/pr-1"
    world.runner.on_event(Event("merge_group", ref, sha, "ada", payload, action="checks_requested"))
    assert world.run().conclusion == "success"
