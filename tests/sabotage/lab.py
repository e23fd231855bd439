"""Pushes of saboteurs and their results, which are kept for other tests of the same run.

A push goes through the workflows on the local GitHub, or through the commands of Train's jobs alone.
"""

import json
import shutil
import subprocess
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from create_once import create_once
from github.contributor import Contributor
from repositories import run

from . import start
from .saboteurs import Saboteur

JUDGE = Path(__file__).with_name("judge.py")
STARTS: dict[str, Callable[[Path, Mapping[str, str]], None]] = {
    "champion": start.champion, "dated": start.dated, "empty": start.empty,
}  # fmt: skip
TRAIN = "train.yml"
COMMANDS = ("train", "register", "compare")


@dataclass(frozen=True)
class Result:
    """Result of a push.

    Attributes:
        folder: Folder of the result; its `comparison/` has the output of `compare`, if that job ran.
        jobs: Conclusion of each job of Train; empty if only commands were run.
        logs: Log of each job or command.
        pulls: Number of promotion pull requests that were opened; None if only commands were run.
        seconds: Duration of each step of each job, or of each command.
        verdict: Output `verdict` of `compare`, which decides about the jobs `image` and `promote`; None for workflows.
    """

    folder: Path
    jobs: dict[str, str]
    logs: dict[str, str]
    pulls: int | None
    seconds: dict[str, float]
    verdict: str | None = None

    @property
    def comparison(self) -> dict[str, Any]:
        """The report's JSON."""
        found: dict[str, Any] = json.loads((self.evidence.with_name("comparison.json")).read_text())
        return found

    @property
    def refused(self) -> dict[str, str]:
        """The message of each gate that refused."""
        return {gate["id"]: gate["message"] for gate in self.comparison["gates"] if gate["verdict"] == "refused"}

    @property
    def evidence(self) -> Path:
        """The evidence that the gates judged."""
        return self.folder / "comparison" / "evidence.json"


@dataclass(frozen=True)
class Lab:
    """Start states and results, each made once, by the first process that needs it.

    Attributes:
        folder: Folder that all processes of this test run share.
        env: Environment of the runners, with fast setup.
        in_workflows: Saboteurs that are pushed through the workflows.
    """

    folder: Path
    env: Mapping[str, str]
    in_workflows: Collection[Saboteur]

    def result(self, saboteur: Saboteur) -> Result:
        """Return the result of a saboteur's push."""
        if saboteur not in self.in_workflows:
            return self._read(saboteur.slug, lambda folder: self._run_commands(folder, saboteur))

        def act(site: Contributor) -> None:
            saboteur.does(site.clone)
            site.push(f"Send {saboteur.id}")

        return self.outcome(saboteur.slug, act, saboteur.start, saboteur.owner)

    def outcome(
        self, name: str, act: Callable[[Contributor], None], start: str = "champion",
        owner: Callable[[Path], None] | None = None,
    ) -> Result:  # fmt: skip
        """Return the result of any change of the repository.

        Args:
            name: Name of the result's folder.
            act: Function that starts a run of Train.
            start: Name of the start state.
            owner: Change that the owner pushed just before, without a run.
        """
        return self._read(name, lambda folder: self._make(folder, act, start, owner))

    def _read(self, name: str, make: Callable[[Path], None]) -> Result:
        folder = create_once(self.folder / "results" / name, make)
        return Result(folder, **json.loads((folder / "result.json").read_text()))

    def _run_commands(self, folder: Path, saboteur: Saboteur) -> None:
        """Run the commands of Train's jobs after the saboteur's push, as these jobs run them; each must succeed."""
        clone = start.cloned(self.start(saboteur.start), folder / "site")
        if saboteur.owner:
            saboteur.owner(clone)
            start.push(clone, "Another rule")
        before = run(clone, "git", "rev-parse", "HEAD").strip()
        saboteur.does(clone)
        start.push(clone, f"Send {saboteur.id}")
        outputs = folder / "site" / "outputs"
        env = {**self.env, "GITHUB_OUTPUT": str(outputs)}
        logs, seconds = {"setup": run(clone, "make", "setup", "LOCK=train", env=env)}, {}
        for command in COMMANDS:
            written = _outputs(outputs)
            inputs = {"GITOPS_DIGEST": written.get("digest", ""), "GITOPS_VERSION": written.get("version", "")}
            started = time.monotonic()
            variables = {**env, **inputs, "GITOPS_BEFORE": before}
            logs[command] = run(clone, ".venv/bin/gitops", command, env=variables)
            seconds[command] = time.monotonic() - started
        shutil.copytree(clone / ".gitops" / "comparison", folder / "comparison")
        _keep(Result(folder, {}, logs, None, seconds, _outputs(outputs)["verdict"]))

    def _make(
        self, folder: Path, act: Callable[[Contributor], None], name: str, owner: Callable[[Path], None] | None
    ) -> None:
        with start.resumed(self.start(name), folder / "site", self.env) as site:
            if owner:
                owner(site.clone)
                site.commit("Another rule")
                site.run("git", "push", "--quiet", str(site.hub.bare), "main")
            act(site)
            # The pull request of one that slips through is to be as complete as any.
            site.hub.settings.disabled = {start.DEPLOY}
            train = site.wait_for_runs()[TRAIN]
            made = Result(
                folder,
                jobs={id: str(job.conclusion) for id, job in train.jobs.items()},
                logs={id: job.log for id, job in train.jobs.items()},
                pulls=len(site.pulls),
                seconds={f"{id}: {name}": took for id, job in train.jobs.items() for name, _, took in job.steps},
            )
            left = train.folder / "artifacts" / "comparison"
            if left.is_dir():
                shutil.copytree(left, folder / "comparison")
        _keep(made)

    def start(self, name: str) -> Path:
        """Return the folder of a start state."""
        return create_once(self.folder / "starts" / name, lambda folder: STARTS[name](folder, self.env))

    def judged(self, evidence: Mapping[str, Path]) -> dict[str, dict[str, dict[str, str]]]:
        """Return the gates that refuse each evidence, with their messages, for the original and every mutant."""
        asked = json.dumps({name: str(file) for name, file in evidence.items()})
        python = Path(self.env["READY"], "bin", "python")
        output = subprocess.run([python, JUDGE], input=asked, check=True, capture_output=True, text=True).stdout
        found: dict[str, dict[str, dict[str, str]]] = json.loads(output)
        return found


def _keep(result: Result) -> None:
    """Write a result, and remove the repository that it comes from."""
    kept = {name: value for name, value in asdict(result).items() if name != "folder"}
    (result.folder / "result.json").write_text(json.dumps(kept))
    shutil.rmtree(result.folder / "site")


def _outputs(file: Path) -> dict[str, str]:
    """Return a job's outputs; the last value of each."""
    lines = file.read_text().splitlines() if file.exists() else []
    return dict(line.split("=", 1) for line in lines if "=" in line)
