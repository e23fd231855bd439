"""A private repository that serves as a process: two pushes at once, a failing test, and new rows from a source."""

import re
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from fast_setup import CHECKS_OF_STYLE, link_installed_packages
from github.contributor import Contributor, start_github
from github.model import Run
from hub_fixture import BETTER, BRANCH, WORSE, assert_green
from ingest_jobs import make_rows, serve_file
from repositories import bake, run

DATA = "data/breast_cancer.csv"


@pytest.fixture
def github(fast_machine: dict[str, str], tmp_path: Path) -> Iterator[Contributor]:
    """A new repository that serves as a process, committed but not pushed, and its GitHub."""
    clone = bake(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    toml = clone / "model.toml"
    toml.write_text(
        toml.read_text().replace('kind = "none"', 'kind = "process"').replace("port = 8080", f"port = {port}")
    )
    link_installed_packages(clone / "Makefile", skipped=CHECKS_OF_STYLE)
    run(clone, "git", "init", "--quiet", "--initial-branch", "main")
    run(clone, "git", "add", "--all")
    run(clone, "git", "commit", "--quiet", "--message", "Start from the template")
    with start_github(tmp_path, clone, env=fast_machine | {"GITOPS_STATE": str(tmp_path / "state")}) as made:
        yield made
        assert made.hub.violations == []
    subprocess.run(["pkill", "--full", f"gitops=.*[|]{port}[|]"], check=False)


def conclusions(found: Run) -> dict[str, str | None]:
    """Return the conclusion of each job."""
    return {name: job.conclusion for name, job in found.jobs.items()}


@pytest.mark.faults
def test_two_pushes_at_the_same_moment_end_in_one_pull_request_and_new_rows_arrive_by_another(
    github: Contributor, tmp_path: Path
) -> None:
    """The better model is proposed; after its merge, labeled rows come from a source behind a secret.

    The repository is private, so each fetch and push needs its token.
    """
    github.hub.settings.private = True
    new = tmp_path / "new.csv"
    new.write_text(make_rows((github.clone / DATA).read_text(), 80))
    word = "s3cret-of-the-source"
    github.hub.settings.secrets["INGEST_TOKEN"] = word
    with serve_file(new, word) as address:
        github.edit(
            "model.toml", 'source = "none"            # "file",', f'source = "http"\npath = "{address}"   # "file",'
        )
        _the_better_of_two_pushes_is_proposed(github)
        _a_failing_test_turns_ci_red(github)
        _a_merge_starts_a_server(github)
        _new_rows_are_offered_once(github, word)
        _their_merge_starts_a_training(github)


def _the_better_of_two_pushes_is_proposed(github: Contributor) -> None:
    """The order of the runs does not matter."""
    github.runner.pause()
    github.choose_columns(BETTER)
    github.push("The better one")
    github.choose_columns(WORSE)
    github.push("The worse one")
    github.runner.resume()
    assert_green(github.wait_for_runs(), "ci.yml", "train.yml")
    (pull,) = github.pulls
    assert "version 1" in pull["title"] or "version 2" in pull["title"]
    proposed = github.record(BRANCH)
    assert proposed["figure"]["value"] > 0.98
    assert set(proposed["columns"]) >= {"worst_radius"}


def _a_failing_test_turns_ci_red(github: Contributor) -> None:
    """CI runs the user's tests."""
    github.run("git", "switch", "--quiet", "--create", "doubt")
    (github.clone / "tests" / "test_doubt.py").write_text(
        '"""Doubts."""\n\n\ndef test_doubt() -> None:\n    """It is not so."""\n    assert not __name__\n'
    )
    github.push("A doubt", "doubt")
    github.run("git", "switch", "--quiet", "main")
    number = github.request("POST", "/pulls", title="A doubt", head="doubt", base="main")["number"]
    ended = github.wait_for_runs()
    assert ended["ci.yml"].conclusion == "failure"
    assert conclusions(ended["ci.yml"])["required"] == "failure"
    assert "FAILED tests/test_doubt.py::test_doubt" in "".join(job.log for job in ended["ci.yml"].jobs.values())
    github.close(number)


def _a_merge_starts_a_server(github: Contributor) -> None:
    """Deploy starts a process on the machine of the runner."""
    github.merge(github.pull["number"])
    ended = github.wait_for_runs()
    assert_green(ended, "train.yml", "deploy.yml")
    (deployed,) = (job for name, job in ended["deploy.yml"].jobs.items() if name.startswith("deploy"))
    url = re.search(r"http://127\.0\.0\.1:\d+ serves it", deployed.log)
    assert url
    served = requests.get(f"{url.group().split()[0]}/metadata", timeout=30).json()["version"]
    assert served == github.record("main")["version"]


def _new_rows_are_offered_once(github: Contributor, word: str) -> None:
    """Ingest's three jobs open a pull request with the rows, and do nothing the second time."""
    github.request("POST", "/actions/workflows/ingest.yml/dispatches", ref="main")
    ended = github.wait_for_runs()
    assert_green(ended, "ingest.yml", "ci.yml")
    assert conclusions(ended["ingest.yml"]) == dict.fromkeys(["pull", "check", "offer"], "success")
    assert all(word not in job.log for job in ended["ingest.yml"].jobs.values())
    pull = github.pull
    assert re.fullmatch(rf"Add 80 rows to {DATA} \([0-9a-f]{{12}}\)", pull["title"])
    assert f"The champion, version {github.record('main')['version']}, reaches roc" in pull["body"]
    assert github.statuses(pull["head"]["sha"])[0] == ("required", "success")

    github.request("POST", "/actions/workflows/ingest.yml/dispatches", ref="main")
    ended = github.wait_for_runs()
    assert set(ended) == {"ingest.yml"}
    assert "Nothing to do" in ended["ingest.yml"].jobs["offer"].summary
    assert github.pull["head"]["sha"] == pull["head"]["sha"]


def _their_merge_starts_a_training(github: Contributor) -> None:
    """Afterwards, the same rows are not new."""
    github.merge(github.pull["number"])
    ended = github.wait_for_runs()
    assert_green(ended, "ci.yml", "train.yml")
    assert "Version 3" in ended["train.yml"].jobs["compare"].summary
    github.request("POST", "/actions/workflows/ingest.yml/dispatches", ref="main")
    ended = github.wait_for_runs()
    assert conclusions(ended["ingest.yml"]) == {"pull": "success", "check": "success", "offer": "skipped"}
    assert "needs labels" in ended["ingest.yml"].jobs["check"].summary
