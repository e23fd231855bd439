"""One push through the workflows, and what came of it; kept, for whoever of the test run asks again."""

import json
import shutil
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from github.site import Site
from once import once

from . import start
from .saboteurs import Saboteur

JUDGE = Path(__file__).with_name("judge.py")
STARTS: dict[str, Callable[[Path, Mapping[str, str]], None]] = {
    "champion": start.champion, "dated": start.dated, "empty": start.empty,
}  # fmt: skip
TRAIN = "train.yml"


@dataclass(frozen=True)
class Result:
    """What came of a push.

    Attributes:
        folder: What `compare` left lies in `comparison/` below it, if it came so far.
        jobs: How each job of Train ended.
        logs: What each printed.
        pulls: How many promotion pull requests were opened.
        seconds: What the jobs took, step by step, altogether.
    """

    folder: Path
    jobs: dict[str, str]
    logs: dict[str, str]
    pulls: int
    seconds: dict[str, float]

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
        """What the gates judged."""
        return self.folder / "comparison" / "evidence.json"


@dataclass(frozen=True)
class Lab:
    """Starts and results, each made once, by whichever process needs it first.

    Attributes:
        folder: Where all processes of this test run keep them.
        env: Of the machines that run workflows, which hurry.
    """

    folder: Path
    env: Mapping[str, str]

    def result(self, saboteur: Saboteur) -> Result:
        """What came of a saboteur's push."""

        def act(site: Site) -> None:
            saboteur.does(site.clone)
            site.push(f"Send {saboteur.id}")

        return self.outcome(saboteur.slug, act, saboteur.start, saboteur.owner)

    def outcome(
        self, name: str, act: Callable[[Site], None], start: str = "champion",
        owner: Callable[[Path], None] | None = None,
    ) -> Result:  # fmt: skip
        """What came of anything that somebody did to the repository.

        Args:
            name: Of the folder in which it is kept.
            act: Starts a run of Train.
            start: From which state.
            owner: What the owner pushed just before, without a run of its own.
        """
        folder = once(self.folder / "results" / name, lambda place: self._make(place, act, start, owner))
        return Result(folder, **json.loads((folder / "result.json").read_text()))

    def _make(self, place: Path, act: Callable[[Site], None], name: str, owner: Callable[[Path], None] | None) -> None:
        with start.resumed(self.start(name), place / "site", self.env) as site:
            if owner:
                owner(site.clone)
                site.commit("Another rule")
                site.run("git", "push", "--quiet", str(site.hub.bare), "main")
            act(site)
            # The pull request of one that slips through is to be as complete as any.
            site.hub.settings.disabled = {start.DEPLOY}
            train = site.settled()[TRAIN]
            made = Result(
                place,
                jobs={id: str(job.conclusion) for id, job in train.jobs.items()},
                logs={id: job.log for id, job in train.jobs.items()},
                pulls=len(site.pulls),
                seconds={f"{id}: {name}": took for id, job in train.jobs.items() for name, _, took in job.steps},
            )
            left = train.folder / "artifacts" / "comparison"
            if left.is_dir():
                shutil.copytree(left, place / "comparison")
        kept = {name: value for name, value in asdict(made).items() if name != "folder"}
        (place / "result.json").write_text(json.dumps(kept))
        shutil.rmtree(place / "site")

    def start(self, name: str) -> Path:
        """The state that saboteurs start from."""
        return once(self.folder / "starts" / name, lambda place: STARTS[name](place, self.env))

    def judged(self, evidence: Mapping[str, Path]) -> dict[str, dict[str, dict[str, str]]]:
        """Which gates refuse each evidence, with their messages: by the gates as they are, and by every mutant."""
        asked = json.dumps({name: str(file) for name, file in evidence.items()})
        python = Path(self.env["READY"], "bin", "python")
        told = subprocess.run([python, JUDGE], input=asked, check=True, capture_output=True, text=True).stdout
        found: dict[str, dict[str, dict[str, str]]] = json.loads(told)
        return found
