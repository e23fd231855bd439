"""The local GitHub's runner runs composite actions of the repository itself as GitHub would."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from runner_world import CHECKOUT, PYTHON, RunnerWorld, workflow

FILE = "./.github/actions/ours/action.yml"
ACTION = "./.github/actions/ours"
USES_ACTION = f"{{uses: {ACTION}, with: {{lock: train}}, id: ours}}"
CHECKED_OUT = f"uses: {CHECKOUT}"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[RunnerWorld]:
    """A new world; its runner is stopped at the end."""
    made = RunnerWorld(tmp_path)
    with made.runner:
        yield made


def action(*steps: str, inputs: str = "{lock: {required: true}}", outputs: str = "{}") -> str:
    """Return a composite action."""
    lines = "".join(f"    - {step}\n" for step in steps)
    head = f"name: Ours\ndescription: For a test\ninputs: {inputs}\noutputs: {outputs}\n"
    return f"{head}runs:\n  using: composite\n  steps:\n{lines}"


def test_a_local_action_is_one_step_with_inputs_and_outputs(world: RunnerWorld) -> None:
    """It runs in the workspace, its actions have stand-ins, and what it sets up is there afterwards."""
    commands = "echo lock=$LOCK; echo x=5 >> $GITHUB_OUTPUT; ls own"
    action_text = action(
        f"{{uses: {PYTHON}, with: {{python-version: '3.12'}}}}",
        f"{{run: '{commands}', id: say, shell: bash, env: {{LOCK: '${{{{ inputs.lock }}}}'}}}}",
        outputs="{x: {value: '${{ steps.say.outputs.x }}'}}",
    )
    after = "run: 'python --version; echo x=${{ steps.ours.outputs.x }}'"
    world.commit(ci=workflow("push", CHECKED_OUT, USES_ACTION, after), **{FILE: action_text, "./own": "x"})
    world.push()
    run = world.run()
    job = run.jobs["one"]
    assert run.conclusion == "success", job.log
    assert [name for name, _, _ in job.steps] == [f"Run {CHECKOUT}", f"Run {ACTION}", f"Run {after[6:-1]}"]
    lines = job.log.splitlines()
    assert lines[-5].startswith("Successfully set up CPython (3.12")
    assert lines[-4:-2] == ["lock=train", "own"]
    assert lines[-2].startswith("Python 3.12.")
    assert lines[-1] == "x=5"


def test_a_local_action_may_use_another(world: RunnerWorld) -> None:
    """Paths count from the workspace, wherever they stand."""
    action_text, other = action("{uses: ./other, with: {lock: dev}}"), action("{run: echo nested, shell: bash}")
    world.commit(ci=workflow("push", CHECKED_OUT, USES_ACTION), **{FILE: action_text, "./other/action.yaml": other})
    world.push()
    assert world.run().jobs["one"].log.endswith("nested\n")


@pytest.mark.parametrize("first", ["run: echo first", CHECKED_OUT], ids=["before the checkout", "that is not there"])
def test_an_action_that_is_not_in_the_workspace_fails_at_its_step(world: RunnerWorld, first: str) -> None:
    """Earlier steps run, later steps do not."""
    files = {FILE: action("{run: echo never, shell: bash}")} if first != CHECKED_OUT else {}
    world.commit(ci=workflow("push", first, USES_ACTION, "run: echo never"), **files)
    world.push()
    job = world.run().jobs["one"]
    assert [end for _, end, _ in job.steps] == ["success", "failure", "skipped"]
    assert f"failed to read 'action.yml' from action '{ACTION}'" in job.log
    assert "never" not in job.log


def test_a_step_that_fails_inside_ends_the_job(world: RunnerWorld) -> None:
    """The rest of the action and of the job is skipped."""
    world.commit(
        ci=workflow("push", CHECKED_OUT, USES_ACTION, "run: echo never"),
        **{FILE: action("{run: exit 3, shell: bash}", "{run: echo never, shell: bash}")},
    )
    world.push()
    run = world.run()
    assert [end for _, end, _ in run.jobs["one"].steps] == ["success", "failure", "skipped"]
    assert run.conclusion == "failure"
    assert "never" not in run.jobs["one"].log


def test_local_actions_have_no_secrets_context(world: RunnerWorld) -> None:
    """The context does not exist: naming it fails the step, whether or not the secret is set."""
    world.hub.settings.secrets["KEY"] = "hush"
    inside = action("{run: 'echo $X > $OUT/seen', shell: bash, env: {X: '${{ secrets.KEY }}'}}")
    world.commit(ci=workflow("push", CHECKED_OUT, USES_ACTION), **{FILE: inside})
    world.push()
    job = world.run().jobs["one"]
    assert [end for _, end, _ in job.steps] == ["success", "failure"]
    assert "Unknown Variable Access secrets" in job.log
    assert not (world.out / "seen").exists()


def test_a_secret_and_the_jobs_token_come_as_inputs(world: RunnerWorld) -> None:
    """The token is the job's own."""
    world.hub.settings.secrets["KEY"] = "hush"
    env = "{KEY: '${{ inputs.key }}', TOKEN: '${{ inputs.token }}'}"
    inside = action(
        f"{{run: 'echo $KEY $TOKEN > $OUT/seen', shell: bash, env: {env}}}",
        inputs="{key: {default: ''}, token: {default: ''}}",
    )
    inputs = "{key: '${{ secrets.KEY }}', token: '${{ github.token }}'}"
    world.commit(ci=workflow("push", CHECKED_OUT, f"{{uses: {ACTION}, with: {inputs}}}"), **{FILE: inside})
    world.push()
    assert world.run().conclusion == "success"
    assert (world.out / "seen").read_text().split() == ["hush", world.hub.issued[0].value]


REFUSED = {
    "an unknown action": (action("{uses: evil/action@v1}"), "the action 'evil/action@v1' has no stand-in"),
    "an unknown input": (action(f"{{uses: {PYTHON}, with: {{cache: pip}}}}"), "not support the input 'cache'"),
    "an undeclared input": (action(inputs="{other: {}}"), f"{ACTION!r} has no input 'lock'; it has other"),
    "no shell": (action("{run: echo hello}"), f"{ACTION!r}: step 1: it needs a `shell`"),
    "the job's token": (
        action("{run: 'true', shell: bash, env: {T: '${{ github.token }}'}}"),
        "it reads the job's token, which this runner gives to no local action; pass it as an input",
    ),
    "an action that reads the job's token": (
        action(f"{{uses: {CHECKOUT}, with: {{path: x}}}}"), "needs its input `token` here"
    ),
    "a program of its own": ("name: x\nruns: {using: node24, main: x.js}\n", "it is not composite"),
    "no YAML": ("name: [x", "is not YAML"),
    "no mapping": ("- x\n", "is not a mapping"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "message"), REFUSED.values(), ids=REFUSED)
@pytest.mark.parametrize("nested", [False, True], ids=["named by a job", "named by an action"])
def test_unsupported_local_actions_fail_before_the_run(
    world: RunnerWorld, text: str, message: str, nested: bool
) -> None:
    """No problem is ignored, also in nested actions."""
    between = {"./between/action.yml": action(USES_ACTION)} if nested else {}
    step = "{uses: ./between, with: {lock: dev}}" if nested else USES_ACTION
    world.commit(ci=workflow("push", CHECKED_OUT, step, "run: touch $OUT/ran"), **{FILE: text}, **between)
    world.push()
    run = world.run()
    assert run.conclusion == "failure"
    assert message in (run.folder / "log.txt").read_text()
    assert not (world.out / "ran").exists()


def test_the_action_is_that_of_the_commit_that_runs(world: RunnerWorld) -> None:
    """The action of another branch is not used."""
    world.commit(ci=workflow("push", CHECKED_OUT, USES_ACTION), **{FILE: action("{uses: evil/action@v1}")})
    world.git("push", "--quiet", "origin", "HEAD:refs/heads/main")
    world.commit(**{FILE: action("{run: echo topic, shell: bash}")})
    world.push("refs/heads/topic")
    assert world.run().jobs["one"].log.endswith("topic\n")
