"""The whole local GitHub: what a person does starts workflows, and what their jobs do can be seen."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from github.model import Run
from github.site import SOURCE, NotInstalled, Site, site, warm_cache
from gitops_ml.index import CERTIFICATES
from house import GENERATED, run
from mirror import Mirror, package

DEPLOY = """
name: Deploy
on:
  push:
    branches: [main]
    paths: [registry/*.json, .github/workflows/deploy.yml]
  schedule: [{cron: '17 5 * * *'}]
permissions: {}
jobs:
  deploy:
    runs-on: ubuntu-latest
    permissions: {contents: write, deployments: write}
    environment: {name: production, url: 'http://127.0.0.1:8080/'}
    env: {TOKEN: '${{ github.token }}', HOME_OF_API: '${{ github.api_url }}/repos/${{ github.repository }}'}
    steps:
      - run: |
          ask() { curl -fsS -H "Authorization: Bearer $TOKEN" "$HOME_OF_API/$1" -d "$2"; }
          ask git/refs '{"ref": "refs/tags/v1.0.0", "sha": "${{ github.sha }}"}'
          ask releases '{"tag_name": "v1.0.0", "name": "One", "body": "**A card**"}'
"""
LISTENS = """
name: Listens
on: {push: {tags: ['**']}, release: {types: [published]}}
jobs: {one: {runs-on: ubuntu-latest, steps: [{run: echo heard}]}}
"""

INSTALLS = """
name: Installs
on: push
jobs: {one: {runs-on: ubuntu-latest, steps: [{run: PYTHONPATH=$SOURCE $PYTHON -m gitops_ml.uv pip install
    --quiet --require-hashes --target there -r $LOCK}]}}
"""


@pytest.fixture
def local(tmp_path: Path) -> Iterator[Site]:
    """The local GitHub with a clone that has been pushed; `Deploy` has not run yet."""
    clone = tmp_path / "clone"
    run(tmp_path, "git", "init", "--quiet", "--initial-branch", "main", str(clone))
    with site(tmp_path, clone) as made:
        made.push("Begin")
        write(made, {".github/workflows/listens.yml": LISTENS})
        made.push("Listen")
        yield made
        assert made.hub.violations == []


def write(local: Site, files: dict[str, str]) -> None:
    """Write files in the clone."""
    for name, text in files.items():
        path = local.clone / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def merge(local: Site, branch: str, *commits: dict[str, str]) -> dict[str, Run]:
    """Propose a commit with each of these files as a pull request, merge it as the person; what that starts."""
    local.run("git", "switch", "--quiet", "--create", branch, "main")
    for files in commits:
        write(local, files)
        local.push(f"Propose {branch}", branch)
    number = local.ask("POST", "/pulls", title=branch, head=branch, base="main")["number"]
    local.settled()
    local.merge(number)
    local.run("git", "switch", "--quiet", "main")
    local.run("git", "pull", "--quiet", "origin", "main")
    return local.settled()


def test_a_merge_starts_what_listens_to_its_paths(local: Site) -> None:
    """By all that the merge brought, not by its last commit; another path starts nothing."""
    assert "deploy.yml" in merge(local, "workflow", {".github/workflows/deploy.yml": DEPLOY})
    assert merge(local, "docs", {"docs/a.md": "a", "registry/deep/a.json": "{}"}) == {}
    started = merge(local, "promote", {"registry/production.json": "{}"}, {"docs/b.md": "b"})
    assert list(started) == ["deploy.yml"]
    event = started["deploy.yml"].event
    assert (event.name, event.actor, event.sha) == ("push", "ada", local.hub.git.branch("main"))


def test_a_jobs_tag_and_release_start_nothing(local: Site) -> None:
    """They are there, as is the deployment that the job was; a person can look at them."""
    write(local, {".github/workflows/deploy.yml": DEPLOY})
    sha = local.push("Deploy")
    started = local.settled()
    assert (list(started), started["deploy.yml"].conclusion) == (["deploy.yml"], "success")
    assert local.ask("GET", "/git/ref/tags/v1.0.0")["object"]["sha"] == sha
    assert local.ask("GET", "/releases/tags/v1.0.0")["author"]["login"] == "github-actions[bot]"
    (made,) = local.ask("GET", "/deployments?environment=production")
    said = local.ask("GET", f"/deployments/{made['id']}/statuses")
    assert (made["sha"], [each["state"] for each in said]) == (sha, ["success", "in_progress"])
    pieces = {"releases": "<strong>A card</strong>", "releases/tag/v1.0.0": "One",
              "deployments/activity_log?environments_filter=production": "http://127.0.0.1:8080/"}  # fmt: skip
    for path, piece in pieces.items():
        assert piece in requests.get(f"{local.hub.page}/{path}", timeout=9).text
    assert made["sha"][:7] not in requests.get(
        f"{local.hub.page}/deployments/activity_log?environments_filter=trial", timeout=9
    ).text  # fmt: skip
    assert requests.get(f"{local.hub.page}/releases/tag/v2", timeout=9).status_code == 404


def test_a_person_starts_a_tags_workflow(local: Site) -> None:
    """The other half of that rule."""
    local.ask("POST", "/releases", tag_name="v2.0.0")
    assert [run.event.name for run in local.runner.wait(60)] == ["push", "release"]


@pytest.mark.parametrize("how", ["call", "button"])
def test_a_person_lets_a_job_deploy(local: Site, how: str) -> None:
    """The run waits for it, and says so on its page."""
    local.restrict("production")
    write(local, {".github/workflows/deploy.yml": DEPLOY})
    local.push("Deploy")
    if how == "call":
        local.approve("production")
    else:
        while not local.asked:
            assert local.hub.runs[1].conclusion is None
        page = f"{local.hub.page}/actions/runs/1"
        assert "Approve and deploy" in requests.get(page, timeout=9).text
        assert requests.post(f"{page}/review/elsewhere", timeout=9).status_code == 404
        assert "Approve and deploy" not in requests.post(f"{page}/review/production", timeout=9).text
    assert local.settled()["deploy.yml"].conclusion == "success"
    assert local.asked == []


def test_a_person_forbids_a_job_to_deploy(local: Site) -> None:
    """It has failed, and nothing was done."""
    local.restrict("production")
    write(local, {".github/workflows/deploy.yml": DEPLOY})
    local.push("Deploy")
    local.reject("production")
    assert local.settled()["deploy.yml"].conclusion == "failure"
    assert local.ask("GET", "/releases") == []


def test_a_schedule_strikes_by_hand(local: Site) -> None:
    """On the default branch's own file, in nobody's name."""
    write(local, {".github/workflows/deploy.yml": DEPLOY})
    sha = local.push("Deploy")
    local.settled()
    local.runner.schedule("deploy.yml")
    event = local.settled()["deploy.yml"].event
    assert (event.name, event.sha, event.actor) == ("schedule", sha, "github-actions[bot]")
    assert event.payload["schedule"] == "17 5 * * *"


def test_packages_out_of_reach_are_told_in_the_installers_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not as a traceback of ours alone: what it says of the index is what helps."""
    monkeypatch.setenv("UV_OFFLINE", "1")
    with pytest.raises(NotInstalled, match="network was disabled"):
        warm_cache(tmp_path, GENERATED / "requirements")


def test_jobs_find_packages_of_an_index_that_only_the_person_configured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A job has a home of its own; the machine's cache was filled with the settings in the person's."""
    for name in [name for name in os.environ if name.startswith(("PIP_", "UV_", "SSL_")) or name in CERTIFICATES]:
        monkeypatch.delenv(name)
    clone = tmp_path / "clone"
    run(tmp_path, "git", "init", "--quiet", "--initial-branch", "main", str(clone))
    with Mirror(tmp_path / "mirror") as mirror:
        settings = f"[global]\nindex-url = {mirror.index()}\ncert = {mirror.ca}\n"
        for name, package_name in (("build", "alpha"), ("dev", "beta")):
            (tmp_path / f"{name}.txt").write_text(mirror.add(package_name, package(package_name)) + "\n")
        (tmp_path / "home/.config/pip").mkdir(parents=True)
        (tmp_path / "home/.config/pip/pip.conf").write_text(settings)
        monkeypatch.setenv("HOME", str(tmp_path / "home"))
        monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
        machine = warm_cache(tmp_path / "machine", tmp_path)
    names = {"SOURCE": str(SOURCE), "PYTHON": sys.executable, "LOCK": str(tmp_path / "dev.txt")}
    with site(tmp_path, clone, env=machine | names) as made:
        write(made, {".github/workflows/installs.yml": INSTALLS})
        made.push("Install")
        ended = made.settled()["installs.yml"]
    assert ended.conclusion == "success", ended.jobs["one"].log
