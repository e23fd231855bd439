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
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import requests

from desk import BETTER, DEPLOY_GRANTS, PULLS_ALLOWED, Desk, Driver, choose, compare
from github.server import LocalGitHub
from house import PERSON, run
from moody import make_moody

# What a way back changes.
OURS = ["docs/model-card.md", "registry/production.json"]


@pytest.fixture(scope="module")
def stage(prepared: Path, driver: Driver, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The three versions and a moody fourth; production is a process, and version 1 is on main."""
    folder = tmp_path_factory.mktemp("stage")
    shutil.copytree(prepared, folder, dirs_exist_ok=True)
    clone = folder / "clone"
    run(clone, "git", "remote", "set-url", "origin", str(folder / "remote.git"))
    choose(clone, BETTER.replace("worst_texture", "worst_area"))
    make_moody(clone)
    run(clone, "git", "commit", "--quiet", "--all", "--message", "A mood")
    run(clone, "git", "push", "--quiet", "origin", "main")
    driver.must(clone, "train")
    driver.must(clone, "register")
    compare(driver, clone, folder, "1")
    driver.must(clone, "promote", "--local", "--comparison", str(folder / "comparisons" / "1"))
    run(clone, "git", "push", "--quiet", "origin", "promote/production:main")
    for number in "24":
        compare(driver, clone, folder, number, f"{number}-over-champion-1")
    run(clone, "git", "push", "--quiet", "--force", "origin", "main")
    run(clone, "git", "branch", "--quiet", "-D", "promote/production")
    toml = clone / "model.toml"
    toml.write_text(toml.read_text().replace('kind = "none"', 'kind = "process"'))
    run(clone, "git", "commit", "--quiet", "--all", "--message", "Serve as a process")
    run(clone, "git", "push", "--quiet", "origin", "main")
    return folder


class Place(Desk):
    """The desk, with a port where production answers, and the folder where its servers are kept."""

    image = ""  # a process needs none
    port: int
    home: Path
    python: Path

    @property
    def url(self) -> str:
        """Where callers ask."""
        return f"http://127.0.0.1:{self.port}"

    def ship(self, name: str) -> str:
        """Promote, merge as a person, deploy as the job; all that it printed."""
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
        """What the registry says."""
        return self.driver.must(self.clone, "store", "status").out

    @property
    def facts(self) -> list[dict[str, Any]]:
        """The ledger."""
        return [json.loads(line) for line in self.git("show", "mlflow:ledger.jsonl").splitlines()]

    @property
    def issues(self) -> list[dict[str, Any]]:
        """Open issues."""
        return [issue for issue in self.ask("GET", "/issues?state=open") if "pull_request" not in issue]


@pytest.fixture
def place(
    stage: Path, repository: Path, driver: Driver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Place]:
    """A fresh hub with those versions; nothing serves yet."""
    # Each test has its own servers, and all have the packages that these need.
    monkeypatch.setenv("GITOPS_STATE", str(tmp_path / "state"))
    (stage / "environments").mkdir(exist_ok=True)
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "environments").symlink_to(stage / "environments")
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
        run(clone, "git", "remote", "set-url", "origin", f"{hub.page}.git")
        setattr(hub.settings, PULLS_ALLOWED, True)
        made = Place(hub, clone, stage / "comparisons", driver)
        made.port, made.home, made.python = port, tmp_path / "state", repository / ".venv" / "bin" / "python"
        yield made
        assert hub.violations == []
    subprocess.run(["pkill", "--full", str(tmp_path / "state")], check=False)


def test_a_merge_is_deployed_verified_and_released(place: Place) -> None:
    """The version of the record answers what it answered in training; ledger, alias, tag and release follow."""
    told = place.ship("1")
    assert "Version 1 (release 1.0.0) is verified in production" in told
    assert place.serves == "1"
    record = place.record("main")
    (fact,) = place.facts
    assert (fact["kind"], fact["digest"], fact["environment"]) == ("verified", record["digest"], "production")
    assert re.search(r"champion", place.aliases)
    release = place.ask("GET", "/releases/tags/v1.0.0")
    assert release["name"] == "tumour-screening 1.0.0: version 1"
    card, _, report = release["body"].partition("# The report that it was promoted by")
    assert "## Intended use" in card
    assert f"| {'interval':<10}".rstrip() in card
    assert place.pulls[0]["html_url"] in report
    assert "can be promoted" in report
    assert "Try it on your machine" not in report
    assert place.git("rev-parse", "v1.0.0^{commit}") == place.git("rev-parse", "main")


def test_the_second_time_nothing_is_done(place: Place) -> None:
    """No write, no new process."""
    place.ship("1")
    before = requests.get(f"{place.url}/metadata", timeout=10).headers
    place.forget()
    assert "Nothing to do: version 1 serves" in place.job("deploy")
    assert place.writes == []
    assert before


def test_what_died_is_started_again(place: Place) -> None:
    """A reconcile repairs what it finds."""
    place.ship("1")
    subprocess.run(["pkill", "-KILL", "--full", f"{place.port}[|]"], check=True)
    place.job("deploy")
    assert place.serves == "1"


def test_another_token_or_port_is_a_difference_too(place: Place) -> None:
    """The version is the right one, and callers come as the settings of today say; once, not each time."""
    place.ship("1")
    rows: dict[str, list[str]] = {"rows": []}
    assert requests.post(f"{place.url}/predict", json=rows, timeout=10).status_code != 401
    env = {"GITOPS_TOKEN": "secret"}
    assert "is brought up again: the token has changed" in place.job("deploy", env=env)
    assert requests.post(f"{place.url}/predict", json=rows, timeout=10).status_code == 401
    before, place.port = place.url, _another_port(place)
    assert "is brought up again: callers come by another port" in place.job("deploy", env=env)
    assert place.serves == "1"
    with pytest.raises(requests.ConnectionError):
        requests.get(f"{before}/metadata", timeout=10)
    assert "Nothing to do: version 1 serves" in place.job("deploy", env=env)


def _another_port(place: Place) -> int:
    """Let main's model.toml name another one."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = int(free.getsockname()[1])
    place.as_person("fetch", "--quiet", "origin", "main")
    place.as_person("switch", "--quiet", "--detach", "origin/main")
    toml = place.clone.with_name("person") / "model.toml"
    toml.write_text(toml.read_text().replace(f"port = {place.port}", f"port = {port}"))
    place.as_person("commit", "--quiet", "--all", "--message", "Another port")
    place.as_person("push", "--quiet", "origin", "HEAD:main")
    return port


def test_a_better_version_replaces_it(place: Place) -> None:
    """Release 1.1.0; the old process ends, and callers never meet one that is not ready."""
    place.ship("1")
    with _callers(place) as told:
        assert f"{place.url} answers" in place.ship("2-over-champion-1")
    assert (len(told) > 100, set(told)) == (True, {200})
    assert place.serves == "2"
    assert place.ask("GET", "/releases/tags/v1.1.0")["name"].endswith("version 2")
    shown = subprocess.run(["pgrep", "--full", f"{place.port}[|]"], capture_output=True, text=True, check=False)
    assert len(shown.stdout.split()) == 1


@contextmanager
def _callers(place: Place) -> Iterator[list[int]]:
    """Ask without a pause whether what answers is ready; the answers. Who is cut off asks again, as the docs say."""
    told: list[int] = []
    over = threading.Event()

    def ask() -> None:
        while not over.is_set():
            with suppress(requests.ConnectionError):
                told.append(requests.get(f"{place.url}/health/ready", timeout=30).status_code)

    caller = threading.Thread(target=ask)
    caller.start()
    try:
        yield told
    finally:
        over.set()
        caller.join()


def test_a_version_that_fails_is_rolled_back_by_itself(place: Place) -> None:
    """Ledger, the old version, one pull request, one issue; and no run brings it back."""
    place.ship("1")
    place.offer("4-over-champion-1")
    told = place.job("deploy", code=10)
    assert "Version 4 failed in production" in told
    assert place.serves == "1"
    held = place.facts[-1]
    assert (held["kind"], held["failed"]) == ("held", True)
    assert held["digest"] == place.record("main")["digest"]
    pull = place.pull
    assert pull["title"].startswith("Roll back tumour-screening from version 4 to version 1 in production (")
    assert place.git("diff", "--name-only", "main...rollback/production").split() == OURS
    assert place.record("rollback/production")["version"] == "1"
    assert place.statuses(pull["head"]["sha"])[0] == ("required", "pending")
    (issue,) = place.issues
    assert issue["title"].startswith("Version 4 failed in production (")
    assert pull["html_url"] in issue["body"]
    place.forget()
    place.job("deploy")
    assert place.serves == "1"
    assert place.writes == []
    place.ask("PATCH", f"/issues/{issue['number']}", state="closed")
    place.forget()
    assert issue["html_url"] in place.job("deploy")
    assert (place.issues, place.writes) == ([], [])
    place.merge(pull["number"])
    place.job("deploy")
    assert place.serves == "1"
    assert place.issues == []
    assert "held in production" in place.promote("4-over-champion-1")


def test_people_learn_of_a_failure_whatever_else_goes_wrong(place: Place) -> None:
    """The version to go back to was changed in the store, and somebody has the branch: held, printed, and an issue."""
    place.ship("1")
    place.offer("4-over-champion-1")
    subprocess.run(["pkill", "-KILL", "--full", f"{place.port}[|]"], check=True)
    _damage(place, place.facts[0]["digest"])
    place.as_person("push", "--quiet", "origin", "HEAD~1:refs/heads/rollback/production")
    place.as_person("fetch", "--quiet", "origin")
    place.as_person("switch", "--quiet", "--detach", "origin/rollback/production")
    place.as_person("commit", "--quiet", "--allow-empty", "--message", "Mine")
    place.as_person("push", "--quiet", "origin", "HEAD:rollback/production")
    told = place.job("deploy", code=11)
    assert re.search(r"^Version 4 printed:\n[|] \S", told, re.MULTILINE)
    assert "holds what gitops did not put there" in told
    assert [fact["kind"] for fact in place.facts] == ["verified", "held"]
    (issue,) = place.issues
    assert "No pull request could be opened yet" in issue["body"]


def _damage(place: Place, digest: str) -> None:
    """Change a file of a version in the store and in the clone."""
    place.as_person("fetch", "--quiet", "origin", "mlflow")
    place.as_person("switch", "--quiet", "--detach", "FETCH_HEAD")
    for folder in (place.clone.with_name("person"), place.clone / ".gitops"):
        for manifest in folder.rglob("manifest.json"):
            if f"sha256:{hashlib.sha256(manifest.read_bytes()).hexdigest()}" == digest:
                manifest.with_name("expected.json").write_text("{}")
    place.as_person("commit", "--quiet", "--all", "--message", "A change")
    place.as_person("push", "--quiet", "origin", "HEAD:mlflow")
    place.as_person("switch", "--quiet", "--detach", "origin/main")


def test_the_first_version_of_all_that_fails_leaves_nothing_behind(place: Place) -> None:
    """Nothing was ever verified: the pull request removes the record."""
    place.driver.must(place.clone, "compare", "--version", "4", "--out", str(place.clone.parent / "four"))
    place.promote(str(place.clone.parent / "four"))
    place.merge(place.pull["number"])
    assert "nothing serves" in place.job("deploy", code=10)
    assert "to no version" in place.pull["title"]
    place.merge(place.pull["number"])
    assert "Nothing was promoted yet" in place.job("deploy") or "Nothing may serve" in place.job("deploy")


def test_what_was_verified_before_is_not_held_for_what_a_place_does(place: Place) -> None:
    """Here somebody broke what lies on the machine: an error, again and again, until it is mended."""
    place.ship("1")
    subprocess.run(["pkill", "-KILL", "--full", f"{place.port}[|]"], check=True)
    (broken,) = place.home.glob("*/production/releases/*/src/tumour_screening/__init__.py")
    text = broken.read_text()
    broken.write_text("raise SystemExit('no room left')\n")
    for _ in range(2):
        assert "which was verified here before, fails now" in place.job("deploy", code=9)
    assert [fact["kind"] for fact in place.facts] == ["verified"]
    assert place.issues == []
    broken.write_text(text)
    place.job("deploy")
    assert place.serves == "1"


def test_what_serves_ends_when_nothing_may(place: Place) -> None:
    """Main names no version any more."""
    place.ship("1")
    place.as_person("rm", "--quiet", "registry/production.json")
    place.as_person("commit", "--quiet", "--message", "Start over")
    place.as_person("push", "--quiet", "origin", "HEAD:main")
    assert "it was ended" in place.job("deploy")
    with pytest.raises(requests.ConnectionError):
        requests.get(f"{place.url}/metadata", timeout=10)
    assert "it was ended" not in place.job("deploy")


def test_a_rollback_at_once_holds_what_serves_too(place: Place) -> None:
    """Main's version failed, the one before serves and is bad too: neither comes back by itself."""
    place.ship("1")
    place.ship("2-over-champion-1")
    # Version 4 is no better than version 2; that is not what this test is about.
    four, two = (
        json.loads((place.comparisons / f"{n}-over-champion-1" / "comparison.json").read_text()) for n in (4, 2)
    )
    (place.clone.parent / "four").mkdir()
    bound = {**four["bound"], "champion": two["challenger"]["digest"]}
    told = json.dumps({**four, "champion": two["challenger"], "bound": bound})
    (place.clone.parent / "four" / "comparison.json").write_text(told)
    place.promote(str(place.clone.parent / "four"))
    place.merge(place.pull["number"])
    place.job("deploy", code=10)
    assert place.serves == "2"
    place.job("rollback", env={"GITOPS_WHY": "complaints", "GITOPS_NOW": "true"})
    assert place.serves == "1"
    assert [fact["kind"] for fact in place.facts] == ["verified", "verified", "held", "held", "override"]


def test_argocd_is_told_what_failed_by_a_pull_request(place: Place) -> None:
    """Only main moves the cluster: no older version is waited for, and people learn at once."""
    with _cluster(place) as url:
        toml = place.clone / "model.toml"
        toml.write_text(toml.read_text().replace('kind = "process"', f'kind = "argocd"\nurl = "{url}"'))
        run(place.clone, "git", "commit", "--quiet", "--all", "--message", "Argo CD")
        run(place.clone, "git", "push", "--quiet", str(place.hub.bare), "HEAD:main")
        image = {"GITOPS_IMAGE": "r.example/m@sha256:" + "1" * 64}
        place.job("promote", "--comparison", str(place.comparisons / "1"), env=image)
        place.merge(place.pull["number"])
        told = place.job("deploy", code=10)
    assert "what main says is taken back by merging that pull request" in told
    assert place.facts[-1]["kind"] == "held"
    assert len(place.issues) == 1
    overlay = json.loads(place.git("show", "rollback/production:registry/argocd/production/kustomization.yaml"))
    assert overlay["resources"] == []


@contextmanager
def _cluster(place: Place) -> Iterator[str]:
    """Stands in for a cluster: it has synced what main says, and gives answers that nobody recorded."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._say({"digest": place.record("main")["digest"]})

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


def test_an_older_run_deploys_nothing(place: Place) -> None:
    """Main has moved on to another record: its own run deploys that one."""
    old = place.git("rev-parse", "main")
    place.offer("1")
    run(place.clone, "git", "fetch", "--quiet", "origin", "main")
    run(place.clone, "git", "switch", "--quiet", "--detach", old)
    env = place.environment(place.hub.issue_token({"contents": "write"}))
    done = place.driver.run(place.clone, "deploy", env=env)
    assert (done.code, "main has moved on" in done.out) == (0, True)


def test_a_rollback_by_pull_request_serves_the_older_version_once_merged(place: Place) -> None:
    """The record of then is restored, and its release is tagged already."""
    place.ship("1")
    place.ship("2-over-champion-1")
    place.job("rollback", env={"GITOPS_WHY": "complaints from the ward", "GITOPS_VERSION": "1"})
    assert place.serves == "2"
    assert "complaints from the ward" in place.pull["body"]
    place.job("deploy")
    assert place.pull["state"] == "open"
    place.merge(place.pull["number"])
    place.job("deploy")
    assert place.serves == "1"
    assert place.record("main")["release"] == "1.0.0"


def test_a_rollback_at_once_serves_it_before_anything_is_merged(place: Place) -> None:
    """Hold and override first, then the old version, then the pull request; merging it ends the override."""
    place.ship("1")
    place.ship("2-over-champion-1")
    place.job("rollback", env={"GITOPS_WHY": "complaints", "GITOPS_NOW": "true"})
    assert place.serves == "1"
    assert [fact["kind"] for fact in place.facts] == ["verified", "verified", "held", "override"]
    assert place.issues == []
    place.job("rollback", env={"GITOPS_WHY": "complaints", "GITOPS_NOW": "true"})
    assert [fact["kind"] for fact in place.facts] == ["verified", "verified", "held", "override"]
    place.merge(place.pull["number"])
    place.job("deploy")
    assert place.serves == "1"
    assert "held in production" in place.promote("2-over-champion-1")


def test_a_second_rollback_at_once_goes_further_back(place: Place) -> None:
    """The version that took over is bad too: it is held, the one before serves, and the pull request says so."""
    place.ship("1")
    place.ship("2-over-champion-1")
    two = json.loads((place.comparisons / "2-over-champion-1" / "comparison.json").read_text())
    three = json.loads((place.comparisons / "3" / "comparison.json").read_text())
    (place.clone.parent / "three").mkdir()
    bound = {**two["bound"], "champion": two["challenger"]["digest"]}
    told = json.dumps({**two, "champion": two["challenger"], "challenger": three["challenger"], "bound": bound})
    (place.clone.parent / "three" / "comparison.json").write_text(told)
    place.ship(str(place.clone.parent / "three"))
    assert place.serves == "3"
    for run_id, served in (("78", "2"), ("78", "2"), ("79", "1")):
        place.job("rollback", env={"GITOPS_WHY": "complaints", "GITOPS_NOW": "true", "GITHUB_RUN_ID": run_id})
        assert place.serves == served
        assert place.record("rollback/production")["version"] == served
    assert [fact["kind"] for fact in place.facts][3:] == ["held", "override", "held", "override"]
    assert "cannot go back" in place.job(
        "rollback", env={"GITOPS_WHY": "complaints", "GITOPS_NOW": "true", "GITHUB_RUN_ID": "80"}, code=3
    )


def _merge_stale(place: Place) -> int:
    """Version 1 serves; version 2 was judged by other gates than main has when it is merged; the pull request."""
    place.ship("1")
    place.promote("2-over-champion-1")
    number: int = place.pull["number"]
    place.push("model.toml", "margin = 0.1", "margin = 0.2")
    place.merge(number)
    place.forget()
    return number


def test_a_merge_on_expired_evidence_is_not_rolled_out(place: Place) -> None:
    """The last verified version serves, nothing is held, and one pull request says what changed in between."""
    _merge_stale(place)
    told = place.job("deploy")
    assert "Version 2 is not rolled out. Between the comparison of version 2 and its merge, the gates changed." in told
    assert place.serves == "1"
    assert [fact["kind"] for fact in place.facts] == ["verified", "expired"]
    assert place.facts[-1]["commit"] == place.git("rev-parse", "main")
    pull = place.pull
    assert pull["title"].startswith("Roll back tumour-screening from version 2 to version 1 in production (")
    first, *rest = pull["body"].splitlines()
    assert first == "## ⏪ Version 2 is not rolled out in production: its evidence had expired when it was merged"
    assert "**Why**: Between the comparison of version 2 and its merge, the gates changed." in rest
    assert "it is not held" in pull["body"]
    assert "gitops lift" not in pull["body"]
    assert place.git("diff", "--name-only", "main...rollback/production").split() == OURS
    assert place.record("rollback/production")["version"] == "1"
    assert place.statuses(pull["head"]["sha"])[0] == ("required", "pending")
    assert place.issues == []
    assert [(each["version"], each["environment"]) for each in place.dispatched] == [("2", "production")]
    assert "champion" not in place.job("reconcile")
    place.forget()
    place.job("deploy")
    assert place.serves == "1"
    assert place.writes == []


def test_taking_back_an_expired_merge_changes_nothing_that_serves(place: Place) -> None:
    """Main says what serves again; the version that was restored was verified, so its old evidence does not matter."""
    _merge_stale(place)
    place.job("deploy")
    place.merge(place.pull["number"])
    place.forget()
    assert "Nothing to do: version 1 serves" in place.job("deploy")
    assert place.writes == []


def test_on_new_evidence_the_version_is_offered_again_and_rolled_out(place: Place) -> None:
    """Nothing was wrong with it; merged anew it serves, and what would have taken it back closes."""
    _merge_stale(place)
    place.job("deploy")
    back = place.pull["number"]
    assert "Opened" in place.promote(place.compare_again("again", "2"))
    (offered,) = (pull for pull in place.pulls if pull["state"] == "open" and pull["number"] != back)
    assert "to production" in offered["title"]
    place.merge(offered["number"])
    place.job("deploy")
    assert place.serves == "2"
    assert [pull["state"] for pull in place.pulls if pull["number"] == back] == ["closed"]
    assert [fact["kind"] for fact in place.facts] == ["verified", "expired", "verified"]


def test_the_first_version_on_expired_evidence_does_not_come_up(place: Place) -> None:
    """There is no other to serve: the pull request removes the record."""
    place.promote("1")
    place.push("data/breast_cancer.csv", "17.99", "17.98")
    place.merge(place.pull["number"])
    told = place.job("deploy")
    assert "its merge, the data changed." in told
    assert "Nothing may serve in production." in told
    assert "to no version" in place.pull["title"]
    with pytest.raises(requests.ConnectionError):
        requests.get(f"{place.url}/metadata", timeout=10)


def test_what_changes_after_the_merge_does_not_count(place: Place) -> None:
    """Nor do words in between."""
    place.promote("1")
    place.push("README.md", "git push", "git  push")
    place.merge(place.pull["number"])
    place.push("model.toml", "margin = 0.1", "margin = 0.2")
    place.job("deploy")
    assert place.serves == "1"


def test_a_rollback_to_what_was_verified_needs_no_new_evidence(place: Place) -> None:
    """It was judged by the gates of its time, and it served."""
    place.ship("1")
    place.ship("2-over-champion-1")
    place.push("model.toml", "margin = 0.1", "margin = 0.2")
    place.job("rollback", env={"GITOPS_WHY": "complaints", "GITOPS_VERSION": "1"})
    place.merge(place.pull["number"])
    place.job("deploy")
    assert place.serves == "1"
    assert [fact["kind"] for fact in place.facts] == ["verified", "verified"]


def test_the_champion_before_a_merge_is_the_one_of_then(place: Place) -> None:
    """Main names what failed, the challenger was compared with what serves instead: its merge stands."""
    place.ship("1")
    place.offer("4-over-champion-1")
    place.job("deploy", code=10)
    place.promote(place.compare_again("over-what-serves", "2"))
    (offered,) = (pull for pull in place.pulls if pull["state"] == "open" and pull["title"].startswith("Promote"))
    place.merge(offered["number"])
    place.job("deploy")
    assert place.serves == "2"


def test_a_hold_turns_an_open_proposal_red(place: Place) -> None:
    """What it was compared with is champion no more."""
    place.ship("1")
    place.promote("2-over-champion-1")
    offered = place.pull
    fact = {"kind": "held", "environment": "production", "digest": place.facts[0]["digest"], "by": "ada",
            "at": "2026-11-21T00:00:00Z", "why": "complaints"}  # fmt: skip
    place.as_person("switch", "--quiet", "mlflow")
    with (place.clone.with_name("person") / "ledger.jsonl").open("a") as ledger:
        ledger.write(json.dumps(fact) + "\n")
    place.as_person("commit", "--quiet", "--all", "--message", "Hold")
    place.as_person("push", "--quiet", "origin", "mlflow")
    assert "the champion changed. Version 2 is compared again." in place.job("deploy")
    assert place.statuses(offered["head"]["sha"])[0] == ("required", "failure")


def test_a_hold_ends_by_a_merged_pull_request_alone(place: Place) -> None:
    """Lifted, the version may be proposed again."""
    place.ship("1")
    place.ship("2-over-champion-1")
    place.job("rollback", env={"GITOPS_WHY": "complaints", "GITOPS_NOW": "true"})
    place.merge(place.pull["number"])
    place.job("lift", "2", "--why", "it was the thermometer")
    assert "held in production" in place.promote("2-over-champion-1")
    lift = place.pull
    assert lift["title"] == "Let version 2 run in production again"
    place.merge(lift["number"])
    assert "Opened" in place.promote("2-over-champion-1")
    place.merge(place.pull["number"])
    place.job("deploy")
    assert place.serves == "2"
    assert place.record("main")["release"] == "1.2.0"


def _with_staging(place: Place, soak: int) -> int:
    """Let versions go through staging, a process at a port of its own; that port."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = int(free.getsockname()[1])
    toml = place.clone / "model.toml"
    text = toml.read_text().replace('environments = ["production"]', 'environments = ["staging", "production"]')
    staging = f'[targets.staging]\nkind = "process"\nport = {port}\nsoak_hours = {soak}\n\n'
    toml.write_text(text.replace("[targets.production]", f"{staging}[targets.production]"))
    run(place.clone, "git", "commit", "--quiet", "--all", "--message", "Staging first")
    run(place.clone, "git", "push", "--quiet", str(place.hub.bare), "HEAD:main")
    return port


def test_a_version_reaches_production_only_from_staging(place: Place) -> None:
    """Its own record and pull request in each; verified in one, it is offered in the next, with the same release."""
    port = _with_staging(place, 0)
    place.promote("1")
    assert place.pull["title"].startswith("Promote tumour-screening version 1 to staging (")
    place.merge(place.pull["number"])
    place.forget()
    assert "Version 1 will be compared with the champion of production" in place.job(
        "deploy", "--environment", "staging"
    )
    assert requests.get(f"http://127.0.0.1:{port}/metadata", timeout=10).json()["version"] == "1"
    assert "nothing has changed since" in place.job("deploy", "--environment", "staging")
    assert "Nothing was promoted yet" in place.job("deploy", "--environment", "production")
    assert ("POST", "/releases") not in place.writes
    digest = place.facts[-1]["digest"]
    (asked,) = [each.event.payload["inputs"] for each in place.hub.runs.values() if each.workflow == "train.yml"]
    assert asked == {"environment": "production", "version": "1", "digest": digest, "force": "false"}
    out = str(place.clone.parent / "onward")
    place.job("compare", "--environment", "production", "--version", "1", "--digest", digest, "--out", out)
    place.job("promote", "--environment", "production", "--comparison", out)
    assert place.pull["title"].startswith("Promote tumour-screening version 1 to production (")
    assert place.git("diff", "--name-only", "main...promote/production").split()[-1] == "registry/production.json"
    place.merge(place.pull["number"])
    place.job("deploy", "--environment", "production")
    assert place.serves == "1"
    assert [(fact["kind"], fact["environment"]) for fact in place.facts] == [
        ("verified", "staging"), ("asked", "production"), ("verified", "production"),
    ]  # fmt: skip
    assert place.ask("GET", "/releases/tags/v1.0.0")["name"].endswith("version 1")
    place.forget()
    place.job("deploy", "--environment", "staging")
    assert place.writes == []


def test_a_persons_no_to_the_next_environment_stays(place: Place) -> None:
    """The daily run does not have it compared again, not even when somebody tidied the branch away."""
    _with_staging(place, 0)
    place.promote("1")
    place.merge(place.pull["number"])
    place.job("deploy", "--environment", "staging")
    out = str(place.clone.parent / "onward")
    place.job("compare", "--environment", "production", "--version", "1", "--out", out)
    place.job("promote", "--environment", "production", "--comparison", out)
    place.close(place.pull["number"])
    place.as_person("push", "--quiet", "origin", ":promote/production")
    place.forget()
    told = place.job("deploy", "--environment", "staging")
    assert "Version 1 does not go on to production: a person closed" in told
    assert place.writes == []


def test_a_version_soaks_before_it_goes_on(place: Place) -> None:
    """Until then nothing is offered in production; the daily run looks again."""
    _with_staging(place, 24)
    place.promote("1")
    place.merge(place.pull["number"])
    assert "Version 1 may go on to production from 20" in place.job("deploy", "--environment", "staging")
    assert not [each for each in place.hub.runs.values() if each.workflow == "train.yml"]


@pytest.mark.parametrize(
    ("env", "said"),
    [
        ({"GITOPS_VERSION": "3"}, "cannot go back to version 3"),
        ({"GITOPS_VERSION": "2"}, "cannot go back to version 2"),
        ({}, "cannot go back to an earlier version"),
    ],
)
def test_only_what_was_verified_can_be_gone_back_to(place: Place, env: dict[str, str], said: str) -> None:
    """A sentence says which can."""
    place.ship("1")
    told = place.job("rollback", env={"GITOPS_WHY": "w", **env}, code=3)
    assert said in told
    assert "Versions that can: none" in told


def _effects(place: Place) -> tuple[int, int]:
    """What has happened so far: writes to GitHub and its Git, servers that are up."""
    shown = subprocess.run(["pgrep", "--full", "--count", str(place.home)], capture_output=True, text=True, check=False)
    return len(place.writes), int(shown.stdout)


def _run_until_an_effect(place: Place, more: int = 0) -> int:
    """Run the job `deploy` in a process of its own, and kill it as soon as it has done something, and so many things
    more; how it ended."""
    log = place.home.with_name("killed.log")
    env = {**os.environ, **PERSON, **place.environment(place.hub.issue_token(DEPLOY_GRANTS))}
    before = _effects(place)
    command = [str(place.python), "-m", "gitops_ml", "deploy"]
    with log.open("a") as said:
        started = subprocess.Popen(command, cwd=place.clone, env=env, stdout=said, stderr=said)
    while started.poll() is None and _since(place, before) <= more:
        time.sleep(0.005)
    started.kill()
    return started.wait()


def _since(place: Place, before: tuple[int, int]) -> int:
    """How many effects there were since."""
    return sum(max(0, now - then) for now, then in zip(_effects(place), before, strict=True))


def _run_until_it_ends(place: Place, more: int = 0) -> tuple[int, int]:
    """Kill it after each of its effects, again and again, until one run has nothing more to do; runs, and its code."""
    place.job("config")
    for runs in range(1, 30):
        code = _run_until_an_effect(place, more)
        if code != -signal.SIGKILL:
            print(place.home.with_name("killed.log").read_text())
            return runs, code
    raise AssertionError(place.home.with_name("killed.log").read_text())


@pytest.mark.faults
def test_a_deployment_that_is_killed_after_each_effect_ends_in_the_same_state(place: Place) -> None:
    """Server, switch, ledger, alias, release: each is found, or made good."""
    place.offer("1")
    runs, code = _run_until_it_ends(place)
    assert (runs > 3, code) == (True, 0)
    assert place.serves == "1"
    assert [fact["kind"] for fact in place.facts] == ["verified"]
    assert [release["tag_name"] for release in place.ask("GET", "/releases")] == ["v1.0.0"]
    assert _effects(place)[1] == 1
    place.forget()
    place.job("deploy")
    assert place.writes == []


@pytest.mark.faults
def test_a_passing_over_that_is_killed_again_and_again_ends_in_the_same_state(place: Place) -> None:
    """Comparison, ledger, pull request, its check. Nobody can look up what a run of Train was asked for: a kill between
    asking and the ledger asks twice, which changes nothing."""
    _merge_stale(place)
    place.job("config")
    assert _run_until_an_effect(place) == -signal.SIGKILL
    runs, code = _run_until_it_ends(place, more=1)
    assert (runs > 2, code) == (True, 0)
    assert place.serves == "1"
    assert [fact["kind"] for fact in place.facts] == ["verified", "expired"]
    assert place.pull["title"].startswith("Roll back")
    assert {each["version"] for each in place.dispatched} == {"2"}
    assert place.statuses(place.pull["head"]["sha"]) == [("required", "pending")]


@pytest.mark.faults
def test_a_rollback_that_is_killed_after_each_effect_ends_in_the_same_state(place: Place) -> None:
    """Hold, the old version, pull request, its check, issue: each once."""
    place.ship("1")
    place.offer("4-over-champion-1")
    runs, code = _run_until_it_ends(place)
    assert (runs > 3, code) == (True, 0)
    assert place.serves == "1"
    assert [fact["kind"] for fact in place.facts] == ["verified", "held"]
    assert place.pull["title"].startswith("Roll back")
    assert len(place.issues) == 1
    assert place.statuses(place.pull["head"]["sha"]) == [("required", "pending")]
    assert _effects(place)[1] == 1
