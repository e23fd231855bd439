"""The journey: a generated repository on the local GitHub, driven by pushes and clicks, through its own workflows."""

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
from hub_fixture import BETTER, BRANCH, START, WORSE
from ingest_jobs import make_rows, serve_file
from repositories import bake, run

DATA = "data/breast_cancer.csv"
# What a promotion changes.
OURS = ["docs/model-card.md", "registry/production.json"]
TRAIN_JOBS = ["expire", "train", "register", "compare", "image", "promote"]


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


def green(ended: dict[str, Run], *workflows: str) -> None:
    """Assert that these workflows ran and succeeded."""
    for workflow in workflows:
        found = ended[workflow]
        logs = "\n".join(job.log[-3000:] for job in found.jobs.values() if job.conclusion == "failure")
        assert found.conclusion == "success", f"{workflow}: {found.conclusion}\n{logs}"


def conclusions(found: Run) -> dict[str, str | None]:
    """Return the conclusion of each job."""
    return {name: job.conclusion for name, job in found.jobs.items()}


def offer(github: Contributor) -> tuple[int, str, str, str, int]:
    """Return number, title, body, head and number of comments of the open pull request."""
    pull = github.pull
    return pull["number"], pull["title"], pull["body"], pull["head"]["sha"], len(github.comments(pull["number"]))


def test_the_journey(github: Contributor) -> None:
    """From the first push to the second champion, through the workflows."""
    github.push("Hello")
    ended = github.wait_for_runs()
    green(ended, "ci.yml", "train.yml")
    assert conclusions(ended["train.yml"]) == dict.fromkeys(TRAIN_JOBS, "success")
    first = github.pull
    assert re.fullmatch(r"Promote tumour-screening version 1 to production \([0-9a-f]{12}\)", first["title"])
    assert first["body"].startswith("## ✅ Version 1 can be promoted")
    assert github.git("diff", "--name-only", f"main...{BRANCH}").split() == OURS
    head = first["head"]["sha"]
    assert github.statuses(head)[0] == ("required", "success"), "the dispatched CI posts its result"
    assert ended["ci.yml"].event.head == (BRANCH, head)
    assert "Version 1 can be promoted" in ended["train.yml"].jobs["compare"].summary

    _a_worse_estimator_leaves_the_offer(github)
    _a_better_one_refreshes(github, first["number"])
    _what_a_person_breaks_turns_red(github)
    _a_newer_one_opens_and_is_merged(github)


def _a_worse_estimator_leaves_the_offer(github: Contributor) -> None:
    """Train stays green and explains why the proposed version stays; because the code changed, it is compared again."""
    number, title, body, head, comments = offer(github)
    github.choose_columns(WORSE)
    push = github.push("Simplify the features")
    ended = github.wait_for_runs()
    green(ended, "ci.yml", "train.yml")
    runs = [run for run in github.server.runs.values() if (run.workflow, run.event.sha) == ("train.yml", push)]
    of_push = next(run for run in runs if run.event.name == "push")
    assert f"{github.pull['html_url']} was not changed" in of_push.jobs["promote"].summary
    assert "your package changed. Version 1 is compared again." in of_push.jobs["expire"].summary
    assert github.statuses(head)[0] == ("required", "failure")
    now = offer(github)
    assert (now[0], now[1], now[4]) == (number, title, comments)
    assert (now[2] != body, now[3] != head) == (True, True)
    assert github.statuses(now[3])[0] == ("required", "success"), "CI checks the head with the new evidence"


def _a_better_one_refreshes(github: Contributor, number: int) -> None:
    """The same pull request, with the better version; CI checks its new head."""
    github.choose_columns(START + '    "worst_radius",\n')
    github.push("Look at the worst radius")
    ended = github.wait_for_runs()
    green(ended, "ci.yml", "train.yml")
    now = github.pull
    assert now["number"] == number
    assert "version 3" in now["title"]
    assert github.record(BRANCH)["version"] == "3"
    assert any("now proposes version 3" in comment for comment in github.comments(number))
    assert github.statuses(now["head"]["sha"])[0] == ("required", "success")


def _what_a_person_breaks_turns_red(github: Contributor) -> None:
    """A failing test on the promotion branch, and a bad data file in a pull request with a readable table."""
    head = _break_a_test(github)
    _spoil_the_data(github)
    github.request("POST", "/actions/workflows/ci.yml/dispatches", ref=BRANCH)
    found = [run for run in github.runner.wait() if run.id not in github.known_runs and run.workflow == "ci.yml"]
    github.wait_for_runs()
    by_event = {(run.event.name, run.event.head[0]): run for run in found}
    assert by_event["pull_request", BRANCH].conclusion == "failure"
    assert by_event["workflow_dispatch", BRANCH].conclusion == "failure"
    assert github.statuses(head)[0] == ("required", "failure")
    bad = by_event["pull_request", "new-data"]
    assert (conclusions(bad)["data"], conclusions(bad)["required"]) == ("failure", "failure")
    assert re.search(r"\| *mean\\_radius *\|", bad.jobs["data"].summary)
    assert "-17.99" in bad.jobs["data"].summary
    github.close(next(pull["number"] for pull in github.pulls if pull["title"] == "New data"))
    github.run("git", "switch", "--quiet", "main")


def _a_newer_one_opens_and_is_merged(github: Contributor) -> None:
    """Commits of others on the branch are not overwritten; once it is deleted, the next version is merged."""
    github.close(github.pull["number"])
    github.choose_columns(BETTER)
    github.push("Look at the worst cells")
    ended = github.wait_for_runs()
    assert ended["train.yml"].conclusion == "failure"
    assert "by Ada" in ended["train.yml"].jobs["promote"].log
    github.run("git", "push", "--quiet", "origin", f":{BRANCH}")
    github.request("POST", "/actions/workflows/train.yml/dispatches", ref="main")
    green(github.wait_for_runs(), "train.yml")
    pull = github.pull
    assert "version 4" in pull["title"]
    github.merge(pull["number"])
    ended = github.wait_for_runs()
    green(ended, "ci.yml", "train.yml", "deploy.yml")
    assert "Nothing to train" in ended["train.yml"].jobs["train"].summary
    assert github.record("main")["version"] == "4"
    (deployed,) = (job for name, job in ended["deploy.yml"].jobs.items() if name.startswith("deploy"))
    assert "Alias champion set to version 4" in deployed.log
    url = re.search(r"http://127\.0\.0\.1:\d+ serves it", deployed.log)
    assert url
    assert requests.get(f"{url.group().split()[0]}/metadata", timeout=30).json()["version"] == "4"
    github.run("git", "pull", "--quiet", "--rebase", "origin", "main")


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
        github.merge(github.pull["number"])
        green(github.wait_for_runs(), "train.yml")
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
    green(github.wait_for_runs(), "ci.yml", "train.yml")
    (pull,) = github.pulls
    assert "version 1" in pull["title"] or "version 2" in pull["title"]
    proposed = github.record(BRANCH)
    assert proposed["figure"]["value"] > 0.98
    assert set(proposed["columns"]) >= {"worst_radius"}


def _new_rows_are_offered_once(github: Contributor, word: str) -> None:
    """Ingest's three jobs open a pull request with the rows, and do nothing the second time."""
    github.request("POST", "/actions/workflows/ingest.yml/dispatches", ref="main")
    ended = github.wait_for_runs()
    green(ended, "ingest.yml", "ci.yml")
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
    green(ended, "ci.yml", "train.yml")
    assert "Version 3" in ended["train.yml"].jobs["compare"].summary
    github.request("POST", "/actions/workflows/ingest.yml/dispatches", ref="main")
    ended = github.wait_for_runs()
    assert conclusions(ended["ingest.yml"]) == {"pull": "success", "check": "success", "offer": "skipped"}
    assert "needs labels" in ended["ingest.yml"].jobs["check"].summary


def _break_a_test(github: Contributor) -> str:
    github.run("git", "fetch", "--quiet", "origin")
    github.run("git", "switch", "--quiet", "--detach", f"origin/{BRANCH}")
    (github.clone / "tests" / "test_doubt.py").write_text(
        '"""Doubts."""\n\n\ndef test_doubt() -> None:\n    """It is not so."""\n    assert not __name__\n'
    )
    head = github.push("A doubt", BRANCH)
    github.run("git", "switch", "--quiet", "main")
    return head


def _spoil_the_data(github: Contributor) -> None:
    file = github.clone / DATA
    make_rows = file.read_text().splitlines()
    cells = make_rows[1].split(",")
    make_rows[1] = ",".join([cells[0], "-17.99", *cells[2:]])
    file.write_text("\n".join(make_rows) + "\n")
    github.run("git", "switch", "--quiet", "--create", "new-data")
    github.push("New data", "new-data")
    github.request("POST", "/pulls", title="New data", head="new-data", base="main")
