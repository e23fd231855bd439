"""From a push to the promotion pull request, through the real workflows: total time, and time of each step."""

import shutil
import time
from collections.abc import Iterable
from contextlib import nullcontext
from pathlib import Path

from benchmarks.generated import GeneratedRepository, commit
from benchmarks.process import run
from benchmarks.table import Figure, Progress
from fast_setup import skip_setup_and_checks, start_fork_server
from github.contributor import caches, start_github, warm_cache
from github.model import Run

WORKFLOW = "train.yml"
POLL = 0.1


def measure(generated: GeneratedRepository, pushes: int, fast: bool, progress: Progress) -> list[Figure]:
    """Measure pushes of new repositories to the local GitHub; CI runs at the same time, on the same cores.

    With `fast`, jobs install and import nothing: this tests the measurement, and is not the time that users wait.
    """
    results: list[tuple[float, float, Run]] = []
    for number in range(pushes):
        progress(f"push to pull request, {number + 1} of {pushes}")
        results.append(_push(generated, generated.root.with_name(f"push-{number}"), fast))
    steps = [_steps(run) for *_, run in results]
    rows = {
        "push to pull request: all": [opened for opened, *_ in results],
        "push to the end of Train: all": [ended for _, ended, _ in results],
        **{f"push to the end of Train: {name}": [each[name] for each in steps] for name in steps[0]},
        "push to the end of Train: between the steps": [
            ended - sum(each.values()) for (_, ended, _), each in zip(results, steps, strict=True)
        ],
    }
    return [Figure(name, "s", _median(values), None, "", pushes) for name, values in rows.items()]


def _push(generated: GeneratedRepository, folder: Path, fast: bool) -> tuple[float, float, Run]:
    """Push a new repository; return the seconds until the pull request, and until the end of Train, and its run."""
    folder.mkdir()
    clone = generated.copy_to(f"{folder.name}-clone")
    toml = clone / "model.toml"
    # No image is built, for its time depends on the network.
    toml.write_text(toml.read_text().replace('kind = "none"', 'kind = "process"'))
    if fast:
        skip_setup_and_checks(clone / "Makefile")
    commit(clone)
    machine = start_fork_server(generated.root / ".venv") if fast else nullcontext(_machine(generated))
    with machine as variables, start_github(folder, clone, env=variables) as github:
        began = time.monotonic()
        run("git", "push", "--quiet", "origin", "main", cwd=clone)
        while not github.pulls:
            if all(each.status == "completed" for each in github.server.runs.values()):
                raise RuntimeError(f"No pull request was opened.\n{_failed_logs(github.server.runs.values())}")
            time.sleep(POLL)
        opened = time.monotonic() - began
        train = next(each for each in github.server.runs.values() if each.workflow == WORKFLOW)
        while train.status != "completed":
            time.sleep(POLL)
        ended = time.monotonic() - began
        github.wait_for_runs()
    shutil.rmtree(folder)
    return opened, ended, train


def _failed_logs(runs: Iterable[Run]) -> str:
    """Return the ends of the logs of failed jobs."""
    failed = [job for run in runs for job in run.jobs.values() if job.conclusion == "failure"]
    return "\n".join(f"{job.id}:\n{job.log[-1500:]}" for job in failed)


def _machine(generated: GeneratedRepository) -> dict[str, str]:
    """Return the environment with caches of the machines that run workflows; the caches are filled once."""
    folder = generated.root.with_name("machine")
    if folder.exists():
        return caches(folder)
    return warm_cache(folder, generated.root / "requirements")


def _steps(ended: Run) -> dict[str, float]:
    """Return the seconds of each step over all jobs, in descending order."""
    durations: dict[str, float] = {}
    for job in ended.jobs.values():
        for name, _, seconds in job.steps:
            durations[name] = durations.get(name, 0.0) + seconds
    return dict(sorted(durations.items(), key=lambda item: -item[1]))


def _median(values: list[float]) -> float:
    return sorted(values)[len(values) // 2]
