"""The local GitHub's runner runs what was started as GitHub would run it."""

import json
import os
import signal
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from github.model import Event
from github.runner.rewrite import for_act
from repositories import GENERATED
from runner_world import CHECKOUT, PYTHON, RunnerWorld, workflow


@pytest.fixture
def world(tmp_path: Path) -> Iterator[RunnerWorld]:
    """A new world; its runner is stopped at the end."""
    made = RunnerWorld(tmp_path)
    with made.runner:
        yield made


def test_a_push_runs_the_workflow_of_its_commit(world: RunnerWorld) -> None:
    """The steps, their conclusions and their output are recorded."""
    world.commit(ci=workflow("push", "run: echo hello", "{name: Fail, run: exit 3}", "run: echo never"))
    world.push()
    run = world.run()
    assert (run.status, run.conclusion, run.name) == ("completed", "failure", "Test")
    job = run.jobs["one"]
    assert job.log.startswith("hello\n")
    assert [(name, end) for name, end, _ in job.steps] == [
        ("Run echo hello", "success"), ("Fail", "failure"), ("Run echo never", "skipped")
    ]  # fmt: skip


def test_a_pull_request_checks_out_the_merge(world: RunnerWorld) -> None:
    """It has the files of both branches, detached, one commit deep, and no token remains."""
    steps = [
        f"{{uses: {CHECKOUT}, with: {{persist-credentials: false}}}}",
        "run: ls own theirs && git rev-parse HEAD && git rev-list --count HEAD",
        "run: git symbolic-ref -q HEAD || git for-each-ref --format='%(refname)'",
        "run: git config --get-regexp extraheader || echo none",
    ]
    event = world.pull_request(ci=workflow("pull_request", *steps))
    world.runner.on_event(event)
    run = world.run()
    assert run.conclusion == "success", run.jobs["one"].log
    assert run.jobs["one"].log.splitlines()[-6:] == [
        "own", "theirs", event.sha, "1", "refs/remotes/pull/7/merge", "none"
    ]  # fmt: skip


def test_a_push_checks_out_its_branch(world: RunnerWorld) -> None:
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


def test_a_checkout_can_have_all_history_or_another_ref(world: RunnerWorld) -> None:
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
def test_expressions_and_variables_agree_on_what_runs(world: RunnerWorld, name: str) -> None:
    """Every event has the right github context, in expressions and in the environment."""
    expressions = ", ".join(f"X_{one}: '${{{{ github.{one} }}}}'" for one in CONTEXT)
    on = "{push: , pull_request: , workflow_dispatch: , repository_dispatch: , schedule: [{cron: '1 2 * * *'}]}"
    event = world.pull_request(ci=workflow(on, f"{{run: env > $OUT/env, env: {{{expressions}}}}}"))
    main = Event(name, "refs/heads/main", world.git("rev-parse", "origin/main"), "ada", {}, workflow="")
    event = event if name == "pull_request" else replace(main, workflow="ci.yml" if name == "workflow_dispatch" else "")
    world.runner.schedule("ci.yml") if name == "schedule" else world.runner.on_event(event)
    run = world.run()
    assert run.conclusion == "success", run.jobs["one"].log
    env = dict(line.split("=", 1) for line in (world.out / "env").read_text().splitlines() if "=" in line)
    values = {one: (env[f"X_{one}"], env[f"GITHUB_{one.upper()}"]) for one in CONTEXT}
    assert all(in_expression == in_environment for in_expression, in_environment in values.values()), values
    pull = name == "pull_request"
    expected = ("ada/iris", event.ref, event.sha, "github-actions[bot]" if name == "schedule" else "ada", name, "1",
                world.hub.url, world.hub.api, "7/merge" if pull else "main", "topic" if pull else "",
                "main" if pull else "", "Test", "1")  # fmt: skip
    assert tuple(value for value, _ in values.values()) == expected


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


def test_jobs_pass_on_outputs_and_results(world: RunnerWorld) -> None:
    """Outputs, `needs`, `if`, `failure()`, `always()` and summaries work, and are recorded."""
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


def test_steps_have_no_terminal_and_an_empty_workspace(world: RunnerWorld) -> None:
    """GitHub gives steps no terminal; act alone would."""
    world.commit(ci=workflow("push", "run: test ! -t 0 && test ! -t 1 && test -z \"$(ls -A)\"",
                             "{run: 'echo err >&2; false | true; (exit 7)', shell: bash}"))  # fmt: skip
    world.push()
    assert [end for _, end, _ in world.run().jobs["one"].steps] == ["success", "failure"]


def test_a_dispatch_has_its_inputs_and_defaults(world: RunnerWorld) -> None:
    """They are in expressions, with types, and in the event's file."""
    inputs = "{inputs: {name: {type: string}, often: {type: boolean, default: true}}}"
    step = "run: 'echo ${{ inputs.name }} ${{ inputs.often == true }} ${{ github.event.inputs.often }}'"
    world.commit(go=workflow(f"{{workflow_dispatch: {inputs}}}", step, "run: cp $GITHUB_EVENT_PATH $OUT/event"))
    world.push()
    world.dispatch("go", name="ada")
    assert world.run().jobs["one"].log == "ada true true\n"
    assert json.loads((world.out / "event").read_text())["inputs"] == {"name": "ada", "often": "true"}


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


def test_each_job_has_a_token_with_exactly_its_grants(world: RunnerWorld) -> None:
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


def test_a_job_without_permissions_has_the_repositorys_default(world: RunnerWorld) -> None:
    """The default is read, unless the owner has changed it to write."""
    world.commit(ci=workflow("push"))
    world.push()
    world.hub.settings.default_workflow_permissions = "read"
    world.run()
    assert world.hub.issued[0].permissions == {"contents": "read", "metadata": "read", "packages": "read"}


def test_the_copy_for_act_changes_nothing_else() -> None:
    """Scalars stay as they were read: `on`, numbers with zeros, booleans in quotes, expressions."""
    text = "on: push\njobs:\n  a:\n    env: {A: 0755, B: 'yes', C: \"${{ 'x' }}\", D: no, E: 1.10}\n    steps: []\n"
    assert for_act(text) == text


ARTIFACTS = """
name: Artifacts
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

DOWNLOADED = """
./all/.env ./all/.secret/3 ./all/1 ./all/b/2
./folder/1 ./folder/b/2
./pattern/1 ./pattern/b/2
./several/a/1 ./several/a/b/2 ./several/c
./single/2
"""


def test_artifacts_keep_names_and_omit_hidden_files(world: RunnerWorld) -> None:
    """A folder uploads its content; names of several paths are relative to their common folder; names are unique."""
    world.commit(artifacts=ARTIFACTS)
    world.push()
    run = world.run()
    assert (world.out / "files").read_text().split() == DOWNLOADED.split(), run.jobs["up"].log
    assert (world.out / "outcomes").read_text() == "failure failure\n"
    assert run.jobs["down"].steps[-1][1] == "failure"
    assert "Artifact not found for name: hidden" in run.jobs["down"].log


def test_python_is_the_version_asked_for(world: RunnerWorld) -> None:
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
    "an unknown variable": (workflow("push").replace("ubuntu-latest", "${{ vars.MINE }}"), "has the label ''"),
    "an unknown action": (workflow("push", "uses: evil/action@v1"), "the action 'evil/action@v1' has no stand-in"),
    "an unknown input": (workflow("push", f"{{uses: {CHECKOUT}, with: {{lfs: true}}}}"), "not support the input 'lfs'"),
    "an unknown key": (workflow("push", extra="    zonk: 1\n"), "Unknown Property zonk"),
    "an unknown need": (workflow("push", extra="    needs: [two]\n"), "Could not find any stages"),
    "an unknown permission": (workflow("push", extra="    permissions: {x: read}\n"), "Unknown permission `x"),
    "an unsupported lock": (
        workflow("push", extra="    concurrency: '${{ hashFiles(1) }}'\n"),
        "no function 'hashFiles'",
    ),
    "a container": (workflow("push", extra="    container: debian\n"), "no containers"),
}


@pytest.mark.parametrize(("text", "message"), REFUSED.values(), ids=REFUSED)
def test_unsupported_workflows_fail_with_a_message(world: RunnerWorld, text: str, message: str) -> None:
    """No problem is ignored."""
    world.commit(ci=text)
    world.push()
    run = world.run()
    assert run.conclusion == "failure"
    assert message in (run.folder / "log.txt").read_text()


def test_a_secret_reaches_the_step_that_names_it(world: RunnerWorld) -> None:
    """The secret is complete, with all lines; an undefined secret is empty."""
    world.hub.settings.secrets["KEY"] = "first\nsecond=2\n"
    env = "{KEY: '${{ secrets.KEY }}', NONE: '${{ secrets.NONE }}'}"
    world.commit(ci=workflow("push", f'{{run: \'printf "%s|%s" "$KEY" "$NONE" > $OUT/secret\', env: {env}}}'))
    world.push()
    assert world.run().conclusion == "success"
    assert (world.out / "secret").read_text() == "first\nsecond=2\n|"


RUNNER = "${{ startsWith(vars.MINE, '[') && fromJSON(vars.MINE) || vars.MINE || 'ubuntu-latest' }}"
TIMEOUT = "${{ fromJSON(vars.MINUTES || '5') }}"


@pytest.mark.parametrize("label", ["", "gpu", '["self-hosted", "gpu"]'], ids=["unset", "a label", "a list"])
def test_variables_choose_runner_and_timeout(world: RunnerWorld, label: str) -> None:
    """A plain label is not parsed as JSON; an unset variable leaves the defaults; steps can read variables too."""
    world.hub.settings.runners |= {"self-hosted", "gpu"}
    world.hub.settings.variables |= {"MINE": label, "MINUTES": "7"} if label else {}
    step = "{run: 'echo \"mine: $MINE.\"', env: {MINE: '${{ vars.MINE }}'}}"
    text = workflow("push", step, extra=f"    timeout-minutes: {TIMEOUT}\n")
    world.commit(ci=text.replace("ubuntu-latest", RUNNER))
    world.push()
    run = world.run()
    assert run.conclusion == "success", (run.folder / "log.txt").read_text()
    assert f"mine: {label}." in run.jobs["one"].log


BAD_VALUES = {
    "no such label": ({"MINE": "gpu"}, "no runner has the label 'gpu'"),
    "a broken list": ({"MINE": '["gpu"'}, "Error when evaluating 'runs-on'"),
    "an empty list": ({"MINE": "[]"}, "is an empty list"),
    "a time with a unit": ({"MINUTES": "2h"}, "Error when evaluating 'timeout-minutes'"),
    "a quoted number": ({"MINUTES": '"7"'}, "Unexpected value '7'"),
    "no time": ({"MINUTES": "0"}, "Unexpected value 0.0"),
}


@pytest.mark.parametrize(("values", "message"), BAD_VALUES.values(), ids=BAD_VALUES)
def test_a_bad_value_of_a_variable_ends_the_run(world: RunnerWorld, values: dict[str, str], message: str) -> None:
    """GitHub evaluates both keys before the job starts."""
    world.hub.settings.variables |= values
    text = workflow("push", extra=f"    timeout-minutes: {TIMEOUT}\n").replace("ubuntu-latest", RUNNER)
    world.commit(ci=text)
    world.push()
    run = world.run()
    assert run.conclusion == "failure"
    assert message in (run.folder / "log.txt").read_text()


def test_a_step_passes_on_what_a_login_exported(world: RunnerWorld) -> None:
    """Without the secret, the variable of a step keeps the value that an earlier step wrote to GITHUB_ENV."""
    step = "{run: 'echo \"key: $KEY.\"', env: {KEY: '${{ secrets.KEY || env.KEY }}'}}"
    world.commit(ci=workflow("push", "run: echo KEY=exported >> $GITHUB_ENV", step))
    world.push()
    assert "key: exported." in world.run().jobs["one"].log


def test_a_matrix_runs_each_leg_and_a_job_may_fail(world: RunnerWorld) -> None:
    """Legs are listed as GitHub lists them; `continue-on-error` spares the run."""
    extra = "    strategy: {matrix: {v: [1, 2], w: [x]}}\n    continue-on-error: true\n"
    world.commit(ci=workflow("push", "run: exit $(( ${{ matrix.v }} - 1 ))", extra=extra))
    world.push()
    run = world.run()
    ends = {name: job.conclusion for name, job in run.jobs.items()}
    assert ends == {"one (1, x)": "success", "one (2, x)": "failure"}
    assert run.conclusion == "success"


def test_nothing_is_left_running(world: RunnerWorld) -> None:
    """Processes left by a step are ended, and those that run when the runner is closed."""
    world.commit(ci=workflow("push", "run: sleep 61 >/dev/null 2>&1 &"), slow=workflow("push", "run: setsid sleep 62"))
    world.push()
    world.wait_until(lambda: world.hub.runs[1].status == "completed" and _running("62"))
    assert not _running("61")
    world.runner.close()
    assert not _running("62")
    assert {run.conclusion for run in world.runner.wait(1)} == {"success", "cancelled"}


@pytest.mark.parametrize(("enabled", "conclusion"), [(False, "skipped"), (True, "success")], ids=["off", "on"])
def test_pages_are_published_only_if_a_variable_enables_them(
    world: RunnerWorld, enabled: bool, conclusion: str
) -> None:
    """The workflow does nothing without its variable; with it, the folder's files are published."""
    text = (GENERATED / ".github/workflows/pages.yml").read_text()
    text = text.replace(".venv/bin/gitops report", "echo hello > .gitops/site/index.html")
    world.hub.settings.variables |= {"GITOPS_PAGES": "true"} if enabled else {}
    setup, login = (f".github/actions/{name}/action.yml" for name in ("setup", "login"))
    world.commit(pages=text, **{
        f"./{setup}": (GENERATED / setup).read_text().replace("make setup", "mkdir -p .gitops/site"),
        f"./{login}": (GENERATED / login).read_text(),
        "./.python-version": f"{sys.version_info.major}.{sys.version_info.minor}\n",
    })  # fmt: skip
    world.git("push", "--quiet", "origin", "HEAD:refs/heads/main")
    world.runner.schedule("pages.yml")
    run = world.run()
    ended = {job.id: job.conclusion for job in run.jobs.values()}
    assert ended == {"build": conclusion, "publish": conclusion}, "\n".join(job.log for job in run.jobs.values())
    page = run.folder / "artifacts/github-pages/pages/index.html"
    assert page.is_file() == enabled


def test_a_process_without_tracking_id_outlives_its_job(world: RunnerWorld) -> None:
    """A deployed process on a self-hosted runner must stay; its job waits until it runs, as Deploy does."""
    pid_file = world.out / "pid"
    start = f"RUNNER_TRACKING_ID= setsid sh -c 'echo $$ > {pid_file}; exec sleep 65' >/dev/null 2>&1 &"
    world.commit(ci=workflow("push", f'{{run: "{start} until test -s {pid_file}; do sleep 0.1; done"}}'))
    world.push()
    assert world.run().conclusion == "success"
    assert _running("65")
    os.kill(int(pid_file.read_text()), signal.SIGKILL)


def _running(seconds: str) -> bool:
    """Return whether a process sleeps this long."""
    return any(_command(path) == ["sleep", seconds] for path in Path("/proc").glob("[0-9]*/cmdline"))


def _command(path: Path) -> list[str]:
    """Return a process's command, unless it has just ended."""
    try:
        return path.read_text().split("\0")[:-1]
    except OSError:
        return []
