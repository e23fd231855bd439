"""The journey with containers: a real engine and a real registry behind the generated workflows."""

import hashlib
import json
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests

from container_engine import ContainerEngine, free_port
from fast_setup import skip_setup_and_checks
from flaky_model import make_flaky
from github.contributor import Contributor, start_github
from github.model import Run
from hub_fixture import BETTER, START, WORSE
from images import build_nginx_image, configure_registry
from repositories import bake, run


class Ship(Contributor):
    """A person's clone, its GitHub, and production's address."""

    def __init__(self, made: Contributor, url: str, state: Path) -> None:
        """The same hub, runner and clone."""
        super().__init__(made.server, made.runner, made.clone)
        self.url, self.state = url, state

    @property
    def issues(self) -> list[dict[str, Any]]:
        """The open issues."""
        return [issue for issue in self.request("GET", "/issues?state=open") if "pull_request" not in issue]

    @property
    def facts(self) -> list[tuple[str, str]]:
        """Kind and digest of each fact in the ledger."""
        lines = (json.loads(line) for line in self.git("show", "mlflow:ledger.jsonl").splitlines())
        return [(fact["kind"], fact["digest"]) for fact in lines]

    def dispatch(self, workflow: str, **inputs: str) -> None:
        """Press "Run workflow"."""
        self.request("POST", f"/actions/workflows/{workflow}/dispatches", ref="main", inputs=inputs)


@pytest.fixture
def github(engine: ContainerEngine, fast_machine: dict[str, str], tmp_path: Path) -> Iterator[Ship]:
    """A repository whose images go to the registry of the tests and whose production is compose, on its GitHub."""
    clone = bake(tmp_path)
    toml, port = clone / "model.toml", free_port()
    configure_registry(toml, engine)
    toml.write_text(
        toml.read_text().replace('kind = "none"', 'kind = "compose"').replace("port = 8080", f"port = {port}")
    )
    key = _signed(clone, tmp_path / "key")
    skip_setup_and_checks(clone / "Makefile")
    run(clone, "git", "init", "--quiet", "--initial-branch", "main")
    engine_env = {
        **engine.environment,
        "GITOPS_FRONT_IMAGE": build_nginx_image(engine),
        "GITOPS_STATE": str(tmp_path / "state"),
    }
    with start_github(tmp_path, clone, env=fast_machine | engine_env) as made:
        made.hub.settings.secrets["GITOPS_SIGNING_KEY"] = key
        yield Ship(made, f"http://127.0.0.1:{port}", tmp_path / "state")
        assert made.hub.violations == []


def _signed(clone: Path, file: Path) -> str:
    """Require signed images in model.toml, and return the private key."""
    run(clone, "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(file))
    (clone / "signers").write_text(f'gitops namespaces="gitops" {file.with_suffix(".pub").read_text()}')
    toml = clone / "model.toml"
    toml.write_text(toml.read_text().replace('# signers = "', 'signers = "'))
    return file.read_text()


def ended(github: Ship, *red: str) -> dict[str, Run]:
    """Wait until all runs have ended, and assert that all but these workflows succeeded."""
    found = github.wait_for_runs()
    for name, each in found.items():
        wanted = "failure" if name in red else "success"
        logs = [job.log[-4000:] for job in each.jobs.values() if job.conclusion == "failure"]
        logs += [issue["body"] for issue in github.issues]
        assert each.conclusion in (wanted, "action_required"), "\n".join([name, str(each.conclusion), *logs])
    return found


def deployed(found: dict[str, Run]) -> str:
    """Return the log of the job `deploy`."""
    return next(job.log for name, job in found["deploy.yml"].jobs.items() if name.startswith("deploy"))


def metadata(github: Ship) -> dict[str, Any]:
    """Return the metadata of the version that serves."""
    found: dict[str, Any] = requests.get(f"{github.url}/metadata", timeout=30).json()
    return found


def recorded(github: Ship, digest: str) -> dict[str, Any]:
    """Return a version's recorded rows and predictions, found by its manifest's digest."""

    def shown(path: str) -> bytes:
        return subprocess.run(
            ["git", "show", f"mlflow:{path}"], cwd=github.hub.bare, check=True, capture_output=True
        ).stdout

    for path in github.git("ls-tree", "-r", "--name-only", "mlflow").splitlines():
        folder, _, name = path.rpartition("/")
        if name == "manifest.json" and f"sha256:{hashlib.sha256(shown(path)).hexdigest()}" == digest:
            found: dict[str, Any] = json.loads(shown(f"{folder}/expected.json"))
            return found
    raise AssertionError(f"the store has no {digest}")


def curl(github: Ship, rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Send a request as in the README."""
    output = subprocess.run(
        ["curl", "--silent", "--show-error", "--fail-with-body", f"{github.url}/predict", "--json", "@-"],
        input=json.dumps({"rows": rows}), check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip
    found: dict[str, Any] = json.loads(output)
    return found


def answers_as_recorded(github: Ship, branch: str = "main") -> None:
    """Assert that callers get the recorded predictions of the version that a branch names."""
    expected = recorded(github, github.record(branch)["digest"])
    answer = curl(github, expected["rows"])
    assert answer["predictions"] == [row["prediction"] for row in expected["predictions"]]
    malignant = [row["probability of malignant"] for row in expected["predictions"]]
    assert answer["probabilities"]["malignant"] == pytest.approx(malignant, abs=1e-6)


@contextmanager
def constant_load(url: str) -> Iterator[list[str]]:
    """Send requests continuously, half of them over an open connection, and yield the errors."""
    wrong: list[str] = []
    answered = [0, 0]
    over = threading.Event()

    def ask(number: int, keep: bool) -> None:
        session = requests.Session()
        while not over.wait(0.02):
            caller = session if keep else requests
            try:
                answer = caller.get(f"{url}/metadata", timeout=30)
                if answer.status_code != 200:
                    wrong.append(f"{answer.status_code} {answer.text[:200]}")
            except requests.RequestException as error:
                wrong.append(repr(error))
            answered[number] += 1

    callers = [threading.Thread(target=ask, args=(number, bool(number))) for number in (0, 1)]
    for caller in callers:
        caller.start()
    try:
        yield wrong
    finally:
        over.set()
        for caller in callers:
            caller.join()
    assert min(answered) > 100, answered


def test_the_journey_with_containers(github: Ship, engine: ContainerEngine) -> None:
    """From the first image to the rollback of a bad one, through the workflows."""
    _the_merge_deploys_the_digest_of_the_pull_request(github, engine)
    _a_second_promotion_replaces_it_under_load(github)
    _a_model_that_fails_is_rolled_back_by_itself(github)
    _a_reconcile_does_not_bring_it_back(github)
    _an_older_version_serves_again(github)


def _the_merge_deploys_the_digest_of_the_pull_request(github: Ship, engine: ContainerEngine) -> None:
    """Built once, smoke-tested, pinned, merged, run: the same digest everywhere."""
    github.choose_columns(WORSE)
    github.push("Start from the template, with one column")
    found = ended(github)
    record = github.record("promote/production")
    assert record["image"].startswith(f"{engine.registry}/model@sha256:")
    assert found["train.yml"].jobs["image"].conclusion == "success"
    github.merge(github.pull["number"])
    assert "Version 1 (release 1.0.0) is verified in production" in deployed(ended(github))
    running = engine.docker("ps", "--quiet").split()
    assert record["image"] in engine.docker("inspect", "--format", "{{.Config.Image}}", *running).split()
    assert metadata(github)["digest"] == record["digest"]
    answers_as_recorded(github)
    assert github.request("GET", "/releases/tags/v1.0.0")["name"] == "tumour-screening 1.0.0: version 1"


def _a_second_promotion_replaces_it_under_load(github: Ship) -> None:
    """No request fails in the meantime."""
    github.run("git", "pull", "--quiet", "--rebase", "origin", "main")
    github.choose_columns(START)
    github.push("Look at texture and smoothness too")
    ended(github)
    with constant_load(github.url) as wrong:
        github.merge(github.pull["number"])
        ended(github)
        assert metadata(github)["version"] == "2"
    assert wrong == []
    answers_as_recorded(github)


def _a_model_that_fails_is_rolled_back_by_itself(github: Ship) -> None:
    """It passes every gate and its image's smoke test; no caller gets its predictions in production."""
    github.run("git", "pull", "--quiet", "--rebase", "origin", "main")
    github.choose_columns(BETTER)
    make_flaky(github.clone)
    github.push("A flaky model")
    ended(github)
    bad = github.record("promote/production")
    with constant_load(github.url) as wrong:
        github.merge(github.pull["number"])
        found = ended(github, "deploy.yml")
        assert metadata(github)["version"] == "2"
    assert wrong == []
    assert "Version 3 failed in production" in deployed(found)
    assert github.facts[-1] == ("held", bad["digest"])
    pull = github.pull
    assert pull["title"].startswith("Roll back tumour-screening from version 3 to version 2 in production (")
    assert github.statuses(pull["head"]["sha"])[0] == ("required", "success"), "CI has checked the rollback"
    (issue,) = github.issues
    assert issue["title"].startswith("Version 3 failed in production (")
    for text in ("of the recorded rows", pull["html_url"], "gitops lift 3", "Output of the version"):
        assert text in issue["body"]


def _a_reconcile_does_not_bring_it_back(github: Ship) -> None:
    """Main still names the bad version; the ledger holds it."""
    pulls, issues = len(github.pulls), len(github.issues)
    github.dispatch("deploy.yml")
    assert "version 2 serves in production and is verified" in deployed(ended(github))
    assert metadata(github)["version"] == "2"
    assert (len(github.pulls), len(github.issues)) == (pulls, issues)
    github.merge(github.pull["number"])
    ended(github)
    assert metadata(github)["version"] == "2"
    assert github.issues == []
    answers_as_recorded(github)


def _an_older_version_serves_again(github: Ship) -> None:
    """Roll back, at once: version 1 predicts as before, and a pull request would let main name it."""
    github.dispatch("rollback.yml", why="The ward reports false alarms.", now="true")
    ended(github)
    assert metadata(github)["version"] == "1"
    assert "The ward reports false alarms" in github.pull["body"]
    answers_as_recorded(github, github.pull["head"]["ref"])
