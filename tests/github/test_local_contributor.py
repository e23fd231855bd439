"""The whole local GitHub: a person's actions start workflows, and the results of their jobs are visible."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from github.contributor import LIBRARY_SOURCE, Contributor, NotInstalled, start_github, warm_cache
from github.model import Run
from gitops_ml.pip_settings import CERTIFICATES
from package_index import PackageIndex, package
from repositories import GENERATED, run

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
    env: {TOKEN: '${{ github.token }}', API: '${{ github.api_url }}/repos/${{ github.repository }}'}
    steps:
      - run: |
          call() { curl -fsS -H "Authorization: Bearer $TOKEN" "$API/$1" -d "$2"; }
          call git/refs '{"ref": "refs/tags/v1.0.0", "sha": "${{ github.sha }}"}'
          call releases '{"tag_name": "v1.0.0", "name": "One", "body": "**A card**"}'
"""
LISTENER = """
name: Listens
on: {push: {tags: ['**']}, release: {types: [published]}}
jobs: {one: {runs-on: ubuntu-latest, steps: [{run: echo started}]}}
"""

INSTALLS = """
name: Installs
on: push
jobs: {one: {runs-on: ubuntu-latest, steps: [{run: PYTHONPATH=$SOURCE $PYTHON -m gitops_ml.uv pip install
    --quiet --require-hashes --target there -r $LOCK}]}}
"""


@pytest.fixture
def local(tmp_path: Path) -> Iterator[Contributor]:
    """A contributor whose clone has been pushed to the local GitHub; `Deploy` has not run yet."""
    clone = tmp_path / "clone"
    run(tmp_path, "git", "init", "--quiet", "--initial-branch", "main", str(clone))
    with start_github(tmp_path, clone) as made:
        made.push("Begin")
        write(made, {".github/workflows/listens.yml": LISTENER})
        made.push("Listen")
        yield made
        assert made.hub.violations == []


def write(local: Contributor, files: dict[str, str]) -> None:
    """Write files in the clone."""
    for name, text in files.items():
        path = local.clone / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def merge(local: Contributor, branch: str, *commits: dict[str, str]) -> dict[str, Run]:
    """Open and merge a pull request with a commit for each of these sets of files, and return the runs that start."""
    local.run("git", "switch", "--quiet", "--create", branch, "main")
    for files in commits:
        write(local, files)
        local.push(f"Propose {branch}", branch)
    number = local.request("POST", "/pulls", title=branch, head=branch, base="main")["number"]
    local.wait_for_runs()
    local.merge(number)
    local.run("git", "switch", "--quiet", "main")
    local.run("git", "pull", "--quiet", "origin", "main")
    return local.wait_for_runs()


def test_a_merge_starts_workflows_that_filter_its_paths(local: Contributor) -> None:
    """All commits of the merge count, not only the last; another path starts nothing."""
    assert "deploy.yml" in merge(local, "workflow", {".github/workflows/deploy.yml": DEPLOY})
    assert merge(local, "docs", {"docs/a.md": "a", "registry/deep/a.json": "{}"}) == {}
    started = merge(local, "promote", {"registry/production.json": "{}"}, {"docs/b.md": "b"})
    assert list(started) == ["deploy.yml"]
    event = started["deploy.yml"].event
    assert (event.name, event.actor, event.sha) == ("push", "ada", local.hub.git.branch("main"))


def test_a_jobs_tag_and_release_start_nothing(local: Contributor) -> None:
    """They exist, as does the job's deployment; the pages show them."""
    write(local, {".github/workflows/deploy.yml": DEPLOY})
    sha = local.push("Deploy")
    started = local.wait_for_runs()
    assert (list(started), started["deploy.yml"].conclusion) == (["deploy.yml"], "success")
    assert local.request("GET", "/git/ref/tags/v1.0.0")["object"]["sha"] == sha
    assert local.request("GET", "/releases/tags/v1.0.0")["author"]["login"] == "github-actions[bot]"
    (made,) = local.request("GET", "/deployments?environment=production")
    statuses = local.request("GET", f"/deployments/{made['id']}/statuses")
    assert (made["sha"], [each["state"] for each in statuses]) == (sha, ["success", "in_progress"])
    pieces = {"releases": "<strong>A card</strong>", "releases/tag/v1.0.0": "One",
              "deployments/activity_log?environments_filter=production": "http://127.0.0.1:8080/"}  # fmt: skip
    for path, piece in pieces.items():
        assert piece in requests.get(f"{local.hub.html_url}/{path}", timeout=9).text
    assert made["sha"][:7] not in requests.get(
        f"{local.hub.html_url}/deployments/activity_log?environments_filter=trial", timeout=9
    ).text  # fmt: skip
    assert requests.get(f"{local.hub.html_url}/releases/tag/v2", timeout=9).status_code == 404


def test_a_person_starts_a_tags_workflow(local: Contributor) -> None:
    """A person's tag and release start workflows."""
    local.request("POST", "/releases", tag_name="v2.0.0")
    assert [run.event.name for run in local.runner.wait(60)] == ["push", "release"]


@pytest.mark.parametrize("method", ["call", "button"])
def test_a_person_approves_a_deployment(local: Contributor, method: str) -> None:
    """The run waits for the review, and its page shows that."""
    local.require_review("production")
    write(local, {".github/workflows/deploy.yml": DEPLOY})
    local.push("Deploy")
    if method == "call":
        local.approve("production")
    else:
        while not local.pending_reviews:
            assert local.hub.runs[1].conclusion is None
        page = f"{local.hub.html_url}/actions/runs/1"
        assert "Approve and deploy" in requests.get(page, timeout=9).text
        assert requests.post(f"{page}/review/elsewhere", timeout=9).status_code == 404
        assert "Approve and deploy" not in requests.post(f"{page}/review/production", timeout=9).text
    assert local.wait_for_runs()["deploy.yml"].conclusion == "success"
    assert local.pending_reviews == []


def test_a_person_rejects_a_deployment(local: Contributor) -> None:
    """The job fails, and no step runs."""
    local.require_review("production")
    write(local, {".github/workflows/deploy.yml": DEPLOY})
    local.push("Deploy")
    local.reject("production")
    assert local.wait_for_runs()["deploy.yml"].conclusion == "failure"
    assert local.request("GET", "/releases") == []


def test_a_schedule_is_triggered_by_hand(local: Contributor) -> None:
    """The file of the default branch runs, with the bot as actor."""
    write(local, {".github/workflows/deploy.yml": DEPLOY})
    sha = local.push("Deploy")
    local.wait_for_runs()
    local.runner.schedule("deploy.yml")
    event = local.wait_for_runs()["deploy.yml"].event
    assert (event.name, event.sha, event.actor) == ("schedule", sha, "github-actions[bot]")
    assert event.payload["schedule"] == "17 5 * * *"


def test_missing_packages_raise_the_installers_message(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error contains the installer's message about the index."""
    monkeypatch.setenv("UV_OFFLINE", "1")
    with pytest.raises(NotInstalled, match="network was disabled"):
        warm_cache(tmp_path, GENERATED / "requirements")


def test_jobs_find_packages_of_an_index_that_only_the_person_configured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A job has a separate home, in which the person's settings for pip are linked."""
    for name in [name for name in os.environ if name.startswith(("PIP_", "UV_", "SSL_")) or name in CERTIFICATES]:
        monkeypatch.delenv(name)
    clone = tmp_path / "clone"
    run(tmp_path, "git", "init", "--quiet", "--initial-branch", "main", str(clone))
    with PackageIndex(tmp_path / "mirror") as mirror:
        settings = f"[global]\nindex-url = {mirror.index()}\ncert = {mirror.ca}\n"
        for name, package_name in (("build", "alpha"), ("dev", "beta")):
            (tmp_path / f"{name}.txt").write_text(mirror.add(package_name, package(package_name)) + "\n")
        (tmp_path / "home/.config/pip").mkdir(parents=True)
        (tmp_path / "home/.config/pip/pip.conf").write_text(settings)
        monkeypatch.setenv("HOME", str(tmp_path / "home"))
        monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
        machine = warm_cache(tmp_path / "machine", tmp_path)
    names = {"SOURCE": str(LIBRARY_SOURCE), "PYTHON": sys.executable, "LOCK": str(tmp_path / "dev.txt")}
    with start_github(tmp_path, clone, env=machine | names) as made:
        write(made, {".github/workflows/installs.yml": INSTALLS})
        made.push("Install")
        ended = made.wait_for_runs()["installs.yml"]
    assert ended.conclusion == "success", ended.jobs["one"].log
