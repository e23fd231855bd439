"""`gitops deploy` and `gitops rollback` against the local GitHub, with servers that are real processes."""

import hashlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import requests

from fast_setup import fork_prediction_servers
from flaky_model import make_flaky
from github.server import LocalGitHub
from hub_fixture import BETTER, DEPLOY_GRANTS, PULLS_ALLOWED, CommandWorker, PreparedHub, choose, compare
from repositories import GIT_IDENTITY, run

# What a way back changes.
OURS = ["docs/model-card.md", "registry/production.json"]


@pytest.fixture(scope="module")
def stage(prepared: Path, worker: CommandWorker, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The three versions and a flaky fourth; production is a process, and version 1 is on main."""
    folder = tmp_path_factory.mktemp("stage")
    shutil.copytree(prepared, folder, dirs_exist_ok=True)
    clone = folder / "clone"
    run(clone, "git", "remote", "set-url", "origin", str(folder / "remote.git"))
    choose(clone, BETTER.replace("worst_texture", "worst_area"))
    make_flaky(clone)
    run(clone, "git", "commit", "--quiet", "--all", "--message", "A flaky model")
    run(clone, "git", "push", "--quiet", "origin", "main")
    worker.must(clone, "train")
    worker.must(clone, "register")
    compare(worker, clone, folder, "1")
    worker.must(clone, "promote", "--local", "--comparison", str(folder / "comparisons" / "1"))
    run(clone, "git", "push", "--quiet", "origin", "promote/production:main")
    for number in "24":
        compare(worker, clone, folder, number, f"{number}-over-champion-1")
    run(clone, "git", "push", "--quiet", "--force", "origin", "main")
    run(clone, "git", "branch", "--quiet", "-D", "promote/production")
    toml = clone / "model.toml"
    toml.write_text(toml.read_text().replace('kind = "none"', 'kind = "process"'))
    run(clone, "git", "commit", "--quiet", "--all", "--message", "Serve as a process")
    run(clone, "git", "push", "--quiet", "origin", "main")
    return folder


@dataclass
class ServerEnvironments:
    """Environments of packages of all tests' servers.

    Attributes:
        folder: Their folder.
        servers: The fork servers, one for each environment.
    """

    folder: Path
    servers: ExitStack

    def fork(self) -> None:
        """Let all servers but those of the first deployment be forked."""
        for ready in self.folder.glob("*/.complete"):
            if not ready.with_name("bin").joinpath("real-python").exists():
                self.servers.enter_context(fork_prediction_servers(ready.parent))


@pytest.fixture(scope="module")
def environments(stage: Path) -> Iterator[ServerEnvironments]:
    """The servers' packages, which the first deployment installs."""
    with ExitStack() as servers:
        yield ServerEnvironments(stage / "environments", servers)


class Production(PreparedHub):
    """The hub and the job's clone, with production's port and the folder of its servers."""

    image = ""  # a process needs none
    port: int
    home: Path
    python: Path

    @property
    def url(self) -> str:
        """The address for callers."""
        return f"http://127.0.0.1:{self.port}"

    def ship(self, name: str) -> str:
        """Promote, merge as a person, deploy as the job, and return the job's output."""
        self.offer(name)
        return self.job("deploy")

    def offer(self, name: str) -> None:
        """Promote and merge."""
        self.promote(name)
        self.merge(self.pull["number"])

    @property
    def serves(self) -> str:
        """The version that answers callers."""
        return str(requests.get(f"{self.url}/metadata", timeout=10).json()["version"])

    @property
    def aliases(self) -> str:
        """The output of `gitops store status`, with the aliases."""
        return self.worker.must(self.clone, "store", "status").out

    @property
    def facts(self) -> list[dict[str, Any]]:
        """The ledger, without the comparisons that earned records."""
        lines = (json.loads(line) for line in self.git("show", "mlflow:ledger.jsonl").splitlines())
        return [fact for fact in lines if fact["kind"] != "compared"]

    @property
    def issues(self) -> list[dict[str, Any]]:
        """Open issues."""
        return [issue for issue in self.request("GET", "/issues?state=open") if "pull_request" not in issue]


@pytest.fixture
def production(
    stage: Path,
    environments: ServerEnvironments,
    repository: Path,
    worker: CommandWorker,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Production]:
    """A new hub with those versions; no version serves yet."""
    # Each test has its own servers, and all have the packages that these need.
    monkeypatch.setenv("GITOPS_STATE", str(tmp_path / "state"))
    environments.folder.mkdir(exist_ok=True)
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "environments").symlink_to(environments.folder)
    with LocalGitHub(tmp_path / "hub") as hub:
        clone = tmp_path / "clone"
        run(tmp_path, "cp", "-a", str(stage / "clone"), str(clone))
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        toml = clone / "model.toml"
        toml.write_text(toml.read_text().replace("port = 8080", f"port = {port}"))
        run(clone, "git", "commit", "--quiet", "--all", "--message", "A port")
        run(stage / "remote.git", "git", "push", "--quiet", "--mirror", str(hub.bare))
        run(clone, "git", "push", "--quiet", str(hub.bare), "HEAD:main")
        run(clone, "git", "remote", "set-url", "origin", f"{hub.html_url}.git")
        setattr(hub.settings, PULLS_ALLOWED, True)
        made = Production(hub, clone, stage / "comparisons", worker)
        made.port, made.home, made.python = port, tmp_path / "state", repository / ".venv" / "bin" / "python"
        yield made
        assert hub.violations == []
    subprocess.run(["pkill", "--full", str(tmp_path / "state")], check=False)
    environments.fork()


def test_a_merge_is_deployed_verified_and_released(production: Production) -> None:
    """The version of the record predicts as in training; ledger, alias, tag and release follow."""
    output = production.ship("1")
    assert "Version 1 (release 1.0.0) is verified in production" in output
    assert production.serves == "1"
    record = production.record("main")
    (fact,) = production.facts
    assert (fact["kind"], fact["digest"], fact["environment"]) == ("verified", record["digest"], "production")
    assert re.search(r"champion", production.aliases)
    release = production.request("GET", "/releases/tags/v1.0.0")
    assert release["name"] == "tumour-screening 1.0.0: version 1"
    card, _, report = release["body"].partition("# Promotion report")
    assert "## Intended use" in card
    assert "| confidence interval" in card
    assert production.pulls[0]["html_url"] in report
    assert "can be promoted" in report
    assert "Try it on your machine" not in report
    assert production.git("rev-parse", "v1.0.0^{commit}") == production.git("rev-parse", "main")


def test_the_second_time_nothing_is_done(production: Production) -> None:
    """No write, no new process."""
    production.ship("1")
    before = requests.get(f"{production.url}/metadata", timeout=10).headers
    production.clear_requests()
    assert "Nothing to do: version 1 serves" in production.job("deploy")
    assert production.writes == []
    assert before


def test_a_killed_server_is_started_again(production: Production) -> None:
    """A reconcile starts a server that was killed."""
    production.ship("1")
    subprocess.run(["pkill", "-KILL", "--full", f"{production.port}[|]"], check=True)
    production.job("deploy")
    assert production.serves == "1"


def test_another_token_or_port_restarts_the_server(production: Production) -> None:
    """A server with the right version but other settings is restarted, once."""
    production.ship("1")
    rows: dict[str, list[str]] = {"rows": []}
    assert requests.post(f"{production.url}/predict", json=rows, timeout=10).status_code != 401
    env = {"GITOPS_TOKEN": "secret"}
    assert "is started again: the token has changed" in production.job("deploy", env=env)
    assert requests.post(f"{production.url}/predict", json=rows, timeout=10).status_code == 401
    before, production.port = production.url, _another_port(production)
    assert "is started again: the port for callers has changed" in production.job("deploy", env=env)
    assert production.serves == "1"
    with pytest.raises(requests.ConnectionError):
        requests.get(f"{before}/metadata", timeout=10)
    assert "Nothing to do: version 1 serves" in production.job("deploy", env=env)


def _another_port(production: Production) -> int:
    """Set another port in main's model.toml, and return it."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = int(free.getsockname()[1])
    production.git_as_person("fetch", "--quiet", "origin", "main")
    production.git_as_person("switch", "--quiet", "--detach", "origin/main")
    toml = production.clone.with_name("person") / "model.toml"
    toml.write_text(toml.read_text().replace(f"port = {production.port}", f"port = {port}"))
    production.git_as_person("commit", "--quiet", "--all", "--message", "Another port")
    production.git_as_person("push", "--quiet", "origin", "HEAD:main")
    return port


def test_a_better_version_replaces_it(production: Production) -> None:
    """Release 1.1.0; the old process ends, and callers never reach a server that is not ready."""
    production.ship("1")
    with _callers(production) as statuses:
        assert f"{production.url} serves it" in production.ship("2-over-champion-1")
    assert (len(statuses) > 100, set(statuses)) == (True, {200})
    assert production.serves == "2"
    assert production.request("GET", "/releases/tags/v1.1.0")["name"].endswith("version 2")
    shown = subprocess.run(["pgrep", "--full", f"{production.port}[|]"], capture_output=True, text=True, check=False)
    assert len(shown.stdout.split()) == 1


@contextmanager
def _callers(production: Production) -> Iterator[list[int]]:
    """Request /health/ready continuously and yield the statuses. A caller retries broken connections, as documented."""
    statuses: list[int] = []
    over = threading.Event()

    def ask() -> None:
        while not over.is_set():
            with suppress(requests.ConnectionError):
                statuses.append(requests.get(f"{production.url}/health/ready", timeout=30).status_code)

    caller = threading.Thread(target=ask)
    caller.start()
    try:
        yield statuses
    finally:
        over.set()
        caller.join()


def test_a_version_that_fails_is_rolled_back_by_itself(production: Production) -> None:
    """Ledger, the old version, one pull request, one issue; and no later run deploys it again."""
    production.ship("1")
    production.offer("4-over-champion-1")
    output = production.job("deploy", code=10)
    assert "Version 4 failed in production" in output
    assert production.serves == "1"
    held = production.facts[-1]
    assert (held["kind"], held["failed"]) == ("held", True)
    assert held["digest"] == production.record("main")["digest"]
    pull = production.pull
    assert pull["title"].startswith("Roll back tumour-screening from version 4 to version 1 in production (")
    assert production.git("diff", "--name-only", "main...rollback/production").split() == OURS
    assert production.record("rollback/production")["version"] == "1"
    assert production.statuses(pull["head"]["sha"])[0] == ("required", "pending")
    (issue,) = production.issues
    assert issue["title"].startswith("Version 4 failed in production (")
    assert pull["html_url"] in issue["body"]
    production.clear_requests()
    production.job("deploy")
    assert production.serves == "1"
    assert production.writes == []
    production.request("PATCH", f"/issues/{issue['number']}", state="closed")
    production.clear_requests()
    assert issue["html_url"] in production.job("deploy")
    assert (production.issues, production.writes) == ([], [])
    production.merge(pull["number"])
    production.job("deploy")
    assert production.serves == "1"
    assert production.issues == []
    assert "held in production" in production.promote("4-over-champion-1")


def test_a_failure_is_reported_even_if_the_rollback_fails_too(production: Production) -> None:
    """The earlier version was changed in the store, and a person uses the branch: held, logged, and an issue."""
    production.ship("1")
    production.offer("4-over-champion-1")
    subprocess.run(["pkill", "-KILL", "--full", f"{production.port}[|]"], check=True)
    _damage(production, production.facts[0]["digest"])
    production.git_as_person("push", "--quiet", "origin", "HEAD~1:refs/heads/rollback/production")
    production.git_as_person("fetch", "--quiet", "origin")
    production.git_as_person("switch", "--quiet", "--detach", "origin/rollback/production")
    production.git_as_person("commit", "--quiet", "--allow-empty", "--message", "Mine")
    production.git_as_person("push", "--quiet", "origin", "HEAD:rollback/production")
    output = production.job("deploy", code=11)
    assert re.search(r"^Version 4 printed:\n[|] \S", output, re.MULTILINE)
    assert "has changes that gitops did not make" in output
    assert [fact["kind"] for fact in production.facts] == ["verified", "held"]
    (issue,) = production.issues
    assert "No pull request could be opened yet" in issue["body"]


def _damage(production: Production, digest: str) -> None:
    """Change a file of a version in the store and in the clone."""
    production.git_as_person("fetch", "--quiet", "origin", "mlflow")
    production.git_as_person("switch", "--quiet", "--detach", "FETCH_HEAD")
    for folder in (production.clone.with_name("person"), production.clone / ".gitops"):
        for manifest in folder.rglob("manifest.json"):
            if f"sha256:{hashlib.sha256(manifest.read_bytes()).hexdigest()}" == digest:
                manifest.with_name("expected.json").write_text("{}")
    production.git_as_person("commit", "--quiet", "--all", "--message", "A change")
    production.git_as_person("push", "--quiet", "origin", "HEAD:mlflow")
    production.git_as_person("switch", "--quiet", "--detach", "origin/main")


def test_a_first_version_that_fails_leaves_no_server(production: Production) -> None:
    """Nothing was ever verified: the pull request removes the record."""
    production.worker.must(
        production.clone, "compare", "--version", "4", "--out", str(production.clone.parent / "four")
    )
    production.promote(str(production.clone.parent / "four"))
    production.merge(production.pull["number"])
    assert "nothing serves" in production.job("deploy", code=10)
    assert "to no version" in production.pull["title"]
    production.merge(production.pull["number"])
    assert "No version was promoted yet" in production.job("deploy") or "No version may serve" in production.job(
        "deploy"
    )


def test_a_verified_version_is_not_held_for_a_problem_of_the_machine(production: Production) -> None:
    """A file on the machine was damaged: every run is an error, until it is repaired."""
    production.ship("1")
    subprocess.run(["pkill", "-KILL", "--full", f"{production.port}[|]"], check=True)
    (broken,) = production.home.glob("*/production/releases/*/src/tumour_screening/__init__.py")
    text = broken.read_text()
    broken.write_text("raise SystemExit('no room left')\n")
    for _ in range(2):
        assert "was verified here before, but fails its smoke test now" in production.job("deploy", code=9)
    assert [fact["kind"] for fact in production.facts] == ["verified"]
    assert production.issues == []
    broken.write_text(text)
    production.job("deploy")
    assert production.serves == "1"


def test_the_server_stops_when_no_version_may_serve(production: Production) -> None:
    """Main has no record any more."""
    production.ship("1")
    production.git_as_person("rm", "--quiet", "registry/production.json")
    production.git_as_person("commit", "--quiet", "--message", "Start over")
    production.git_as_person("push", "--quiet", "origin", "HEAD:main")
    assert "it was stopped" in production.job("deploy")
    with pytest.raises(requests.ConnectionError):
        requests.get(f"{production.url}/metadata", timeout=10)
    assert "it was stopped" not in production.job("deploy")


def test_a_line_ends_by_a_merge_and_its_version_keeps_serving(production: Production) -> None:
    """An open proposal of the line expires. `test_own_table` walks on to the promotion of another table."""
    production.ship("1")
    production.promote("2-over-champion-1")
    promotion = production.pull
    why = ("start-over", "--why", "another target")
    setattr(production.hub.settings, PULLS_ALLOWED, False)
    production.job(*why, code=12)  # the branch is pushed, and the pull request is not open
    setattr(production.hub.settings, PULLS_ALLOWED, True)
    assert "Opened" in production.job(*why)
    (ending,) = (pull for pull in production.pulls if pull["title"].startswith("Start over: end the line of tumour-"))
    assert production.git("diff", "--name-only", "main...start-over/line-1") == "registry/ended/line-1.json"
    production.clear_requests()
    assert "is open already" in production.job(*why)
    assert production.writes == []
    production.merge(ending["number"])
    assert "Nothing to do: registry/ended/line-1.json ended the line" in production.job(*why)
    assert "the champion changed. Version 2 is compared again." in production.job("deploy")
    assert production.statuses(promotion["head"]["sha"])[0] == ("required", "failure")
    assert production.serves == "1"
    assert "champion" in production.aliases


def test_an_immediate_rollback_also_holds_the_served_version(production: Production) -> None:
    """Main's version failed, the previous one serves and is bad too: neither is deployed again."""
    production.ship("1")
    production.ship("2-over-champion-1")
    # Version 4 is no better than version 2; that is not what this test is about.
    four, two = (
        json.loads((production.comparisons / f"{n}-over-champion-1" / "comparison.json").read_text()) for n in (4, 2)
    )
    (production.clone.parent / "four").mkdir()
    bound = {**four["bound"], "champion": two["challenger"]["digest"]}
    document = json.dumps({**four, "champion": two["challenger"], "bound": bound})
    (production.clone.parent / "four" / "comparison.json").write_text(document)
    production.promote(str(production.clone.parent / "four"))
    production.merge(production.pull["number"])
    production.job("deploy", code=10)
    assert production.serves == "2"
    production.job("rollback", env={"GITOPS_WHY": "complaints", "GITOPS_NOW": "true"})
    assert production.serves == "1"
    assert [fact["kind"] for fact in production.facts] == ["verified", "verified", "held", "held", "override"]


def test_argocd_gets_a_rollback_pull_request(production: Production) -> None:
    """Only main changes the cluster: the job does not wait for an older version, and reports at once."""
    with _cluster(production) as url:
        toml = production.clone / "model.toml"
        toml.write_text(toml.read_text().replace('kind = "process"', f'kind = "argocd"\nurl = "{url}"'))
        run(production.clone, "git", "commit", "--quiet", "--all", "--message", "Argo CD")
        run(production.clone, "git", "push", "--quiet", str(production.hub.bare), "HEAD:main")
        image = {"GITOPS_IMAGE": "r.example/m@sha256:" + "1" * 64}
        production.job("promote", "--comparison", str(production.comparisons / "1"), env=image)
        production.merge(production.pull["number"])
        output = production.job("deploy", code=10)
    assert "merge the rollback pull request to replace it" in output
    assert production.facts[-1]["kind"] == "held"
    assert len(production.issues) == 1
    overlay = json.loads(production.git("show", "rollback/production:registry/argocd/production/kustomization.yaml"))
    assert overlay["resources"] == []


@contextmanager
def _cluster(production: Production) -> Iterator[str]:
    """Run a fake cluster: it has synced main's record, and its predictions differ from the recorded ones."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._say({"digest": production.record("main")["digest"]})

        def do_POST(self) -> None:
            self._say({"predictions": ["benign"]})

        def _say(self, what: dict[str, Any]) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            body = json.dumps(what).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    with ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def test_an_older_run_deploys_nothing(production: Production) -> None:
    """Main has another record by now: the run of that commit deploys it."""
    old = production.git("rev-parse", "main")
    production.offer("1")
    run(production.clone, "git", "fetch", "--quiet", "origin", "main")
    run(production.clone, "git", "switch", "--quiet", "--detach", old)
    env = production.environment(production.hub.issue_token({"contents": "write"}))
    done = production.worker.run(production.clone, "deploy", env=env)
    assert (done.code, "main is now at" in done.out) == (0, True)


def test_a_rollback_by_pull_request_serves_the_older_version_once_merged(production: Production) -> None:
    """The earlier record is restored, and its release is tagged already."""
    production.ship("1")
    production.ship("2-over-champion-1")
    production.job("rollback", env={"GITOPS_WHY": "complaints from the ward", "GITOPS_VERSION": "1"})
    assert production.serves == "2"
    assert "complaints from the ward" in production.pull["body"]
    production.job("deploy")
    assert production.pull["state"] == "open"
    production.merge(production.pull["number"])
    production.job("deploy")
    assert production.serves == "1"
    assert production.record("main")["release"] == "1.0.0"


def test_an_immediate_rollback_serves_before_the_merge(production: Production) -> None:
    """Hold and override first, then the old version, then the pull request; merging it ends the override."""
    production.ship("1")
    production.ship("2-over-champion-1")
    production.job("rollback", env={"GITOPS_WHY": "complaints", "GITOPS_NOW": "true"})
    assert production.serves == "1"
    assert [fact["kind"] for fact in production.facts] == ["verified", "verified", "held", "override"]
    assert production.issues == []
    production.job("rollback", env={"GITOPS_WHY": "complaints", "GITOPS_NOW": "true"})
    assert [fact["kind"] for fact in production.facts] == ["verified", "verified", "held", "override"]
    production.merge(production.pull["number"])
    production.job("deploy")
    assert production.serves == "1"
    assert "held in production" in production.promote("2-over-champion-1")


def test_a_second_immediate_rollback_goes_further_back(production: Production) -> None:
    """The version that replaced it is bad too: it is held, the previous one serves, and the pull request says so."""
    production.ship("1")
    production.ship("2-over-champion-1")
    two = json.loads((production.comparisons / "2-over-champion-1" / "comparison.json").read_text())
    three = json.loads((production.comparisons / "3" / "comparison.json").read_text())
    (production.clone.parent / "three").mkdir()
    bound = {**two["bound"], "champion": two["challenger"]["digest"]}
    document = json.dumps({**two, "champion": two["challenger"], "challenger": three["challenger"], "bound": bound})
    (production.clone.parent / "three" / "comparison.json").write_text(document)
    production.ship(str(production.clone.parent / "three"))
    assert production.serves == "3"
    for run_id, served in (("78", "2"), ("78", "2"), ("79", "1")):
        production.job("rollback", env={"GITOPS_WHY": "complaints", "GITOPS_NOW": "true", "GITHUB_RUN_ID": run_id})
        assert production.serves == served
        assert production.record("rollback/production")["version"] == served
    assert [fact["kind"] for fact in production.facts][3:] == ["held", "override", "held", "override"]
    assert "cannot be rolled back" in production.job(
        "rollback", env={"GITOPS_WHY": "complaints", "GITOPS_NOW": "true", "GITHUB_RUN_ID": "80"}, code=3
    )


def _merge_stale(production: Production) -> int:
    """Deploy version 1, merge version 2 after a change of the gates, and return its pull request's number."""
    production.ship("1")
    production.promote("2-over-champion-1")
    number: int = production.pull["number"]
    production.push("model.toml", "margin = 0.1", "margin = 0.2")
    production.merge(number)
    production.clear_requests()
    return number


def test_a_merge_on_expired_evidence_is_not_rolled_out(production: Production) -> None:
    """The last verified version serves, no version is held, and one pull request names the change in between."""
    _merge_stale(production)
    output = production.job("deploy")
    assert "Version 2 is not deployed. Between the comparison of version 2 and its merge, the gates changed." in output
    assert production.serves == "1"
    assert [fact["kind"] for fact in production.facts] == ["verified", "expired"]
    assert production.facts[-1]["commit"] == production.git("rev-parse", "main")
    pull = production.pull
    assert pull["title"].startswith("Roll back tumour-screening from version 2 to version 1 in production (")
    first, *rest = pull["body"].splitlines()
    assert (
        first
        == "## ⏪ Version 2 was not deployed to production, because its comparison was out of date when it was merged"
    )
    assert "**Reason**: Between the comparison of version 2 and its merge, the gates changed." in rest
    assert "it is not held" in pull["body"]
    assert "gitops lift" not in pull["body"]
    assert production.git("diff", "--name-only", "main...rollback/production").split() == OURS
    assert production.record("rollback/production")["version"] == "1"
    assert production.statuses(pull["head"]["sha"])[0] == ("required", "pending")
    assert production.issues == []
    assert [(each["version"], each["environment"]) for each in production.dispatched_inputs] == [("2", "production")]
    assert "champion" not in production.job("reconcile")
    production.clear_requests()
    production.job("deploy")
    assert production.serves == "1"
    assert production.writes == []


def test_rolling_back_an_expired_merge_does_not_change_the_server(production: Production) -> None:
    """Main names the served version again; it was verified, so its old evidence does not matter."""
    _merge_stale(production)
    production.job("deploy")
    production.merge(production.pull["number"])
    production.clear_requests()
    assert "Nothing to do: version 1 serves" in production.job("deploy")
    assert production.writes == []


def test_with_new_evidence_the_version_is_proposed_again_and_rolled_out(production: Production) -> None:
    """The version was not bad; merged again it serves, and the rollback pull request closes."""
    _merge_stale(production)
    production.job("deploy")
    back = production.pull["number"]
    assert "Opened" in production.promote(production.compare_again("again", "2"))
    (offered,) = (pull for pull in production.pulls if pull["state"] == "open" and pull["number"] != back)
    assert "to production" in offered["title"]
    production.merge(offered["number"])
    production.job("deploy")
    assert production.serves == "2"
    assert [pull["state"] for pull in production.pulls if pull["number"] == back] == ["closed"]
    assert [fact["kind"] for fact in production.facts] == ["verified", "expired", "verified"]


def test_a_first_version_on_expired_evidence_is_not_started(production: Production) -> None:
    """There is no other version: the deployment is an alarm, and the pull request removes the record."""
    production.promote("1")
    production.push("data/breast_cancer.csv", "17.99", "17.98")
    production.merge(production.pull["number"])
    output = production.job("deploy", code=18)
    assert "its merge, the data changed." in output
    assert "Main names version 1 for production, but no version may serve there." in output
    assert "to no version" in production.pull["title"]
    with pytest.raises(requests.ConnectionError):
        requests.get(f"{production.url}/metadata", timeout=10)


def test_changes_after_the_merge_do_not_expire_evidence(production: Production) -> None:
    """Changes of documentation in between do not count either."""
    production.promote("1")
    production.push("README.md", "git push", "git  push")
    production.merge(production.pull["number"])
    production.push("model.toml", "margin = 0.1", "margin = 0.2")
    production.job("deploy")
    assert production.serves == "1"


def test_a_rollback_to_a_verified_version_needs_no_new_evidence(production: Production) -> None:
    """It passed the gates at its time, and it served."""
    production.ship("1")
    production.ship("2-over-champion-1")
    production.push("model.toml", "margin = 0.1", "margin = 0.2")
    production.job("rollback", env={"GITOPS_WHY": "complaints", "GITOPS_VERSION": "1"})
    production.merge(production.pull["number"])
    production.job("deploy")
    assert production.serves == "1"
    assert [fact["kind"] for fact in production.facts] == ["verified", "verified"]


def test_evidence_is_checked_against_the_champion_at_the_merge(production: Production) -> None:
    """Main names a failed version, and the challenger was compared with the one that serves: its merge is deployed."""
    production.ship("1")
    production.offer("4-over-champion-1")
    production.job("deploy", code=10)
    production.promote(production.compare_again("over-what-serves", "2"))
    (offered,) = (pull for pull in production.pulls if pull["state"] == "open" and pull["title"].startswith("Promote"))
    production.merge(offered["number"])
    production.job("deploy")
    assert production.serves == "2"


def test_a_hold_turns_an_open_proposal_red(production: Production) -> None:
    """The version that it was compared with is no longer champion."""
    production.ship("1")
    production.promote("2-over-champion-1")
    offered = production.pull
    fact = {"kind": "held", "environment": "production", "digest": production.facts[0]["digest"], "by": "ada",
            "at": "2026-11-21T00:00:00Z", "why": "complaints"}  # fmt: skip
    production.git_as_person("switch", "--quiet", "mlflow")
    with (production.clone.with_name("person") / "ledger.jsonl").open("a") as ledger:
        ledger.write(json.dumps(fact) + "\n")
    production.git_as_person("commit", "--quiet", "--all", "--message", "Hold")
    production.git_as_person("push", "--quiet", "origin", "mlflow")
    assert "the champion changed. Version 2 is compared again." in production.job("deploy")
    assert production.statuses(offered["head"]["sha"])[0] == ("required", "failure")


def test_a_hold_ends_by_a_merged_pull_request_alone(production: Production) -> None:
    """After the hold is lifted, the version may be proposed again."""
    production.ship("1")
    production.ship("2-over-champion-1")
    production.job("rollback", env={"GITOPS_WHY": "complaints", "GITOPS_NOW": "true"})
    production.merge(production.pull["number"])
    production.job("lift", "2", "--why", "it was the thermometer")
    assert "held in production" in production.promote("2-over-champion-1")
    lift = production.pull
    assert lift["title"] == "Let version 2 run in production again"
    production.merge(lift["number"])
    assert "Opened" in production.promote("2-over-champion-1")
    production.merge(production.pull["number"])
    production.job("deploy")
    assert production.serves == "2"
    assert production.record("main")["release"] == "1.2.0"


def _with_staging(production: Production, soak: int) -> int:
    """Add the environment staging, a process, and return its port."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = int(free.getsockname()[1])
    toml = production.clone / "model.toml"
    text = toml.read_text().replace('environments = ["production"]', 'environments = ["staging", "production"]')
    staging = f'[targets.staging]\nkind = "process"\nport = {port}\nsoak_hours = {soak}\n\n'
    toml.write_text(text.replace("[targets.production]", f"{staging}[targets.production]"))
    run(production.clone, "git", "commit", "--quiet", "--all", "--message", "Staging first")
    run(production.clone, "git", "push", "--quiet", str(production.hub.bare), "HEAD:main")
    return port


def test_a_version_reaches_production_only_from_staging(production: Production) -> None:
    """Each environment has its record and pull request; once verified, a version is proposed in the next one."""
    port = _with_staging(production, 0)
    production.promote("1")
    assert production.pull["title"].startswith("Promote tumour-screening version 1 to staging (")
    production.merge(production.pull["number"])
    production.clear_requests()
    assert "compares version 1 with the champion of production" in production.job("deploy", "--environment", "staging")
    assert requests.get(f"http://127.0.0.1:{port}/metadata", timeout=10).json()["version"] == "1"
    assert "nothing has changed since" in production.job("deploy", "--environment", "staging")
    assert "No version was promoted yet" in production.job("deploy", "--environment", "production")
    assert ("POST", "/releases") not in production.writes
    digest = production.facts[-1]["digest"]
    (asked,) = [each.event.payload["inputs"] for each in production.hub.runs.values() if each.workflow == "train.yml"]
    assert asked == {"environment": "production", "version": "1", "digest": digest, "force": "false"}
    out = str(production.clone.parent / "onward")
    production.job("compare", "--environment", "production", "--version", "1", "--digest", digest, "--out", out)
    production.job("promote", "--environment", "production", "--comparison", out)
    assert production.pull["title"].startswith("Promote tumour-screening version 1 to production (")
    assert production.git("diff", "--name-only", "main...promote/production").split()[-1] == "registry/production.json"
    production.merge(production.pull["number"])
    production.job("deploy", "--environment", "production")
    assert production.serves == "1"
    assert [(fact["kind"], fact["environment"]) for fact in production.facts] == [
        ("verified", "staging"), ("asked", "production"), ("verified", "production"),
    ]  # fmt: skip
    assert production.request("GET", "/releases/tags/v1.0.0")["name"].endswith("version 1")
    production.clear_requests()
    production.job("deploy", "--environment", "staging")
    assert production.writes == []


def test_a_closed_proposal_for_the_next_environment_is_not_repeated(production: Production) -> None:
    """The daily run does not compare it again, even after the branch was deleted."""
    _with_staging(production, 0)
    production.promote("1")
    production.merge(production.pull["number"])
    production.job("deploy", "--environment", "staging")
    out = str(production.clone.parent / "onward")
    production.job("compare", "--environment", "production", "--version", "1", "--out", out)
    production.job("promote", "--environment", "production", "--comparison", out)
    production.close(production.pull["number"])
    production.git_as_person("push", "--quiet", "origin", ":promote/production")
    production.clear_requests()
    output = production.job("deploy", "--environment", "staging")
    assert "Version 1 is not proposed for production: a person closed" in output
    assert production.writes == []


def test_a_version_soaks_before_it_goes_on(production: Production) -> None:
    """Until then no version is proposed for production; the daily run checks again."""
    _with_staging(production, 24)
    production.promote("1")
    production.merge(production.pull["number"])
    assert "Version 1 may be promoted to production after 20" in production.job("deploy", "--environment", "staging")
    assert not [each for each in production.hub.runs.values() if each.workflow == "train.yml"]


@pytest.mark.parametrize(
    ("env", "message"),
    [
        ({"GITOPS_VERSION": "3"}, "cannot be rolled back to version 3"),
        ({"GITOPS_VERSION": "2"}, "cannot be rolled back to version 2"),
        ({}, "cannot be rolled back: no version can be restored"),
    ],
)
def test_a_rollback_needs_a_verified_version(production: Production, env: dict[str, str], message: str) -> None:
    """The message states that no version can be restored, and what to do."""
    production.ship("1")
    output = production.job("rollback", env={"GITOPS_WHY": "w", **env}, code=3)
    assert message in output
    assert "Promote another version with `gitops promote`, or remove a hold" in output


def _effects(production: Production) -> tuple[int, int]:
    """Count the effects so far: writes to GitHub and its Git, and running servers."""
    shown = subprocess.run(
        ["pgrep", "--full", "--count", str(production.home)], capture_output=True, text=True, check=False
    )
    return len(production.writes), int(shown.stdout)


def _run_until_an_effect(production: Production, more: int = 0) -> int:
    """Run the job `deploy` in a separate process, kill it after its first effect and `more` further ones, and return
    its exit status."""
    log = production.home.with_name("killed.log")
    env = {**os.environ, **GIT_IDENTITY, **production.environment(production.hub.issue_token(DEPLOY_GRANTS))}
    before = _effects(production)
    command = [str(production.python), "-m", "gitops_ml", "deploy"]
    with log.open("a") as stream:
        started = subprocess.Popen(command, cwd=production.clone, env=env, stdout=stream, stderr=stream)
    while started.poll() is None and _since(production, before) <= more:
        time.sleep(0.005)
    started.kill()
    return started.wait()


def _since(production: Production, before: tuple[int, int]) -> int:
    """Return the number of effects since then."""
    return sum(max(0, now - then) for now, then in zip(_effects(production), before, strict=True))


def _run_until_it_ends(production: Production, more: int = 0) -> tuple[int, int]:
    """Kill it after each effect, until one run finishes; return the number of runs and the exit code."""
    production.job("config")
    for runs in range(1, 30):
        code = _run_until_an_effect(production, more)
        if code != -signal.SIGKILL:
            print(production.home.with_name("killed.log").read_text())
            return runs, code
    raise AssertionError(production.home.with_name("killed.log").read_text())


@pytest.mark.faults
def test_a_deployment_that_is_killed_after_each_effect_ends_in_the_same_state(production: Production) -> None:
    """Server, switch, ledger, alias, release: each is found, or completed."""
    production.offer("1")
    runs, code = _run_until_it_ends(production)
    assert (runs > 3, code) == (True, 0)
    assert production.serves == "1"
    assert [fact["kind"] for fact in production.facts] == ["verified"]
    assert [release["tag_name"] for release in production.request("GET", "/releases")] == ["v1.0.0"]
    assert _effects(production)[1] == 1
    production.clear_requests()
    production.job("deploy")
    assert production.writes == []


@pytest.mark.faults
def test_an_expired_merge_is_skipped_even_if_the_job_is_killed_repeatedly(production: Production) -> None:
    """Comparison, ledger, pull request, its check. The inputs of a run of Train cannot be read: a kill between the
    dispatch and the ledger dispatches twice, which changes nothing."""
    _merge_stale(production)
    production.job("config")
    assert _run_until_an_effect(production) == -signal.SIGKILL
    runs, code = _run_until_it_ends(production, more=1)
    assert (runs > 2, code) == (True, 0)
    assert production.serves == "1"
    assert [fact["kind"] for fact in production.facts] == ["verified", "expired"]
    assert production.pull["title"].startswith("Roll back")
    assert {each["version"] for each in production.dispatched_inputs} == {"2"}
    assert production.statuses(production.pull["head"]["sha"]) == [("required", "pending")]


@pytest.mark.faults
def test_a_rollback_that_is_killed_after_each_effect_ends_in_the_same_state(production: Production) -> None:
    """Hold, the old version, pull request, its check, issue: each once."""
    production.ship("1")
    production.offer("4-over-champion-1")
    runs, code = _run_until_it_ends(production)
    assert (runs > 3, code) == (True, 0)
    assert production.serves == "1"
    assert [fact["kind"] for fact in production.facts] == ["verified", "held"]
    assert production.pull["title"].startswith("Roll back")
    assert len(production.issues) == 1
    assert production.statuses(production.pull["head"]["sha"]) == [("required", "pending")]
    assert _effects(production)[1] == 1
