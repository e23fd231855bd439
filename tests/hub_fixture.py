"""A repository with three versions on the local GitHub, and the commands of its workflow jobs."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from github.model import Event, Grant, Run, Token
from github.person import Person
from github.server import LocalGitHub
from repositories import GIT_IDENTITY, run

WORKER = Path(__file__).with_name("command_worker.py")
BRANCH = "promote/production"
PULLS_ALLOWED = "actions_may_open_pull_requests"
# Grants of the job `promote`.
GRANTS: dict[str, Grant] = {
    "contents": "write", "pull_requests": "write", "issues": "write", "statuses": "write", "actions": "write",
}  # fmt: skip
# Grants of the job `deploy`.
DEPLOY_GRANTS: dict[str, Grant] = {**GRANTS, "packages": "write"}
FEATURES = "src/tumour_screening/features.py"
# Image that the job `image` would have pushed.
IMAGE = "registry.example.com/model@sha256:" + "1" * 64
START = '    "mean_radius",\n    "mean_texture",\n    "mean_smoothness",\n'
BETTER = START + '    "worst_radius",\n    "worst_texture",\n    "worst_concave_points",\n'
WORSE = '    "mean_radius",\n'


@dataclass(frozen=True)
class Result:
    """Result of a command."""

    code: int
    out: str
    err: str


class CommandWorker:
    """Process with the generated repository's Python that runs its commands, each with its own environment."""

    def __init__(self, repository: Path) -> None:
        """Start it."""
        python = repository / ".venv" / "bin" / "python"
        self.process = subprocess.Popen([python, WORKER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def run(self, folder: Path, *arguments: str, env: Mapping[str, str] | None = None) -> Result:
        """Run one command of `gitops` in a folder."""
        assert self.process.stdin
        assert self.process.stdout
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("GITHUB_", "MLFLOW_"))}
        request = {"folder": str(folder), "arguments": list(arguments), "package": "tumour_screening",
                 "env": {**inherited, **GIT_IDENTITY, **(env or {})}}  # fmt: skip
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        return Result(**json.loads(self.process.stdout.readline()))

    def must(self, folder: Path, *arguments: str, env: Mapping[str, str] | None = None) -> Result:
        """Run one command, and assert that it succeeds."""
        done = self.run(folder, *arguments, env=env)
        assert done.code == 0, f"gitops {' '.join(arguments)}: exit {done.code}\n{done.out}\n{done.err}"
        return done

    def stop(self) -> None:
        """End the process."""
        assert self.process.stdin
        self.process.stdin.close()
        self.process.wait(300)  # a busy machine once took more than 30


def choose(root: Path, columns: str) -> None:
    """Set the pipeline's feature columns, and commit."""
    file = root / FEATURES
    text = file.read_text()
    start, end = text.index("COLUMNS = [\n") + len("COLUMNS = [\n"), text.index("]\n")
    file.write_text(text[:start] + columns + text[end:])
    run(root, "git", "commit", "--quiet", "--all", "--message", "Change the columns")


def prepare(repository: Path, folder: Path, worker: CommandWorker) -> Path:
    """Prepare three versions (as generated, better, worse), none promoted, and their comparisons.

    Below the folder: `remote.git`, `clone`, and `comparisons/`: 1, 2, 3 where nothing is proposed; 2-over-1, 3-over-1
    and 1-over-2 where another version is; 2-over-champion-1 after version 1 was merged.
    """
    bare, clone = folder / "remote.git", folder / "clone"
    shutil.copytree(repository.parent / "remote.git", bare)
    start = run(repository, "git", "rev-list", "--max-parents=0", "main").strip()
    run(bare, "git", "update-ref", "refs/heads/main", start)
    run(folder, "git", "clone", "--quiet", str(bare), "clone")
    _forget_deployments(clone)
    for columns in (BETTER, WORSE):
        choose(clone, columns)
        worker.must(clone, "train")
        worker.must(clone, "register")
    run(clone, "git", "push", "--quiet", "origin", "main")
    # All comparisons are made on the tests' first main: on another one they would be expired.
    for number in "123":
        compare(worker, clone, folder, number)
    for offered, others in {"1": "23", "2": "1"}.items():
        worker.must(clone, "promote", "--local", "--comparison", str(folder / "comparisons" / offered))
        run(clone, "git", "push", "--quiet", "--force", "origin", BRANCH)
        for number in others:
            compare(worker, clone, folder, number, f"{number}-over-{offered}")
        run(clone, "git", "push", "--quiet", "origin", f":{BRANCH}")
    worker.must(clone, "promote", "--local", "--comparison", str(folder / "comparisons" / "1"))
    run(clone, "git", "push", "--quiet", "origin", f"{BRANCH}:main")
    compare(worker, clone, folder, "2", "2-over-champion-1")
    run(clone, "git", "push", "--quiet", "--force", "origin", "main")
    run(clone, "git", "branch", "--quiet", "-D", BRANCH)
    return folder


def _forget_deployments(clone: Path) -> None:
    """Remove the recorded deployments, so that no version is verified anywhere."""
    run(clone, "git", "switch", "--quiet", "mlflow")
    run(clone, "git", "rm", "--quiet", "ledger.jsonl")
    run(clone, "git", "commit", "--quiet", "--message", "Start over")
    run(clone, "git", "push", "--quiet", "origin", "mlflow")
    run(clone, "git", "switch", "--quiet", "main")
    run(clone, "git", "branch", "--quiet", "-D", "mlflow")


def compare(worker: CommandWorker, clone: Path, folder: Path, number: str, name: str = "") -> None:
    """Compare a version, and keep the comparison."""
    worker.must(clone, "compare", "--version", number, "--out", str(folder / "comparisons" / (name or number)))


class PreparedHub(Person):
    """The local GitHub with that repository, and the clone of a job."""

    image = IMAGE

    def __init__(self, hub: LocalGitHub, clone: Path, comparisons: Path, worker: CommandWorker) -> None:
        """Give jobs the workflow's grants, which a test can remove."""
        super().__init__(hub)
        self.clone, self.comparisons, self.worker = clone, comparisons, worker
        self.grants = dict(GRANTS)
        hub.listeners.append(self._begin)

    def _begin(self, event: Event) -> None:
        """Add a run for each dispatched workflow, without executing it."""
        if event.name == "workflow_dispatch":
            number = len(self.hub.runs) + 1
            new_run = Run(
                number, event.workflow, event.workflow, event, self.clone, "2026-11-21T00:00:00Z", "in_progress"
            )
            self.hub.runs[number] = new_run

    def environment(self, token: Token) -> dict[str, str]:
        """Return the variables that Actions sets in a job."""
        return {
            "GITHUB_ACTIONS": "true", "GITHUB_API_URL": self.hub.api, "GITHUB_SERVER_URL": self.hub.url,
            "GITHUB_REPOSITORY": self.hub.repository, "GITHUB_TOKEN": token.value, "GITHUB_RUN_ID": "77",
            "GITHUB_STEP_SUMMARY": str(self.clone.parent / "summary.md"), "NO_PROXY": "127.0.0.1",
            "GITOPS_IMAGE": self.image,
        }  # fmt: skip

    def promote(self, name: str, code: int = 0) -> str:
        """Run `gitops promote` on a comparison with a new job token, and return its output."""
        env = self.environment(self.hub.issue_token(self.grants))
        done = self.worker.run(self.clone, "promote", "--comparison", str(self.comparisons / name), env=env)
        assert done.code == code, f"exit {done.code}, not {code}\n{done.out}\n{done.err}"
        return done.out + done.err

    def job(self, *arguments: str, code: int = 0, env: Mapping[str, str] | None = None) -> str:
        """Run a command as the job `deploy` does, on the newest main, and return its output."""
        run(self.clone, "git", "fetch", "--quiet", "origin", "main")
        run(self.clone, "git", "switch", "--quiet", "--detach", "origin/main")
        variables = {**self.environment(self.hub.issue_token(DEPLOY_GRANTS)), **(env or {})}
        done = self.worker.run(self.clone, *arguments, env=variables)
        assert done.code == code, f"exit {done.code}, not {code}\n{done.out}\n{done.err}"
        return done.out + done.err

    def git_as_person(self, *arguments: str) -> str:
        """Run Git in a separate clone of the person."""
        clone = self.clone.with_name("person")
        if not clone.exists():
            run(clone.parent, "git", "clone", "--quiet", self.hub.remote, clone.name)
        return run(clone, "git", *arguments)

    def push(self, path: str, old: str, new: str) -> None:
        """Replace a text in a file on main as a person does, and clear the request log."""
        self.git_as_person("fetch", "--quiet")
        self.git_as_person("switch", "--quiet", "main")
        self.git_as_person("reset", "--quiet", "--hard", "origin/main")
        file = self.clone.with_name("person") / path
        text = file.read_text()
        assert old in text, f"{path} does not hold {old!r}"
        file.write_text(text.replace(old, new, 1))
        self.git_as_person("commit", "--quiet", "--all", "--message", f"Change {path}")
        self.git_as_person("push", "--quiet", "origin", "main")
        self.clear_requests()

    def compare_again(self, name: str, number: str) -> str:
        """Compare a version on the newest main, as a dispatched run does, and return the comparison's folder."""
        out = self.clone.parent / name
        self.job("compare", "--version", number, "--out", str(out))
        return str(out)

    @property
    def dispatched_inputs(self) -> list[dict[str, str]]:
        """Inputs of each dispatched run of Train."""
        return [each.event.payload["inputs"] for each in self.hub.runs.values() if each.workflow == "train.yml"]

    @property
    def writes(self) -> list[tuple[str, str]]:
        """All writes to the API and pushes, in order."""
        return [
            (request.method, re.sub(r"/[0-9a-f]{40}$", "/SHA", request.path.split(self.hub.repository, 1)[-1]))
            for request in self.hub.requests
            if request.method in {"POST", "PATCH", "PUT", "DELETE"} and "git-upload-pack" not in request.path
        ]

    def clear_requests(self) -> None:
        """Clear the request log."""
        self.hub.requests.clear()


def assert_green(ended: Mapping[str, Run], *workflows: str) -> None:
    """Assert that these workflows ran and succeeded; else show the end of each job's log."""
    for workflow in workflows:
        found = ended[workflow]
        logs = "\n".join(f"{job.id}: {job.conclusion}\n{job.log[-3000:]}" for job in found.jobs.values())
        logs += (found.folder / "log.txt").read_text()[-3000:]
        assert found.conclusion == "success", f"{workflow}: {found.conclusion}\n{logs}"
