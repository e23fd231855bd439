"""The local GitHub's runner treats a job's `environment`, and the legs of its matrix, as GitHub does."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from github.deployments import Deployment
from github.model import Run
from runner_world import RunnerWorld

ENVIRONMENTS = """
name: Environments
on: push
jobs:
  good:
    runs-on: ubuntu-latest
    environment: {name: staging, url: 'http://127.0.0.1:${{ steps.start.outputs.port }}/${{ github.ref_name }}'}
    outputs: {next: trial}
    steps: [{id: start, run: echo port=8080 >> $GITHUB_OUTPUT}]
  bad:
    runs-on: ubuntu-latest
    environment: production
    steps: [{run: exit 10}]
  skipped:
    if: github.ref == 'refs/heads/other'
    runs-on: ubuntu-latest
    environment: production
    steps: [{run: echo never}]
  last:
    needs: good
    runs-on: ubuntu-latest
    environment: ${{ needs.good.outputs.next }}
    concurrency: ${{ needs.good.outputs.next }}
    steps: [{run: echo last}]
  nowhere:
    runs-on: ubuntu-latest
    environment: ${{ github.head_ref }}
    steps: [{run: echo nowhere}]
"""


@pytest.fixture
def world(tmp_path: Path) -> Iterator[RunnerWorld]:
    """A new world; its runner is stopped at the end."""
    made = RunnerWorld(tmp_path)
    with made.runner:
        yield made


def deployments(world: RunnerWorld) -> dict[str, Deployment]:
    """Return the last deployment to each environment."""
    return {item.environment: item for item in world.hub.deployments.all.values()}


def states(item: Deployment) -> list[str]:
    """Return the states of a deployment, in order."""
    return [status.state for status in item.statuses]


def require_review(world: RunnerWorld, environment: str) -> None:
    """Make a person a required reviewer of an environment."""
    world.hub.deployments.environment(environment).body = {"reviewers": [{"type": "User", "id": 1}]}


def review(world: RunnerWorld, run: Run, environment: str, approved: bool) -> None:
    """Review a run's deployments, as the server does."""
    for item in world.hub.deployments.of_run(run):
        item.waits = item.waits and item.environment != environment
    world.runner.review(run, approved)


def test_a_job_with_an_environment_is_a_deployment(world: RunnerWorld) -> None:
    """GitHub creates it and its statuses; not for a skipped job, or one with an empty environment."""
    world.commit(ci=ENVIRONMENTS)
    world.push()
    run = world.run()
    made = deployments(world)
    assert {name: states(item) for name, item in made.items()} == {
        "staging": ["in_progress", "success"], "production": ["in_progress", "failure"],
        "trial": ["in_progress", "success"],
    }  # fmt: skip
    assert [job.conclusion for job in run.jobs.values()] == ["success", "failure", "skipped", "success", "success"]
    assert made["staging"].statuses[-1].url == "http://127.0.0.1:8080/main"
    assert made["staging"].statuses[-1].log == f"{world.hub.url}/ada/iris/actions/runs/1"
    assert (made["staging"].sha, made["staging"].ref) == (run.event.sha, "main")
    assert made["staging"].creator.login == "github-actions[bot]"
    assert len(world.hub.deployments.all) == 3


REVIEWED = """
name: Reviewed
on: push
jobs:
  deploy:
    runs-on: ubuntu-latest
    environment: production
    concurrency: deploy
    steps:
      - run: echo start >> $OUT/order
      - {run: echo always >> $OUT/order, if: always()}
  after:
    needs: deploy
    runs-on: ubuntu-latest
    steps: [{run: echo after >> $OUT/order}]
"""


def test_a_job_with_reviewers_waits_for_approval(world: RunnerWorld) -> None:
    """None of its steps runs before the approval; all run after it."""
    require_review(world, "production")
    world.commit(ci=REVIEWED)
    world.push()
    run = world.hub.runs[1]
    world.wait_until(lambda: run.status == "waiting")
    assert (world.notes(), states(deployments(world)["production"])) == ([], [])
    review(world, run, "elsewhere", True)
    assert run.status == "waiting"
    review(world, run, "production", True)
    assert world.run().conclusion == "success"
    assert world.notes() == ["start", "always", "after"]
    assert states(deployments(world)["production"]) == ["in_progress", "success"]


def test_a_rejected_job_has_failed(world: RunnerWorld) -> None:
    """No step runs, not even those with `always()`."""
    require_review(world, "production")
    world.commit(ci=REVIEWED)
    world.push()
    run = world.hub.runs[1]
    world.wait_until(lambda: run.status == "waiting")
    review(world, run, "production", False)
    assert world.run().conclusion == "failure"
    assert {job.id: (job.conclusion, job.steps) for job in run.jobs.values()} == {
        "deploy": ("failure", []), "after": ("skipped", [])
    }  # fmt: skip
    assert (world.notes(), states(deployments(world)["production"])) == ([], ["failure"])


def test_a_job_that_waits_for_approval_blocks_no_other_run(world: RunnerWorld) -> None:
    """It occupies neither its lock nor a worker until it is approved."""
    world.runner.workers = 1
    world.commit(ci=REVIEWED)
    world.push()
    world.run()
    require_review(world, "production")
    world.push()
    world.wait_until(lambda: world.hub.runs[2].status == "waiting")
    world.hub.deployments.environment("production").body = {}
    world.push()
    world.wait_until(lambda: world.hub.runs[3].status == "completed")
    assert world.hub.runs[2].status == "waiting"
    review(world, world.hub.runs[2], "production", True)
    assert [run.conclusion for run in world.runner.wait(60)] == ["success"] * 3


def test_a_job_that_is_stopped_ends_its_deployment(world: RunnerWorld) -> None:
    """No deployment stays in progress."""
    world.commit(ci=REVIEWED.replace("echo start >> $OUT/order", "echo start >> $OUT/order; sleep 63"))
    world.push()
    world.wait_until(lambda: world.notes() == ["start"])
    require_review(world, "production")
    world.commit(ci=REVIEWED.replace("concurrency: deploy", "permissions: {}"))
    world.push()
    world.wait_until(lambda: world.hub.runs[2].status == "waiting")
    world.runner.close()
    made = world.hub.deployments.all.values()
    assert [(states(item), item.waits) for item in made] == [(["in_progress", "failure"], False), (["failure"], False)]


LEGS = """
name: Legs
on: {workflow_dispatch: {inputs: {fails: {default: none}, id: {default: a}}}}
permissions: {}
jobs:
  plan:
    runs-on: ubuntu-latest
    outputs:
      environments: ${{ steps.plan.outputs.environments }}
    steps: [{id: plan, run: 'echo ''environments=["staging","production"]'' >> $GITHUB_OUTPUT'}]
  deploy:
    needs: plan
    strategy:
      max-parallel: 1
      fail-fast: false
      matrix:
        environment: ${{ fromJSON(needs.plan.outputs.environments) }}
    runs-on: ubuntu-latest
    permissions: {deployments: write, packages: read}
    environment: ${{ matrix.environment }}
    concurrency: {group: 'deploy-${{ matrix.environment }}', queue: max}
    env: {ENVIRONMENT: '${{ matrix.environment }}', TOKEN: '${{ github.token }}'}
    steps:
      - run: echo start ${{ inputs.id }} $ENVIRONMENT >> $OUT/order; echo $TOKEN >> $OUT/tokens
      - run: until [ -e $OUT/go ]; do sleep 0.05; done; test $ENVIRONMENT != "${{ inputs.fails }}"
      - run: echo end ${{ inputs.id }} $ENVIRONMENT >> $OUT/order
  after:
    needs: [plan, deploy]
    if: ${{ !cancelled() }}
    runs-on: ubuntu-latest
    steps: [{run: 'echo deploy ${{ needs.deploy.result }} >> $OUT/order'}]
"""


def test_a_matrix_comes_from_an_earlier_jobs_output(world: RunnerWorld) -> None:
    """The legs run one after the other, each with its own environment, deployment and lock, and the job's grants."""
    world.commit(go=LEGS)
    world.push()
    world.release()
    world.dispatch("go")
    run = world.run()
    assert {id: job.conclusion for id, job in run.jobs.items()} == {
        "plan": "success", "deploy (staging)": "success", "deploy (production)": "success", "after": "success"
    }  # fmt: skip
    legs = [f"{step} a {where}" for where in ("staging", "production") for step in ("start", "end")]
    assert world.notes() == [*legs, "deploy success"]
    assert {name: states(item) for name, item in deployments(world).items()} == {
        "staging": ["in_progress", "success"], "production": ["in_progress", "success"]
    }  # fmt: skip
    grants = {token.value: dict(token.permissions) for token in world.hub.issued}
    used = (world.out / "tokens").read_text().split()
    assert [grants[token] for token in used] == [{"deployments": "write", "packages": "read"}] * 2


def test_a_failed_leg_does_not_cancel_the_others(world: RunnerWorld) -> None:
    """With `fail-fast: false`, the other legs succeed, and the job as a whole fails."""
    world.commit(go=LEGS)
    world.push()
    world.release()
    world.dispatch("go", fails="staging")
    run = world.run()
    assert (run.conclusion, run.jobs["deploy (staging)"].conclusion) == ("failure", "failure")
    assert run.jobs["deploy (production)"].conclusion == "success"
    assert world.notes() == ["start a staging", "start a production", "end a production", "deploy failure"]
    assert [states(item)[-1] for item in deployments(world).values()] == ["failure", "success"]


def test_each_leg_waits_for_its_own_lock(world: RunnerWorld) -> None:
    """A second run deploys to an environment when the first has left it."""
    world.commit(go=LEGS)
    world.push()
    world.dispatch("go", id="a")
    world.wait_until(lambda: world.notes() == ["start a staging"])
    world.dispatch("go", id="b")
    world.wait_until(lambda: world.hub.runs[2].status == "waiting")
    assert world.notes() == ["start a staging"]
    world.release()
    assert [run.conclusion for run in world.runner.wait(60)] == ["success", "success"]
    order = world.notes()
    for environment in ("staging", "production"):
        legs = [f"{step} {id} {environment}" for id in "ab" for step in ("start", "end")]
        assert [line for line in order if line.endswith(environment)] == legs


def test_only_the_leg_with_reviewers_waits(world: RunnerWorld) -> None:
    """The leg before it needs no review."""
    require_review(world, "production")
    world.commit(go=LEGS)
    world.push()
    world.release()
    world.dispatch("go")
    run = world.hub.runs[1]
    world.wait_until(lambda: run.status == "waiting" and "end a staging" in world.notes())
    world.wait_until(lambda: "production" in deployments(world))
    assert "start a production" not in world.notes()
    review(world, run, "production", True)
    assert world.run().conclusion == "success"


FAILED = """
name: Failed
on: push
jobs:
  deploy:
    runs-on: ubuntu-latest
    outputs: {digest: '${{ steps.deploy.outputs.digest }}', late: '${{ steps.late.outputs.x }}'}
    steps:
      - {id: deploy, run: echo digest=sha256:1 >> $GITHUB_OUTPUT; exit 10}
      - {id: late, run: echo x=1 >> $GITHUB_OUTPUT}
  repair:
    needs: deploy
    if: failure()
    runs-on: ubuntu-latest
    env: {HAD: '${{ needs.deploy.outputs.digest }} ${{ needs.deploy.outputs.late }}.'}
    steps: [{run: 'echo ${{ needs.deploy.result }} $HAD'}]
  report:
    needs: [deploy, repair]
    if: always() && needs.deploy.outputs.digest == 'sha256:1'
    runs-on: ubuntu-latest
    steps: [{run: echo reported}]
"""


def test_a_failed_job_keeps_its_outputs(world: RunnerWorld) -> None:
    """Outputs before the failure are kept, and later jobs can use them."""
    world.commit(ci=FAILED)
    world.push()
    run = world.run()
    assert (run.conclusion, run.jobs["deploy"].conclusion) == ("failure", "failure")
    assert run.jobs["deploy"].outputs == {"digest": "sha256:1", "late": ""}
    assert run.jobs["repair"].log == "failure sha256:1 .\n"
    assert run.jobs["report"].log == "reported\n"


REFUSED: dict[str, Any] = {
    "an unknown key": ("{name: a, deployment: false}", "`environment` has no deployment here"),
    "no name": ("{url: a}", "`environment` needs a `name`"),
    "an unsupported expression": ("'${{ secrets.WHERE }}'", "it knows no 'secrets'"),
}


@pytest.mark.parametrize(("environment", "message"), REFUSED.values(), ids=REFUSED)
def test_an_unsupported_environment_is_refused(world: RunnerWorld, environment: str, message: str) -> None:
    """No job starts."""
    job = {"runs-on": "ubuntu-latest", "steps": [{"run": "true"}]}
    text = f"on: push\njobs:\n  one: {json.dumps(job)[:-1]}, environment: {environment}}}\n"
    world.commit(ci=text)
    world.push()
    run = world.run()
    assert (run.conclusion, run.jobs) == ("failure", {})
    assert message in (run.folder / "log.txt").read_text()
