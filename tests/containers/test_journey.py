"""The journey: a generated repository on the local GitHub, driven by pushes and clicks, through its own workflows.

A real engine and a real registry are behind the workflows, and production is a container.
"""

import hashlib
import json
import re
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
from hub_fixture import BETTER, BRANCH, START, WORSE
from images import build_nginx_image, configure_registry
from repositories import bake, run

DATA = "data/breast_cancer.csv"
OTHER = '    "mean_perimeter",\n'
# What a promotion changes.
OURS = ["docs/model-card.md", "registry/production.json"]
TRAIN_JOBS = ["expire", "train", "register", "compare", "image", "promote"]


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
        """Kind and digest of each fact in the ledger, without the comparisons that earned records."""
        lines = (json.loads(line) for line in self.git("show", "mlflow:ledger.jsonl").splitlines())
        return [(fact["kind"], fact["digest"]) for fact in lines if fact["kind"] != "compared"]

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


def test_the_journey(github: Ship, engine: ContainerEngine) -> None:
    """From the first push to the rollback of a bad version, through the workflows."""
    number = _the_first_push_proposes_a_version(github)
    _a_worse_estimator_leaves_the_proposal(github)
    _a_better_one_refreshes_it(github, number)
    _what_a_person_breaks_turns_red(github)
    _commits_of_others_are_not_overwritten(github)
    _the_merge_deploys_the_digest_of_the_pull_request(github, engine)
    _a_second_promotion_replaces_it_under_load(github)
    _a_model_that_fails_is_rolled_back_by_itself(github)
    _a_reconcile_does_not_bring_it_back(github)
    _an_older_version_serves_again(github)


def conclusions(found: Run) -> dict[str, str | None]:
    """Return the conclusion of each job."""
    return {name: job.conclusion for name, job in found.jobs.items()}


def _the_first_push_proposes_a_version(github: Ship) -> int:
    """One pull request, which CI has checked; return its number."""
    github.push("Start from the template")
    found = ended(github)
    assert conclusions(found["train.yml"]) == dict.fromkeys(TRAIN_JOBS, "success")
    first = github.pull
    assert re.fullmatch(r"Promote tumour-screening version 1 to production \([0-9a-f]{12}\)", first["title"])
    assert first["body"].startswith("## ✅ Version 1 can be promoted")
    assert github.git("diff", "--name-only", f"main...{BRANCH}").split() == OURS
    head = first["head"]["sha"]
    assert github.statuses(head)[0] == ("required", "success"), "the dispatched CI posts its result"
    assert found["ci.yml"].event.head == (BRANCH, head)
    assert "Version 1 can be promoted" in found["train.yml"].jobs["compare"].summary
    number: int = first["number"]
    return number


def proposal(github: Ship) -> tuple[int, str, str, str, int]:
    """Return number, title, body, head and number of comments of the open pull request."""
    pull = github.pull
    return pull["number"], pull["title"], pull["body"], pull["head"]["sha"], len(github.comments(pull["number"]))


def _a_worse_estimator_leaves_the_proposal(github: Ship) -> None:
    """Train stays green and explains why the proposed version stays; because the code changed, it is compared again."""
    number, title, body, head, comments = proposal(github)
    github.choose_columns(WORSE)
    push = github.push("Simplify the features")
    ended(github)
    runs = [run for run in github.server.runs.values() if (run.workflow, run.event.sha) == ("train.yml", push)]
    of_push = next(run for run in runs if run.event.name == "push")
    assert f"{github.pull['html_url']} was not changed" in of_push.jobs["promote"].summary
    assert "your package changed. Version 1 is compared again." in of_push.jobs["expire"].summary
    assert github.statuses(head)[0] == ("required", "failure")
    now = proposal(github)
    assert (now[0], now[1], now[4]) == (number, title, comments)
    assert (now[2] != body, now[3] != head) == (True, True)
    assert github.statuses(now[3])[0] == ("required", "success"), "CI checks the head with the new evidence"


def _a_better_one_refreshes_it(github: Ship, number: int) -> None:
    """The same pull request, with the better version; CI checks its new head."""
    github.choose_columns(START + '    "worst_radius",\n')
    github.push("Look at the worst radius")
    ended(github)
    now = github.pull
    assert now["number"] == number
    assert "version 3" in now["title"]
    assert github.record(BRANCH)["version"] == "3"
    assert any("now proposes version 3" in comment for comment in github.comments(number))
    assert github.statuses(now["head"]["sha"])[0] == ("required", "success")


def _what_a_person_breaks_turns_red(github: Ship) -> None:
    """A bad data file on the promotion branch, with a readable table; the pull request is closed then."""
    github.run("git", "fetch", "--quiet", "origin")
    github.run("git", "switch", "--quiet", "--detach", f"origin/{BRANCH}")
    file = github.clone / DATA
    lines = file.read_text().splitlines()
    cells = lines[1].split(",")
    lines[1] = ",".join([cells[0], "-17.99", *cells[2:]])
    file.write_text("\n".join(lines) + "\n")
    head = github.push("New data", BRANCH)
    github.run("git", "switch", "--quiet", "main")
    github.request("POST", "/actions/workflows/ci.yml/dispatches", ref=BRANCH)
    found = [run for run in github.runner.wait() if run.id not in github.known_runs and run.workflow == "ci.yml"]
    github.wait_for_runs()
    by_event = {run.event.name: run for run in found if run.event.head[0] == BRANCH}
    assert by_event["pull_request"].conclusion == by_event["workflow_dispatch"].conclusion == "failure"
    assert github.statuses(head)[0] == ("required", "failure")
    bad = by_event["pull_request"]
    assert (conclusions(bad)["data"], conclusions(bad)["required"]) == ("failure", "failure")
    assert re.search(r"\| *mean\\_radius *\|", bad.jobs["data"].summary)
    assert "-17.99" in bad.jobs["data"].summary
    github.close(github.pull["number"])


def _commits_of_others_are_not_overwritten(github: Ship) -> None:
    """Train stops, and once the branch is deleted, it proposes the next version."""
    github.choose_columns(OTHER)
    github.push("Look at the perimeter")
    found = ended(github, "train.yml")
    assert "by Ada" in found["train.yml"].jobs["promote"].log
    github.run("git", "push", "--quiet", "origin", f":{BRANCH}")
    github.request("POST", "/actions/workflows/train.yml/dispatches", ref="main")
    ended(github)
    assert "version 4" in github.pull["title"]


def _the_merge_deploys_the_digest_of_the_pull_request(github: Ship, engine: ContainerEngine) -> None:
    """Built once, smoke-tested, pinned, merged, run: the same digest everywhere."""
    record = github.record(BRANCH)
    assert record["image"].startswith(f"{engine.registry}/model@sha256:")
    github.merge(github.pull["number"])
    found = ended(github)
    assert "Nothing to train" in found["train.yml"].jobs["train"].summary
    assert "Version 4 (release 1.0.0) is verified in production" in deployed(found)
    assert "Alias champion set to version 4" in deployed(found)
    assert github.record("main")["version"] == "4"
    running = engine.docker("ps", "--quiet").split()
    assert record["image"] in engine.docker("inspect", "--format", "{{.Config.Image}}", *running).split()
    assert metadata(github)["digest"] == record["digest"]
    answers_as_recorded(github)
    assert github.request("GET", "/releases/tags/v1.0.0")["name"] == "tumour-screening 1.0.0: version 4"


def _a_second_promotion_replaces_it_under_load(github: Ship) -> None:
    """The first estimator again: its version exists, is better, and no request fails while it replaces the other."""
    github.run("git", "pull", "--quiet", "--rebase", "origin", "main")
    github.choose_columns(START)
    github.push("Look at texture and smoothness too")
    assert "Nothing to train" in ended(github)["train.yml"].jobs["train"].summary
    with constant_load(github.url) as wrong:
        github.merge(github.pull["number"])
        ended(github)
        assert metadata(github)["version"] == "1"
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
        assert metadata(github)["version"] == "1"
    assert wrong == []
    assert "Version 5 failed in production" in deployed(found)
    assert github.facts[-1] == ("held", bad["digest"])
    pull = github.pull
    assert pull["title"].startswith("Roll back tumour-screening from version 5 to version 1 in production (")
    assert github.statuses(pull["head"]["sha"])[0] == ("required", "success"), "CI has checked the rollback"
    (issue,) = github.issues
    assert issue["title"].startswith("Version 5 failed in production (")
    for text in ("of the recorded rows", pull["html_url"], "gitops lift 5", "Output of the version"):
        assert text in issue["body"]


def _a_reconcile_does_not_bring_it_back(github: Ship) -> None:
    """Main still names the bad version; the ledger holds it."""
    pulls, issues = len(github.pulls), len(github.issues)
    github.dispatch("deploy.yml")
    assert "version 1 serves in production and is verified" in deployed(ended(github))
    assert metadata(github)["version"] == "1"
    assert (len(github.pulls), len(github.issues)) == (pulls, issues)
    github.merge(github.pull["number"])
    ended(github)
    assert metadata(github)["version"] == "1"
    assert github.issues == []
    answers_as_recorded(github)


def _an_older_version_serves_again(github: Ship) -> None:
    """Roll back, at once: version 4 predicts as before, and a pull request would let main name it."""
    github.dispatch("rollback.yml", why="The ward reports false alarms.", now="true")
    ended(github)
    assert metadata(github)["version"] == "4"
    assert "The ward reports false alarms" in github.pull["body"]
    answers_as_recorded(github, github.pull["head"]["ref"])
