"""The local GitHub's runner starts what GitHub would start, and runs it as GitHub would."""

import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest
from github.model import Event, Grant, Run, Token
from github.runner import Runner
from github.runner.clock import due
from github.runner.expressions import NotUnderstood, evaluate, interpolate
from github.runner.repository import Repository
from github.runner.rewrite import for_act
from github.runner.triggers import starts
from github.runner.workflow import read
from house import PERSON

CHECKOUT = "actions/checkout@3d3c42e5aac5ba805825da76410c181273ba90b1"
PYTHON = "actions/setup-python@5fda3b95a4ea91299a34e894583c3862153e4b97"
UPLOAD = "actions/upload-artifact@043fb46d1a93c77aae656e7c1c64a875d1fc6a0a"
DOWNLOAD = "actions/download-artifact@3e5f45b2cfb9172054b4087a40e8e0b5a5461e7c"


@dataclass
class Settings:
    """What the repository's owner has set."""

    default_workflow_permissions: str = "read"


@dataclass
class FakeHub:
    """A server without a network: a bare repository that is fetched from its folder, and tokens."""

    root: Path
    repository: str = "ada/iris"
    runs: dict[int, Run] = field(default_factory=dict)
    settings: Settings = field(default_factory=Settings)
    issued: list[Token] = field(default_factory=list)
    revoked: list[Token] = field(default_factory=list)

    @property
    def url(self) -> str:
        """Git fetches from here."""
        return f"file://{self.root}"

    @property
    def api(self) -> str:
        """Nobody answers here."""
        return f"{self.url}/api"

    @property
    def bare(self) -> Path:
        """The repository."""
        return self.root / self.repository

    def issue_token(self, permissions: Mapping[str, Grant], /) -> Token:
        """A token, remembered."""
        token = Token(f"ghs_secret{len(self.issued)}", "actions", "github-actions[bot]", permissions)
        self.issued.append(token)
        return token

    def revoke(self, token: Token, /) -> None:
        """Remember that, too."""
        self.revoked.append(token)


class World:
    """A person's clone, the server it pushes to, and the runner that hears of it."""

    def __init__(self, folder: Path) -> None:
        """An empty repository."""
        self.hub = FakeHub(folder / "server")
        self.clone, self.out = folder / "clone", folder / "out"
        self.out.mkdir()
        subprocess.run(["git", "init", "-q", "--bare", "-b", "main", self.hub.bare], check=True)
        subprocess.run(["git", "clone", "-q", self.hub.bare, self.clone], check=True, stderr=subprocess.DEVNULL)
        self.runner = Runner(self.hub, folder / "runs", workers=3, env={"OUT": str(self.out)})

    def git(self, *arguments: str) -> str:
        """Git in the clone."""
        done = subprocess.run(
            ["git", *arguments],
            cwd=self.clone,
            env={**os.environ, **PERSON},
            check=True,
            capture_output=True,
            text=True,
        )
        return done.stdout.strip()

    def commit(self, **files: str) -> str:
        """Write workflows (by name) or, with a slash in the name, other files, and commit them."""
        for name, text in files.items():
            path = self.clone / (name if "/" in name else f".github/workflows/{name}.yml")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text.replace("CHECKOUT", CHECKOUT).replace("UPLOAD", UPLOAD).replace("DOWNLOAD", DOWNLOAD))
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", "Change")
        return self.git("rev-parse", "HEAD")

    def push(self, ref: str = "refs/heads/main", before: str = "0" * 40) -> None:
        """Push what is checked out, and tell the runner."""
        self.git("push", "--quiet", "--force", "origin", f"HEAD:{ref}")
        self.runner.on_event(Event("push", ref, self.git("rev-parse", "HEAD"), "ada", {}, before=before))

    def pull(self, base: str, head: str, merge: str, action: str = "opened", waits: bool = False) -> Event:
        """A pull request's event."""
        pull = {"number": 7, "base": {"ref": "main", "sha": base}, "head": {"ref": "topic", "sha": head}}
        return Event("pull_request", "refs/pull/7/merge", merge, "ada", {"number": 7, "pull_request": pull},
                     action=action, head=("topic", head), waits=waits)  # fmt: skip

    def dispatch(self, workflow: str, **inputs: str) -> None:
        """Start a workflow by hand on main."""
        sha = self.git("rev-parse", "HEAD")
        self.runner.on_event(
            Event("workflow_dispatch", "refs/heads/main", sha, "ada", {"inputs": inputs}, workflow=f"{workflow}.yml")
        )

    def go(self) -> None:
        """Let the jobs that wait for it end."""
        (self.out / "go").touch()

    def order(self) -> list[str]:
        """What jobs have noted, in order."""
        notes = self.out / "order"
        return notes.read_text().splitlines() if notes.exists() else []

    def until(self, condition: Callable[[], bool]) -> None:
        """Wait for something to be so."""
        deadline = time.monotonic() + 60
        while not condition():
            assert time.monotonic() < deadline
            time.sleep(0.02)

    def run(self) -> Run:
        """The only run, once it is over."""
        (run,) = self.runner.wait(60)
        return run


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """A new world, in which nothing is left running."""
    made = World(tmp_path)
    with made.runner:
        yield made


def workflow(on: str, *steps: str, extra: str = "") -> str:
    """A workflow with one job."""
    lines = "".join(f"      - {step}\n" for step in steps or ("run: echo hello",))
    return f"name: Test\non: {on}\njobs:\n  one:\n    runs-on: ubuntu-latest\n{extra}    steps:\n{lines}"


def test_a_push_runs_the_workflow_of_its_commit(world: World) -> None:
    """Its steps, their conclusions and what they print are on record."""
    world.commit(ci=workflow("push", "run: echo hello", "{name: Fail, run: exit 3}", "run: echo never"))
    world.push()
    run = world.run()
    assert (run.status, run.conclusion, run.name) == ("completed", "failure", "Test")
    job = run.jobs["one"]
    assert job.log.startswith("hello\n")
    assert [(name, end) for name, end, _ in job.steps] == [
        ("Run echo hello", "success"), ("Fail", "failure"), ("Run echo never", "skipped")
    ]  # fmt: skip


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
def test_pushes_are_filtered(world: World, on: str, ref: str, expected: bool) -> None:
    """Branches, tags and paths, by GitHub's patterns."""
    before = world.commit(**{"old/file": "x"})
    sha = world.commit(**{"src/a/deep.py": "", "docs/x.md": "", "./notes.txt": ""})
    world.git("push", "--quiet", "origin", "HEAD:refs/heads/main")
    event = Event("push", ref, sha, "ada", {}, before=before)
    assert starts(read("ci.yml", workflow(on)), event, Repository(world.hub.bare)) is expected


def test_a_new_branch_is_compared_with_the_default_one(world: World) -> None:
    """Its first push changed what it has and main has not."""
    world.commit(**{"src/a": ""})
    world.git("push", "--quiet", "origin", "HEAD:refs/heads/main")
    sha = world.commit(**{"docs/b": ""})
    world.git("push", "--quiet", "origin", "HEAD:refs/heads/topic")
    event, repository = Event("push", "refs/heads/topic", sha, "ada", {}), Repository(world.hub.bare)
    assert starts(read("ci.yml", workflow("{push: {paths: ['docs/**']}}")), event, repository)
    assert not starts(read("ci.yml", workflow("{push: {paths: ['src/**']}}")), event, repository)


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
def test_pull_requests_are_filtered(world: World, on: str, action: str, expected: bool) -> None:
    """Types, the branch they go to, and the files they change since they left it."""
    event = replace(_pull_request(world), action=action)
    assert starts(read("ci.yml", workflow(on)), event, Repository(world.hub.bare)) is expected


def _pull_request(world: World, **files: str) -> Event:
    """A pull request of a branch that changes `own`, while main changed `theirs`."""
    world.commit(**files)
    world.git("switch", "--quiet", "--create", "topic")
    head = world.commit(**{"./own": "x"})
    world.git("switch", "--quiet", "--create", "main2", "HEAD^")
    base = world.commit(**{"./theirs": "x"})
    world.git("merge", "--quiet", "--no-ff", "--no-edit", "topic")
    world.git("push", "--quiet", "origin", f"{base}:refs/heads/main", "topic", "HEAD:refs/pull/7/merge")
    return world.pull(base, head, world.git("rev-parse", "HEAD"))


def test_a_message_can_ask_for_no_run(world: World) -> None:
    """As GitHub does for pushes."""
    world.commit(ci=workflow("push"))
    world.git("commit", "--quiet", "--allow-empty", "--message", "Docs [skip ci]")
    world.push()
    assert world.runner.wait(1) == []


def test_a_pull_request_checks_out_the_merge(world: World) -> None:
    """Both sides' files are there, detached, one commit deep, and no token is left."""
    steps = [
        f"{{uses: {CHECKOUT}, with: {{persist-credentials: false}}}}",
        "run: ls own theirs && git rev-parse HEAD && git rev-list --count HEAD",
        "run: git symbolic-ref -q HEAD || git for-each-ref --format='%(refname)'",
        "run: git config --get-regexp extraheader || echo none",
    ]
    event = _pull_request(world, ci=workflow("pull_request", *steps))
    world.runner.on_event(event)
    run = world.run()
    assert run.conclusion == "success", run.jobs["one"].log
    assert run.jobs["one"].log.splitlines()[-6:] == [
        "own", "theirs", event.sha, "1", "refs/remotes/pull/7/merge", "none"
    ]  # fmt: skip


def test_a_push_checks_out_its_branch(world: World) -> None:
    """The branch itself, at the pushed commit even if it has moved on; the token stays in Git's configuration."""
    world.commit(ci=workflow("push", f"uses: {CHECKOUT}", "run: git rev-parse HEAD && git branch --show-current",
                             "run: git config --get-regexp 'http.*extraheader' | cut -d' ' -f2,3"))  # fmt: skip
    world.runner.pause()
    world.push()
    first = world.git("rev-parse", "HEAD")
    world.commit(ci=workflow("workflow_dispatch"))
    world.push()
    world.runner.resume()
    assert world.run().jobs["one"].log.splitlines()[-3:] == [first, "main", "AUTHORIZATION: basic"]


def test_a_checkout_can_have_all_history_or_another_ref(world: World) -> None:
    """`fetch-depth: 0` brings every branch; `ref` a branch, a tag or a commit."""
    world.commit()
    world.git("push", "--quiet", "origin", "HEAD:refs/heads/other", "HEAD:refs/tags/1.0")
    world.commit(ci=workflow(
        "push", f"{{uses: {CHECKOUT}, with: {{fetch-depth: 0}}}}",
        "run: git rev-list --count HEAD && git branch --remotes && git tag",
        f"{{uses: {CHECKOUT}, with: {{ref: other, path: a}}}}", f"{{uses: {CHECKOUT}, with: {{ref: '1.0', path: b}}}}",
        "run: git -C a branch --show-current; git -C b describe --tags",
    ))  # fmt: skip
    world.push()
    job = world.run().jobs["one"]
    lines = [line.strip() for line in job.log.splitlines()]
    assert lines[-2:] == ["other", "1.0"], job.log
    assert {"2", "origin/main", "origin/other", "1.0"} <= set(lines)


CONTEXT = ("repository", "ref", "sha", "actor", "event_name", "run_id", "server_url", "api_url", "ref_name", "head_ref",
           "base_ref", "workflow", "run_number")  # fmt: skip


@pytest.mark.parametrize("name", ["push", "pull_request", "workflow_dispatch", "repository_dispatch", "schedule"])
def test_expressions_and_variables_agree_on_what_runs(world: World, name: str) -> None:
    """Every event has the right github context, in expressions and in the environment."""
    expressions = ", ".join(f"X_{one}: '${{{{ github.{one} }}}}'" for one in CONTEXT)
    on = "{push: , pull_request: , workflow_dispatch: , repository_dispatch: , schedule: [{cron: '1 2 * * *'}]}"
    event = _pull_request(world, ci=workflow(on, f"{{run: env > $OUT/env, env: {{{expressions}}}}}"))
    main = Event(name, "refs/heads/main", world.git("rev-parse", "origin/main"), "ada", {}, workflow="")
    event = event if name == "pull_request" else replace(main, workflow="ci.yml" if name == "workflow_dispatch" else "")
    world.runner.cron("ci.yml") if name == "schedule" else world.runner.on_event(event)
    run = world.run()
    assert run.conclusion == "success", run.jobs["one"].log
    env = dict(line.split("=", 1) for line in (world.out / "env").read_text().splitlines() if "=" in line)
    told = {one: (env[f"X_{one}"], env[f"GITHUB_{one.upper()}"]) for one in CONTEXT}
    assert all(in_expression == in_environment for in_expression, in_environment in told.values()), told
    pull = name == "pull_request"
    expected = ("ada/iris", event.ref, event.sha, "github-actions[bot]" if name == "schedule" else "ada", name, "1",
                world.hub.url, world.hub.api, "7/merge" if pull else "main", "topic" if pull else "",
                "main" if pull else "", "Test", "1")  # fmt: skip
    assert tuple(value for value, _ in told.values()) == expected


JOBS = """
name: Jobs
on: push
jobs:
  first:
    runs-on: ubuntu-latest
    outputs:
      x: ${{ steps.say.outputs.x }}
      y: v${{ steps.say.outputs.x }}
    steps:
      - {id: say, run: 'echo x=5 >> $GITHUB_OUTPUT; echo "# One" >> $GITHUB_STEP_SUMMARY'}
      - run: echo two >> $GITHUB_STEP_SUMMARY
  after:
    needs: first
    runs-on: ubuntu-latest
    steps: [{run: 'echo got ${{ needs.first.outputs.y }}'}, {run: exit 1}, {run: echo oh, if: failure()}]
  never:
    needs: after
    runs-on: ubuntu-latest
    steps: [{run: echo never}]
  other:
    if: github.ref == 'refs/heads/other'
    runs-on: ubuntu-latest
    steps: [{run: echo never}]
  last:
    needs: [after, never, other]
    if: always()
    runs-on: ubuntu-latest
    steps: [{run: 'echo ${{ needs.after.result }} ${{ needs.never.result }} ${{ needs.other.result }}'}]
"""


def test_jobs_hand_on_outputs_and_results(world: World) -> None:
    """Outputs, `needs`, `if`, `failure()`, `always()` and summaries work, and are on record."""
    world.commit(jobs=JOBS)
    world.push()
    run = world.run()
    assert {job.id: job.conclusion for job in run.jobs.values()} == {
        "first": "success", "after": "failure", "never": "skipped", "other": "skipped", "last": "success"
    }  # fmt: skip
    assert run.conclusion == "failure"
    assert run.jobs["first"].outputs == {"x": "5", "y": "v5"}
    assert run.jobs["first"].summary == "# One\ntwo\n"
    assert run.jobs["after"].log.startswith("got v5\n")
    assert run.jobs["last"].log == "failure skipped skipped\n"


def test_steps_have_no_terminal_and_an_empty_workspace(world: World) -> None:
    """As on GitHub, where act alone would give each step a terminal."""
    world.commit(ci=workflow("push", "run: test ! -t 0 && test ! -t 1 && test -z \"$(ls -A)\"",
                             "{run: 'echo err >&2; false | true; (exit 7)', shell: bash}"))  # fmt: skip
    world.push()
    assert [end for _, end, _ in world.run().jobs["one"].steps] == ["success", "failure"]


def test_a_dispatch_has_its_inputs_and_defaults(world: World) -> None:
    """They reach expressions, typed, and the event's file."""
    inputs = "{inputs: {name: {type: string}, often: {type: boolean, default: true}}}"
    step = "run: 'echo ${{ inputs.name }} ${{ inputs.often == true }} ${{ github.event.inputs.often }}'"
    world.commit(go=workflow(f"{{workflow_dispatch: {inputs}}}", step, "run: cp $GITHUB_EVENT_PATH $OUT/event"))
    world.push()
    world.dispatch("go", name="ada")
    assert world.run().jobs["one"].log == "ada true true\n"
    assert json.loads((world.out / "event").read_text())["inputs"] == {"name": "ada", "often": "true"}


def test_a_repository_dispatch_is_known_by_its_type(world: World) -> None:
    """Others start nothing."""
    on = "{repository_dispatch: {types: [data]}}"
    world.commit(go=workflow(on, "run: echo ${{ github.event.client_payload.n }}"))
    world.push()
    for action in ("other", "data"):
        payload = {"client_payload": {"n": 3}}
        world.runner.on_event(Event("repository_dispatch", "", "", "ada", payload, action=action))
    assert world.run().jobs["one"].log == "3\n"


TOKENS = """
name: Tokens
on: push
permissions: {contents: read}
env: {ALL: '${{ github.token }}'}
jobs:
  inherits:
    runs-on: ubuntu-latest
    steps: [{run: 'echo $ALL $T > $OUT/inherits', env: {T: '${{ secrets.GITHUB_TOKEN }}'}}]
  declares:
    runs-on: ubuntu-latest
    permissions: {pull-requests: write, contents: none, id-token: write}
    env: {T: '${{ github.token || 1 }}'}
    steps: [{run: 'echo $ALL $T > $OUT/declares'}]
  nothing:
    runs-on: ubuntu-latest
    permissions: {}
    steps: [{run: 'echo ${{ github.token }} ${{ github.token }} > $OUT/nothing'}]
"""


def test_each_job_has_a_token_with_exactly_its_grants(world: World) -> None:
    """A job's permissions replace the workflow's, and end with the run."""
    world.commit(tokens=TOKENS)
    world.push()
    assert world.run().conclusion == "success"
    grants = {token.value: dict(token.permissions) for token in world.hub.issued}
    seen = {job: (world.out / job).read_text().split() for job in ("inherits", "declares", "nothing")}
    assert all(first == second for first, second in seen.values())
    assert {job: grants[values[0]] for job, values in seen.items()} == {
        "inherits": {"contents": "read"}, "declares": {"pull_requests": "write", "id_token": "write"}, "nothing": {}
    }  # fmt: skip
    assert world.hub.revoked == world.hub.issued


def test_what_declares_nothing_has_the_repositorys_default(world: World) -> None:
    """Read, unless its owner has set it to write."""
    world.commit(ci=workflow("push"))
    world.push()
    world.hub.settings.default_workflow_permissions = "read"
    world.run()
    assert world.hub.issued[0].permissions == {"contents": "read", "metadata": "read", "packages": "read"}


def test_the_copy_for_act_changes_nothing_else() -> None:
    """Scalars stay as they were read: `on`, numbers with zeros, booleans in quotes, expressions."""
    text = "on: push\njobs:\n  a:\n    env: {A: 0755, B: 'yes', C: \"${{ 'x' }}\", D: no, E: 1.10}\n    steps: []\n"
    assert for_act(text) == text


LOCKED = """
name: Locked
on: {workflow_dispatch: {inputs: {id: {}}}}
jobs:
  free:
    runs-on: ubuntu-latest
    steps: [{run: echo free}]
  locked:
    runs-on: ubuntu-latest
    concurrency: {group: 'lock-${{ github.ref }}', queue: QUEUE, cancel-in-progress: CANCEL}
    steps:
      - CHECKOUT_STEP
      - run: echo start ${{ inputs.id }} >> $OUT/order; until [ -e $OUT/go ]; do sleep 0.05; done
      - run: echo end ${{ inputs.id }} >> $OUT/order
      - {run: 'echo always ${{ inputs.id }} >> $OUT/order', if: always()}
""".replace("CHECKOUT_STEP", f"uses: {CHECKOUT}")


def _locked(world: World, queue: str, cancel: str = "false") -> None:
    """Three runs that want the same lock; each is let in or made to wait before the next comes."""
    world.commit(go=LOCKED.replace("QUEUE", queue).replace("CANCEL", cancel))
    world.push()
    for number, id in enumerate("abc", 1):
        world.dispatch("go", id=id)
        world.until(partial(_settled, world, number, f"start {id}", waits=cancel == "false"))
    world.until(lambda: queue != "single" or world.hub.runs[2].status == "completed")


def _settled(world: World, number: int, note: str, waits: bool) -> bool:
    """Whether a run has the lock, or waits for it where it will have to."""
    return note in world.order() or (waits and world.hub.runs[number].status == "waiting")


def _ends(world: World) -> list[tuple[str | None, str | None]]:
    """The conclusion of each run and of its locked job."""
    return [(run.conclusion, run.jobs["locked"].conclusion) for run in world.runner.wait(60)]


GOOD, LOST = ("success", "success"), ("cancelled", "cancelled")


def test_a_lock_keeps_one_job_waiting_and_cancels_the_older(world: World) -> None:
    """The second never starts, though the rest of its run does; the third waits."""
    _locked(world, "single")
    world.go()
    assert _ends(world) == [GOOD, LOST, GOOD]
    assert world.order() == ["start a", "end a", "always a", "start c", "end c", "always c"]
    assert world.hub.runs[2].jobs["locked"].steps == []
    assert world.hub.runs[2].jobs["free"].conclusion == "success"


def test_a_jobs_seconds_do_not_count_its_wait_for_the_lock(world: World) -> None:
    """Its log begins, as on GitHub, when it may start."""
    _locked(world, "single")
    begun = time.monotonic()
    time.sleep(0.5)
    world.go()
    assert _ends(world)[2] == GOOD
    assert 0 < world.hub.runs[3].jobs["locked"].seconds < time.monotonic() - begun - 0.5


def test_a_lock_with_a_queue_keeps_all_in_order(world: World) -> None:
    """`queue: max` cancels nobody."""
    _locked(world, "max")
    world.go()
    assert _ends(world) == [GOOD, GOOD, GOOD]
    assert world.order() == [f"{what} {id}" for id in "abc" for what in ("start", "end", "always")]


def test_a_lock_can_cancel_the_job_that_holds_it(world: World) -> None:
    """`cancel-in-progress` ends the step that runs, but not those that are `always()`."""
    _locked(world, "single", "\"${{ github.ref == 'refs/heads/main' }}\"")
    world.go()
    assert _ends(world) == [LOST, LOST, GOOD]
    assert world.order() == ["start a", "always a", "start b", "always b", "start c", "end c", "always c"]


GROUPED = """
name: Grouped
on: push
concurrency: {group: '${{ github.workflow }}-${{ github.head_ref || github.ref }}', cancel-in-progress: CANCEL}
jobs:
  one:
    runs-on: ubuntu-latest
    steps:
      - run: echo start $GITHUB_RUN_ID >> $OUT/order; until [ -e $OUT/go ]; do sleep 0.05; done
      - {run: echo cancelled >> $OUT/order, if: cancelled()}
  two:
    needs: one
    runs-on: ubuntu-latest
    steps: [{run: echo two}]
"""


def test_a_workflows_group_keeps_one_run_waiting(world: World) -> None:
    """An older one that waits is cancelled."""
    world.commit(ci=GROUPED.replace("CANCEL", "false"))
    for _ in range(3):
        world.push()
    world.go()
    assert [run.conclusion for run in world.runner.wait(60)] == ["success", "cancelled", "success"]
    assert world.order() == ["start 1", "start 3"]


def test_a_workflows_group_can_cancel_the_run_in_it(world: World) -> None:
    """Steps that are `cancelled()` still run."""
    world.commit(ci=GROUPED.replace("CANCEL", "true"))
    world.push()
    world.until(lambda: world.order() == ["start 1"])
    world.push()
    world.go()
    first, second = world.runner.wait(60)
    assert (first.conclusion, second.conclusion) == ("cancelled", "success")
    assert [job.conclusion for job in first.jobs.values()] == ["cancelled", "skipped"]
    assert world.order() == ["start 1", "cancelled", "start 2"]


ARTEFACTS = """
name: Artefacts
on: push
jobs:
  up:
    runs-on: ubuntu-latest
    steps:
      - run: mkdir -p a/b .hidden/run a/.secret && touch a/1 a/b/2 a/.env a/.secret/3 .hidden/run/4 c
      - {uses: UPLOAD, with: {name: folder, path: a, retention-days: 3}}
      - {uses: UPLOAD, with: {name: all, path: a/, include-hidden-files: true}}
      - {uses: UPLOAD, with: {name: several, path: "a/b\\na/1\\nc\\n!a/b/none"}}
      - {uses: UPLOAD, with: {name: single, path: a/b/2}}
      - {uses: UPLOAD, with: {name: pattern, path: 'a/**/[0-9]'}}
      - {uses: UPLOAD, with: {name: hidden, path: .hidden/run}}
      - uses: UPLOAD
        id: strict
        with: {name: strict, path: .hidden/run, if-no-files-found: error}
        continue-on-error: true
      - {uses: UPLOAD, with: {name: single, path: c}, continue-on-error: true, id: again}
      - {run: 'echo ${{ steps.strict.outcome }} ${{ steps.again.outcome }} > $OUT/outcomes'}
  down:
    needs: up
    runs-on: ubuntu-latest
    steps:
      - {uses: DOWNLOAD, with: {name: folder, path: x/folder}}
      - {uses: DOWNLOAD, with: {name: all, path: x/all}}
      - {uses: DOWNLOAD, with: {name: several, path: x/several}}
      - {uses: DOWNLOAD, with: {name: single, path: x/single}}
      - {uses: DOWNLOAD, with: {name: pattern, path: x/pattern}}
      - run: cd x && find . -type f | sort > $OUT/files
      - {uses: DOWNLOAD, with: {name: hidden}}
"""

KEPT = """
./all/.env ./all/.secret/3 ./all/1 ./all/b/2
./folder/1 ./folder/b/2
./pattern/1 ./pattern/b/2
./several/a/1 ./several/a/b/2 ./several/c
./single/2
"""


def test_artefacts_keep_names_and_leave_out_what_is_hidden(world: World) -> None:
    """A folder gives its content, several paths what is below their common folder; a name can be used once."""
    world.commit(artefacts=ARTEFACTS)
    world.push()
    run = world.run()
    assert (world.out / "files").read_text().split() == KEPT.split(), run.jobs["up"].log
    assert (world.out / "outcomes").read_text() == "failure failure\n"
    assert run.jobs["down"].steps[-1][1] == "failure"
    assert "Artifact not found for name: hidden" in run.jobs["down"].log


def test_python_is_the_version_asked_for(world: World) -> None:
    """An installed one, first on PATH; one that is not installed fails."""
    world.commit(ci=workflow("push", f"{{uses: {PYTHON}, with: {{python-version: '3.11'}}}}",
                             "run: python --version; python3 -m venv v && v/bin/pip --version > /dev/null",
                             f"{{uses: {PYTHON}, with: {{python-version: '3.99'}}}}"))  # fmt: skip
    world.push()
    job = world.run().jobs["one"]
    assert [end for _, end, _ in job.steps] == ["success", "success", "failure"], job.log
    assert "Python 3.11." in job.log
    assert "No Python 3.99 is installed" in job.log


REFUSED = {
    "no YAML": ("on: [push", "is not YAML"),
    "no jobs": ("on: push\n", "has no jobs"),
    "a key twice": ("on: push\non: push\njobs: {a: {}}\n", "has the key 'on' twice"),
    "an unknown label": (workflow("push").replace("ubuntu-latest", "windows"), "no runner has the label 'windows'"),
    "an unknown action": (workflow("push", "uses: evil/action@v1"), "the action 'evil/action@v1' has no stand-in"),
    "an unknown input": (workflow("push", f"{{uses: {CHECKOUT}, with: {{lfs: true}}}}"), "not honour the input 'lfs'"),
    "an unknown key": (workflow("push", extra="    zonk: 1\n"), "Unknown Property zonk"),
    "an unknown need": (workflow("push", extra="    needs: [two]\n"), "Could not find any stages"),
    "an unknown permission": (workflow("push", extra="    permissions: {x: read}\n"), "Unknown permission `x"),
    "a lock beyond us": (workflow("push", extra="    concurrency: '${{ hashFiles(1) }}'\n"), "no function 'hashFiles'"),
    "a container": (workflow("push", extra="    container: debian\n"), "no containers"),
}


@pytest.mark.parametrize(("text", "why"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_run_fails_and_says_why(world: World, text: str, why: str) -> None:
    """Nothing is passed over in silence."""
    world.commit(ci=text)
    world.push()
    run = world.run()
    assert run.conclusion == "failure"
    assert why in (run.folder / "log.txt").read_text()


def test_a_bots_pull_request_waits_for_approval(world: World) -> None:
    """Its run is listed, and has no jobs."""
    world.runner.on_event(replace(_pull_request(world, ci=workflow("pull_request")), waits=True))
    run = world.run()
    assert (run.status, run.conclusion, run.jobs) == ("completed", "action_required", {})


def test_an_approved_run_starts(world: World) -> None:
    """Once a person has allowed it, it is a run like any other."""
    world.runner.on_event(replace(_pull_request(world, ci=workflow("pull_request")), waits=True))
    run = world.run()
    world.runner.approve(run, Token("", "person", "ada"))
    world.runner.wait(60)
    assert run.conclusion == "success"
    assert run.jobs


def test_a_matrix_runs_each_leg_and_a_job_may_fail(world: World) -> None:
    """Legs are listed as GitHub lists them; `continue-on-error` spares the run."""
    extra = "    strategy: {matrix: {v: [1, 2], w: [x]}}\n    continue-on-error: true\n"
    world.commit(ci=workflow("push", "run: exit $(( ${{ matrix.v }} - 1 ))", extra=extra))
    world.push()
    run = world.run()
    ends = {name: job.conclusion for name, job in run.jobs.items()}
    assert ends == {"one (1, x)": "success", "one (2, x)": "failure"}
    assert run.conclusion == "success"


def test_nothing_is_left_running(world: World) -> None:
    """Neither what a step left behind, nor what ran when the runner was closed."""
    world.commit(ci=workflow("push", "run: sleep 61 >/dev/null 2>&1 &"), slow=workflow("push", "run: setsid sleep 62"))
    world.push()
    world.until(lambda: world.hub.runs[1].status == "completed" and _running("62"))
    assert not _running("61")
    world.runner.close()
    assert not _running("62")
    assert {run.conclusion for run in world.runner.wait(1)} == {"success", "cancelled"}


def _running(seconds: str) -> bool:
    """Whether somebody sleeps that long."""
    commands = [path for path in Path("/proc").glob("[0-9]*/cmdline") if path.exists()]
    return any(_words(path) == ["sleep", seconds] for path in commands)


def _words(path: Path) -> list[str]:
    """A process's command, unless it has just ended."""
    try:
        return path.read_text().split("\0")[:-1]
    except OSError:
        return []


VALUES = {
    "github.ref == 'REFS/heads/main' && 'yes' || 'no'": "yes",
    "!(inputs.often != true)": True,
    "format('{0}-{1}', github.ref, inputs.count)": "refs/heads/main-3",
    "inputs.missing || 'it''s'": "it's",
    "github.event.a.b": None,
}


@pytest.mark.parametrize(("text", "value"), VALUES.items())
def test_the_runner_evaluates_what_locks_need(text: str, value: object) -> None:
    """A small part of GitHub's expressions."""
    known = {"github": {"ref": "refs/heads/main", "event": {}}, "inputs": {"often": True, "count": 3.0}}
    assert evaluate(text, known) == value


@pytest.mark.parametrize(
    "text", ["fromJSON('1')", "secrets.A", "github.nothing", "github.ref ==", "(1", "1 ~ 2", "1 2"]
)
def test_the_runner_refuses_other_expressions(text: str) -> None:
    """It never guesses."""
    with pytest.raises(NotUnderstood, match="does not evaluate"):
        interpolate(f"${{{{ {text} }}}}", {"github": {"ref": "x"}})


@pytest.mark.parametrize(("cron", "expected"), [
    ("17 * * * *", True), ("*/17 5 * * *", True), ("17 5 2 1,2 *", True), ("17 5 3 * 1-5", True), ("18 * * * *", False),
    ("17 6-8 * * *", False), ("17 5 3 * *", False),
])  # fmt: skip
def test_the_clock_knows_when_a_schedule_is_due(cron: str, expected: bool) -> None:
    """At 05:17 on Monday, 2 February 2026."""
    assert due(cron, datetime(2026, 2, 2, 5, 17, tzinfo=UTC)) is expected


def test_a_merge_queue_starts_its_workflows(world: World) -> None:
    """By the branch that it merges into."""
    sha = world.commit(ci=workflow("{merge_group: {branches: [main]}}"))
    world.git("push", "--quiet", "origin", "HEAD:refs/heads/gh-readonly-queue/main/pr-1")
    payload = {"merge_group": {"base_ref": "refs/heads/main"}}
    ref = "refs/heads/gh-readonly-queue/main/pr-1"
    world.runner.on_event(Event("merge_group", ref, sha, "ada", payload, action="checks_requested"))
    assert world.run().conclusion == "success"
