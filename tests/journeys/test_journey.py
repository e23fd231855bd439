"""The journey: a generated repository on the local GitHub, driven by pushes and clicks, through its own workflows."""

import re
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from arrivals import lines, served
from desk import BETTER, BRANCH, START, WORSE
from github.model import Run
from github.site import Site, site
from house import bake, run
from hurry import link

DATA = "data/breast_cancer.csv"
# What a promotion changes.
OURS = ["docs/model-card.md", "registry/production.json"]
TRAIN_JOBS = ["expire", "train", "register", "compare", "image", "promote"]


@pytest.fixture
def github(hurried: dict[str, str], tmp_path: Path) -> Iterator[Site]:
    """A freshly generated repository that serves as a process, committed but not pushed, and its GitHub."""
    clone = bake(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    toml = clone / "model.toml"
    toml.write_text(
        toml.read_text().replace('kind = "none"', 'kind = "process"').replace("port = 8080", f"port = {port}")
    )
    link(clone / "Makefile")
    run(clone, "git", "init", "--quiet", "--initial-branch", "main")
    run(clone, "git", "add", "--all")
    run(clone, "git", "commit", "--quiet", "--message", "Start from the template")
    with site(tmp_path, clone, env=hurried | {"GITOPS_STATE": str(tmp_path / "state")}) as made:
        yield made
        assert made.hub.violations == []
    subprocess.run(["pkill", "--full", f"gitops=.*[|]{port}[|]"], check=False)


def green(ended: dict[str, Run], *workflows: str) -> None:
    """These ran, and nothing in them failed."""
    for workflow in workflows:
        found = ended[workflow]
        logs = "\n".join(job.log[-3000:] for job in found.jobs.values() if job.conclusion == "failure")
        assert found.conclusion == "success", f"{workflow}: {found.conclusion}\n{logs}"


def conclusions(found: Run) -> dict[str, str | None]:
    """How each job ended."""
    return {name: job.conclusion for name, job in found.jobs.items()}


def offer(github: Site) -> tuple[int, str, str, str, int]:
    """What a reviewer sees of the open pull request."""
    pull = github.pull
    return pull["number"], pull["title"], pull["body"], pull["head"]["sha"], len(github.comments(pull["number"]))


def test_the_journey(github: Site) -> None:
    """From the first push to the second champion, as people walk it."""
    github.push("Hello")
    ended = github.settled()
    green(ended, "ci.yml", "train.yml")
    assert conclusions(ended["train.yml"]) == dict.fromkeys(TRAIN_JOBS, "success")
    first = github.pull
    assert re.fullmatch(r"Promote tumour-screening version 1 to production \([0-9a-f]{12}\)", first["title"])
    assert first["body"].startswith("## ✅ Version 1 can be promoted")
    assert github.git("diff", "--name-only", f"main...{BRANCH}").split() == OURS
    head = first["head"]["sha"]
    assert github.statuses(head)[0] == ("required", "success"), "the dispatched CI posts what it found"
    assert ended["ci.yml"].event.head == (BRANCH, head)
    assert "Version 1 can be promoted" in ended["train.yml"].jobs["compare"].summary

    _unchanged_code_changes_nothing(github)
    _a_worse_estimator_leaves_the_offer(github)
    _a_better_one_refreshes(github, first["number"])
    _what_a_person_breaks_turns_red(github)
    _a_person_closes_it_and_it_stays_closed(github)
    _a_newer_one_opens_and_is_merged(github)
    _a_worse_one_than_the_champion_is_refused(github)


def _unchanged_code_changes_nothing(github: Site) -> None:
    """Nothing is trained, pushed or edited."""
    before = offer(github)
    (github.clone / "NOTES.md").write_text("Words.\n")
    github.push("Write words")
    ended = github.settled()
    green(ended, "ci.yml", "train.yml")
    assert "Nothing to train" in ended["train.yml"].jobs["train"].summary
    assert "Nothing to do" in ended["train.yml"].jobs["promote"].summary
    assert offer(github) == before


def _a_worse_estimator_leaves_the_offer(github: Site) -> None:
    """Train stays green and says why the offered version stays; since the code changed, it is compared again."""
    number, title, body, head, comments = offer(github)
    github.choose(WORSE)
    push = github.push("Simplify the features")
    ended = github.settled()
    green(ended, "ci.yml", "train.yml")
    runs = [run for run in github.server.runs.values() if (run.workflow, run.event.sha) == ("train.yml", push)]
    of_push = next(run for run in runs if run.event.name == "push")
    assert f"Left {github.pull['html_url']}" in of_push.jobs["promote"].summary
    assert "your package changed. Version 1 is compared again." in of_push.jobs["expire"].summary
    assert github.statuses(head)[0] == ("required", "failure")
    now = offer(github)
    assert (now[0], now[1], now[4]) == (number, title, comments)
    assert (now[2] != body, now[3] != head) == (True, True)
    assert github.statuses(now[3])[0] == ("required", "success"), "CI looks at the head with the new evidence"


def _a_better_one_refreshes(github: Site, number: int) -> None:
    """The same pull request, with the better version; CI looks at its new head."""
    github.choose(START + '    "worst_radius",\n')
    github.push("Look at the worst radius")
    ended = github.settled()
    green(ended, "ci.yml", "train.yml")
    now = github.pull
    assert now["number"] == number
    assert "version 3" in now["title"]
    assert github.record(BRANCH)["version"] == "3"
    assert any("now offers version 3" in comment for comment in github.comments(number))
    assert github.statuses(now["head"]["sha"])[0] == ("required", "success")


def _a_person_closes_it_and_it_stays_closed(github: Site) -> None:
    """Dispatching Train offers nothing new."""
    github.close(github.pull["number"])
    github.ask("POST", "/actions/workflows/train.yml/dispatches", ref="main")
    ended = github.settled()
    green(ended, "train.yml")
    assert "a person closed" in ended["train.yml"].jobs["promote"].summary
    assert {pull["state"] for pull in github.pulls} == {"closed"}


def _what_a_person_breaks_turns_red(github: Site) -> None:
    """A failing test on the promotion branch, and a bad data file in a pull request with a readable table."""
    head = _break_a_test(github)
    _spoil_the_data(github)
    github.ask("POST", "/actions/workflows/ci.yml/dispatches", ref=BRANCH)
    found = [run for run in github.runner.wait() if run.id not in github.seen and run.workflow == "ci.yml"]
    github.settled()
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


def _a_newer_one_opens_and_is_merged(github: Site) -> None:
    """What others left on the branch is not overwritten; once it is gone, the next version comes, and is merged."""
    github.choose(BETTER)
    github.push("Look at the worst cells")
    ended = github.settled()
    assert ended["train.yml"].conclusion == "failure"
    assert "by Ada" in ended["train.yml"].jobs["promote"].log
    github.run("git", "push", "--quiet", "origin", f":{BRANCH}")
    github.ask("POST", "/actions/workflows/train.yml/dispatches", ref="main")
    green(github.settled(), "train.yml")
    pull = github.pull
    assert "version 4" in pull["title"]
    github.merge(pull["number"])
    ended = github.settled()
    green(ended, "ci.yml", "train.yml", "deploy.yml")
    assert "Nothing to train" in ended["train.yml"].jobs["train"].summary
    assert github.record("main")["version"] == "4"
    (deployed,) = (job for name, job in ended["deploy.yml"].jobs.items() if name.startswith("deploy"))
    assert "Alias champion set to version 4" in deployed.log
    url = re.search(r"http://127\.0\.0\.1:\d+ answers", deployed.log)
    assert url
    assert requests.get(f"{url.group().split()[0]}/metadata", timeout=30).json()["version"] == "4"
    github.run("git", "pull", "--quiet", "--rebase", "origin", "main")


def _a_worse_one_than_the_champion_is_refused(github: Site) -> None:
    """The gate says no: Train is green, the verdict is in its summary, and promote does not even start."""
    github.choose(WORSE)
    github.push("Simplify again")
    ended = github.settled()
    green(ended, "train.yml")
    assert conclusions(ended["train.yml"])["promote"] == "skipped"
    assert "refused by CHAMPION" in ended["train.yml"].jobs["compare"].summary
    assert {pull["state"] for pull in github.pulls} == {"closed"}


@pytest.mark.faults
def test_two_pushes_at_the_same_moment_end_in_one_pull_request_with_the_better_model(github: Site) -> None:
    """Whichever run comes last, nothing is lost. The repository is private, so each fetch and push needs its token."""
    github.hub.settings.private = True
    github.runner.pause()
    github.choose(BETTER)
    github.push("The better one")
    github.choose(WORSE)
    github.push("The worse one")
    github.runner.resume()
    green(github.settled(), "ci.yml", "train.yml")
    (pull,) = github.pulls
    assert "version 1" in pull["title"] or "version 2" in pull["title"]
    proposed = github.record(BRANCH)
    assert proposed["figure"]["value"] > 0.98
    assert set(proposed["columns"]) >= {"worst_radius"}


def test_new_rows_arrive_by_pull_request_and_are_trained_on(github: Site, tmp_path: Path) -> None:
    """From a source behind a secret, through Ingest's three jobs, to a merge that trains; twice is once."""
    new = tmp_path / "new.csv"
    new.write_text(lines((github.clone / DATA).read_text(), 80))
    word = "s3cret-of-the-source"
    github.hub.settings.secrets["INGEST_TOKEN"] = word
    with served(new, word) as address:
        github.edit(
            "model.toml", 'source = "none"            # "file",', f'source = "http"\npath = "{address}"   # "file",'
        )
        github.push("Hello")
        green(github.settled(), "ci.yml", "train.yml")
        github.merge(github.pull["number"])
        green(github.settled(), "train.yml")

        github.ask("POST", "/actions/workflows/ingest.yml/dispatches", ref="main")
        ended = github.settled()
        green(ended, "ingest.yml", "ci.yml")
        assert conclusions(ended["ingest.yml"]) == dict.fromkeys(["pull", "check", "offer"], "success")
        assert all(word not in job.log for job in ended["ingest.yml"].jobs.values())
        pull = github.pull
        assert re.fullmatch(rf"Add 80 rows to {DATA} \([0-9a-f]{{12}}\)", pull["title"])
        assert "The champion, version 1, reaches roc" in pull["body"]
        assert github.statuses(pull["head"]["sha"])[0] == ("required", "success")

        github.ask("POST", "/actions/workflows/ingest.yml/dispatches", ref="main")
        ended = github.settled()
        assert set(ended) == {"ingest.yml"}
        assert "Nothing to do" in ended["ingest.yml"].jobs["offer"].summary
        assert github.pull["head"]["sha"] == pull["head"]["sha"]

        github.merge(pull["number"])
        ended = github.settled()
        green(ended, "ci.yml", "train.yml")
        assert "Version 2" in ended["train.yml"].jobs["compare"].summary
        github.ask("POST", "/actions/workflows/ingest.yml/dispatches", ref="main")
        ended = github.settled()
        assert conclusions(ended["ingest.yml"]) == {"pull": "success", "check": "success", "offer": "skipped"}
        assert "needs labels" in ended["ingest.yml"].jobs["check"].summary


def _break_a_test(github: Site) -> str:
    github.run("git", "fetch", "--quiet", "origin")
    github.run("git", "switch", "--quiet", "--detach", f"origin/{BRANCH}")
    (github.clone / "tests" / "test_doubt.py").write_text(
        '"""Doubts."""\n\n\ndef test_doubt() -> None:\n    """It is not so."""\n    assert not __name__\n'
    )
    head = github.push("A doubt", BRANCH)
    github.run("git", "switch", "--quiet", "main")
    return head


def _spoil_the_data(github: Site) -> None:
    file = github.clone / DATA
    lines = file.read_text().splitlines()
    cells = lines[1].split(",")
    lines[1] = ",".join([cells[0], "-17.99", *cells[2:]])
    file.write_text("\n".join(lines) + "\n")
    github.run("git", "switch", "--quiet", "--create", "new-data")
    github.push("New data", "new-data")
    github.ask("POST", "/pulls", title="New data", head="new-data", base="main")
