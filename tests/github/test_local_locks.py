"""The local GitHub's runner keeps concurrency groups as GitHub does."""

import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from github.runner.expressions import UnsupportedExpression, evaluate, interpolate
from runner_world import CHECKOUT, RunnerWorld


@pytest.fixture
def world(tmp_path: Path) -> Iterator[RunnerWorld]:
    """A new world; its runner is stopped at the end."""
    made = RunnerWorld(tmp_path)
    with made.runner:
        yield made


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


def _start_three_runs(world: RunnerWorld, queue: str, cancel: str = "false") -> None:
    """Start three runs that request the same lock; each runs or waits before the next one starts."""
    world.commit(go=LOCKED.replace("QUEUE", queue).replace("CANCEL", cancel))
    world.push()
    for number, id in enumerate("abc", 1):
        world.dispatch("go", id=id)
        world.wait_until(partial(_has_or_awaits_lock, world, number, f"start {id}", waits=cancel == "false"))
    world.wait_until(lambda: queue != "single" or world.hub.runs[2].status == "completed")


def _has_or_awaits_lock(world: RunnerWorld, number: int, note: str, waits: bool) -> bool:
    """Return whether a run has the lock, or waits for it as expected."""
    return note in world.notes() or (waits and world.hub.runs[number].status == "waiting")


def _conclusions(world: RunnerWorld) -> list[tuple[str | None, str | None]]:
    """Return the conclusion of each run and of its locked job."""
    return [(run.conclusion, run.jobs["locked"].conclusion) for run in world.runner.wait(60)]


SUCCESS, CANCELLED = ("success", "success"), ("cancelled", "cancelled")


def test_a_lock_keeps_one_job_waiting_and_cancels_the_older(world: RunnerWorld) -> None:
    """The second never starts, though the rest of its run does; the third waits."""
    _start_three_runs(world, "single")
    world.release()
    assert _conclusions(world) == [SUCCESS, CANCELLED, SUCCESS]
    assert world.notes() == ["start a", "end a", "always a", "start c", "end c", "always c"]
    assert world.hub.runs[2].jobs["locked"].steps == []
    assert world.hub.runs[2].jobs["free"].conclusion == "success"


def test_a_jobs_seconds_do_not_count_its_wait_for_the_lock(world: RunnerWorld) -> None:
    """The duration starts when the job may start, as on GitHub."""
    _start_three_runs(world, "single")
    released = time.monotonic()
    time.sleep(0.5)
    world.release()
    assert _conclusions(world)[2] == SUCCESS
    assert 0 < world.hub.runs[3].jobs["locked"].seconds < time.monotonic() - released - 0.5


def test_a_lock_with_a_queue_keeps_all_in_order(world: RunnerWorld) -> None:
    """`queue: max` cancels no run."""
    _start_three_runs(world, "max")
    world.release()
    assert _conclusions(world) == [SUCCESS, SUCCESS, SUCCESS]
    assert world.notes() == [f"{step} {id}" for id in "abc" for step in ("start", "end", "always")]


def test_a_lock_can_cancel_the_job_that_holds_it(world: RunnerWorld) -> None:
    """`cancel-in-progress` ends the step that runs, but not those that are `always()`."""
    _start_three_runs(world, "single", "\"${{ github.ref == 'refs/heads/main' }}\"")
    world.release()
    assert _conclusions(world) == [CANCELLED, CANCELLED, SUCCESS]
    assert world.notes() == ["start a", "always a", "start b", "always b", "start c", "end c", "always c"]


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


def test_a_workflows_group_keeps_one_run_waiting(world: RunnerWorld) -> None:
    """An older one that waits is cancelled."""
    world.commit(ci=GROUPED.replace("CANCEL", "false"))
    for _ in range(3):
        world.push()
    world.release()
    assert [run.conclusion for run in world.runner.wait(60)] == ["success", "cancelled", "success"]
    assert world.notes() == ["start 1", "start 3"]


def test_a_workflows_group_can_cancel_the_run_in_it(world: RunnerWorld) -> None:
    """Steps that are `cancelled()` still run."""
    world.commit(ci=GROUPED.replace("CANCEL", "true"))
    world.push()
    world.wait_until(lambda: world.notes() == ["start 1"])
    world.push()
    world.release()
    first, second = world.runner.wait(60)
    assert (first.conclusion, second.conclusion) == ("cancelled", "success")
    assert [job.conclusion for job in first.jobs.values()] == ["cancelled", "skipped"]
    assert world.notes() == ["start 1", "cancelled", "start 2"]


VALUES = {
    "github.ref == 'REFS/heads/main' && 'yes' || 'no'": "yes",
    "!(inputs.often != true)": True,
    "format('{0}-{1}', github.ref, inputs.count)": "refs/heads/main-3",
    "inputs.missing || 'it''s'": "it's",
    "github.event.a.b": None,
    "fromJSON('[\"a\", 1]')": ["a", 1],
    "startsWith(github.ref, 'refs/')": True,
}


@pytest.mark.parametrize(("text", "value"), VALUES.items())
def test_the_runner_evaluates_what_locks_need(text: str, value: object) -> None:
    """A small part of GitHub's expressions."""
    contexts = {"github": {"ref": "refs/heads/main", "event": {}}, "inputs": {"often": True, "count": 3.0}}
    assert evaluate(text, contexts) == value


@pytest.mark.parametrize(
    "text", ["toJSON(github)", "secrets.A", "github.nothing", "github.ref ==", "(1", "1 ~ 2", "1 2"]
)
def test_the_runner_refuses_other_expressions(text: str) -> None:
    """Unsupported expressions are errors."""
    with pytest.raises(UnsupportedExpression, match="does not evaluate"):
        interpolate(f"${{{{ {text} }}}}", {"github": {"ref": "x"}})
