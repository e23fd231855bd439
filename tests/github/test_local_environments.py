"""The local GitHub's runner treats a job's `environment`, and the legs of its matrix, as GitHub does."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from github.deployments import Deployment
from github.model import Run
from local_jobs import World

PLACES = """
name: Places
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
  told:
    needs: good
    runs-on: ubuntu-latest
    environment: ${{ needs.good.outputs.next }}
    concurrency: ${{ needs.good.outputs.next }}
    steps: [{run: echo told}]
  nowhere:
    runs-on: ubuntu-latest
    environment: ${{ github.head_ref }}
    steps: [{run: echo nowhere}]
"""


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """A new world, in which nothing is left running."""
    made = World(tmp_path)
    with made.runner:
        yield made


def deployments(world: World) -> dict[str, Deployment]:
    """The last deployment to each environment."""
    return {it.environment: it for it in world.hub.deployments.all.values()}


def states(it: Deployment) -> list[str]:
    """What was said of a deployment, in order."""
    return [said.state for said in it.said]


def restrict(world: World, environment: str) -> None:
    """Let a person be asked before anything is deployed there."""
    world.hub.deployments.environment(environment).body = {"reviewers": [{"type": "User", "id": 1}]}


def review(world: World, run: Run, environment: str, approved: bool) -> None:
    """Decide what a run waits for, as the server does."""
    for it in world.hub.deployments.of_run(run):
        it.waits = it.waits and it.environment != environment
    world.runner.review(run, approved)


def test_a_job_with_an_environment_is_a_deployment(world: World) -> None:
    """GitHub makes it and says how it goes; not for a job that is skipped, or whose environment comes to nothing."""
    world.commit(ci=PLACES)
    world.push()
    run = world.run()
    made = deployments(world)
    assert {name: states(it) for name, it in made.items()} == {
        "staging": ["in_progress", "success"], "production": ["in_progress", "failure"],
        "trial": ["in_progress", "success"],
    }  # fmt: skip
    assert [job.conclusion for job in run.jobs.values()] == ["success", "failure", "skipped", "success", "success"]
    assert made["staging"].said[-1].url == "http://127.0.0.1:8080/main"
    assert made["staging"].said[-1].log == f"{world.hub.url}/ada/iris/actions/runs/1"
    assert (made["staging"].sha, made["staging"].ref) == (run.event.sha, "main")
    assert made["staging"].creator.login == "github-actions[bot]"
    assert len(world.hub.deployments.all) == 3


GUARDED = """
name: Guarded
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


def test_a_guarded_job_waits_for_a_person(world: World) -> None:
    """None of its steps runs before; approved, it is a job like any other."""
    restrict(world, "production")
    world.commit(ci=GUARDED)
    world.push()
    run = world.hub.runs[1]
    world.until(lambda: run.status == "waiting")
    assert (world.order(), states(deployments(world)["production"])) == ([], [])
    review(world, run, "elsewhere", True)
    assert run.status == "waiting"
    review(world, run, "production", True)
    assert world.run().conclusion == "success"
    assert world.order() == ["start", "always", "after"]
    assert states(deployments(world)["production"]) == ["in_progress", "success"]


def test_a_rejected_job_has_failed(world: World) -> None:
    """Without a step, not even those that always run."""
    restrict(world, "production")
    world.commit(ci=GUARDED)
    world.push()
    run = world.hub.runs[1]
    world.until(lambda: run.status == "waiting")
    review(world, run, "production", False)
    assert world.run().conclusion == "failure"
    assert {job.id: (job.conclusion, job.steps) for job in run.jobs.values()} == {
        "deploy": ("failure", []), "after": ("skipped", [])
    }  # fmt: skip
    assert (world.order(), states(deployments(world)["production"])) == ([], ["failure"])


def test_a_job_that_waits_for_a_person_keeps_nobody_waiting(world: World) -> None:
    """It holds neither its lock nor a worker until it is approved."""
    world.runner.workers = 1
    world.commit(ci=GUARDED)
    world.push()
    world.run()
    restrict(world, "production")
    world.push()
    world.until(lambda: world.hub.runs[2].status == "waiting")
    world.hub.deployments.environment("production").body = {}
    world.push()
    world.until(lambda: world.hub.runs[3].status == "completed")
    assert world.hub.runs[2].status == "waiting"
    review(world, world.hub.runs[2], "production", True)
    assert [run.conclusion for run in world.runner.wait(60)] == ["success"] * 3


def test_a_job_that_is_ended_takes_its_deployment_with_it(world: World) -> None:
    """Nothing is in progress for ever."""
    world.commit(ci=GUARDED.replace("echo start >> $OUT/order", "echo start >> $OUT/order; sleep 63"))
    world.push()
    world.until(lambda: world.order() == ["start"])
    restrict(world, "production")
    world.commit(ci=GUARDED.replace("concurrency: deploy", "permissions: {}"))
    world.push()
    world.until(lambda: world.hub.runs[2].status == "waiting")
    world.runner.close()
    made = world.hub.deployments.all.values()
    assert [(states(it), it.waits) for it in made] == [(["in_progress", "failure"], False), (["failure"], False)]


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


def test_a_matrix_is_what_an_earlier_job_says(world: World) -> None:
    """Its legs run one after the other, each with its own environment, deployment and lock, and the job's grants."""
    world.commit(go=LEGS)
    world.push()
    world.go()
    world.dispatch("go")
    run = world.run()
    assert {id: job.conclusion for id, job in run.jobs.items()} == {
        "plan": "success", "deploy (staging)": "success", "deploy (production)": "success", "after": "success"
    }  # fmt: skip
    legs = [f"{what} a {where}" for where in ("staging", "production") for what in ("start", "end")]
    assert world.order() == [*legs, "deploy success"]
    assert {name: states(it) for name, it in deployments(world).items()} == {
        "staging": ["in_progress", "success"], "production": ["in_progress", "success"]
    }  # fmt: skip
    grants = {token.value: dict(token.permissions) for token in world.hub.issued}
    used = (world.out / "tokens").read_text().split()
    assert [grants[token] for token in used] == [{"deployments": "write", "packages": "read"}] * 2


def test_a_leg_that_fails_spares_the_others(world: World) -> None:
    """Where `fail-fast` is off; the job as a whole has failed."""
    world.commit(go=LEGS)
    world.push()
    world.go()
    world.dispatch("go", fails="staging")
    run = world.run()
    assert (run.conclusion, run.jobs["deploy (staging)"].conclusion) == ("failure", "failure")
    assert run.jobs["deploy (production)"].conclusion == "success"
    assert world.order() == ["start a staging", "start a production", "end a production", "deploy failure"]
    assert [states(it)[-1] for it in deployments(world).values()] == ["failure", "success"]


def test_each_leg_waits_for_its_own_lock(world: World) -> None:
    """A second run enters an environment when the first has left it."""
    world.commit(go=LEGS)
    world.push()
    world.dispatch("go", id="a")
    world.until(lambda: world.order() == ["start a staging"])
    world.dispatch("go", id="b")
    world.until(lambda: world.hub.runs[2].status == "waiting")
    assert world.order() == ["start a staging"]
    world.go()
    assert [run.conclusion for run in world.runner.wait(60)] == ["success", "success"]
    order = world.order()
    for environment in ("staging", "production"):
        legs = [f"{what} {id} {environment}" for id in "ab" for what in ("start", "end")]
        assert [line for line in order if line.endswith(environment)] == legs


def test_a_guarded_leg_waits_alone(world: World) -> None:
    """The one before it needs nobody."""
    restrict(world, "production")
    world.commit(go=LEGS)
    world.push()
    world.go()
    world.dispatch("go")
    run = world.hub.runs[1]
    world.until(lambda: run.status == "waiting" and "end a staging" in world.order())
    world.until(lambda: "production" in deployments(world))
    assert "start a production" not in world.order()
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


def test_a_job_that_fails_still_gives_out_what_it_had(world: World) -> None:
    """Whatever its exit code; later jobs decide by it."""
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
    "an expression beyond us": ("'${{ vars.WHERE }}'", "it knows no 'vars'"),
}


@pytest.mark.parametrize(("environment", "why"), REFUSED.values(), ids=REFUSED)
def test_an_environment_beyond_us_is_refused(world: World, environment: str, why: str) -> None:
    """Before anything runs."""
    job = {"runs-on": "ubuntu-latest", "steps": [{"run": "true"}]}
    text = f"on: push\njobs:\n  one: {json.dumps(job)[:-1]}, environment: {environment}}}\n"
    world.commit(ci=text)
    world.push()
    run = world.run()
    assert (run.conclusion, run.jobs) == ("failure", {})
    assert why in (run.folder / "log.txt").read_text()
