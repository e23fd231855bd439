"""From a push to the promotion pull request, through the real workflows, and how the seconds divide among the steps."""

import shutil
import time
from pathlib import Path

from benchmarks.bake import Baked, commit
from benchmarks.process import run
from benchmarks.table import Figure, Say
from github.model import Run
from github.site import caches, site, warm_cache

WORKFLOW = "train.yml"
POLL = 0.1


def measure(baked: Baked, pushes: int, say: Say) -> list[Figure]:
    """Pushes, each of a better model or of the first, on the local GitHub; CI runs beside, on the same cores."""
    found: list[tuple[float, float, Run]] = []
    for number in range(pushes):
        say(f"push to pull request, {number + 1} of {pushes}")
        found.append(_push(baked, baked.root.with_name(f"push-{number}")))
    steps = [_steps(run) for *_, run in found]
    rows = {
        "push to pull request: all": [opened for opened, *_ in found],
        "push to the end of Train: all": [ended for _, ended, _ in found],
        **{f"push to the end of Train: {name}": [each[name] for each in steps] for name in steps[0]},
        "push to the end of Train: between the steps": [
            ended - sum(each.values()) for (_, ended, _), each in zip(found, steps, strict=True)
        ],
    }
    return [Figure(what, "s", _median(values), None, "", pushes) for what, values in rows.items()]


def _push(baked: Baked, folder: Path) -> tuple[float, float, Run]:
    """One new repository, pushed once: seconds until the pull request is there, until Train ended, and its run."""
    folder.mkdir()
    clone = baked.another(f"{folder.name}-clone")
    toml = clone / "model.toml"
    # No image is built: how long that takes is a matter of the network.
    toml.write_text(toml.read_text().replace('kind = "none"', 'kind = "process"'))
    commit(clone)
    machine = _machine(baked)
    with site(folder, clone, env=machine) as github:
        began = time.monotonic()
        run("git", "push", "--quiet", "origin", "main", cwd=clone)
        while not github.pulls:
            if all(each.status == "completed" for each in github.server.runs.values()):
                raise RuntimeError(f"No pull request was opened; see {folder / 'runs'}.")
            time.sleep(POLL)
        opened = time.monotonic() - began
        train = next(each for each in github.server.runs.values() if each.workflow == WORKFLOW)
        while train.status != "completed":
            time.sleep(POLL)
        ended = time.monotonic() - began
        github.settled()
    shutil.rmtree(folder)
    return opened, ended, train


def _machine(baked: Baked) -> dict[str, str]:
    """Caches for the machines that run workflows, made once."""
    folder = baked.root.with_name("machine")
    if folder.exists():
        return caches(folder)
    return warm_cache(folder, baked.root / "requirements")


def _steps(ended: Run) -> dict[str, float]:
    """Seconds by the names of the steps, over all jobs, largest first."""
    found: dict[str, float] = {}
    for job in ended.jobs.values():
        for name, _, seconds in job.steps:
            found[name] = found.get(name, 0.0) + seconds
    return dict(sorted(found.items(), key=lambda item: -item[1]))


def _median(values: list[float]) -> float:
    return sorted(values)[len(values) // 2]
