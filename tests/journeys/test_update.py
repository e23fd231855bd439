"""Updates on the local GitHub: a pull request where the token may, one issue where it may not; by the real workflow."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import checkouts
from fast_setup import skip_setup_and_checks
from github.actions.create_github_app_token import SLUG
from github.contributor import GIT_IDENTITY, Contributor, start_github
from github.model import Grant, Run, Token
from gitops_ml.manifest import write_manifest
from gitops_ml.wheel import build
from repositories import DATA, GENERATED, bake, replace_in_file, run

WORDS = "## Everyday commands"  # of the README
BRANCH, WORKFLOW = "update/gitops-ml", "upkeep.yml"
TITLE = "Update gitops-ml: a person has to run one command"
LATER = {file.name for file in (GENERATED / ".github/workflows").iterdir()} - {WORKFLOW}
# Grants of the job `upkeep`.
GRANTS: dict[str, Grant] = {
    "contents": "write", "pull_requests": "write", "issues": "write", "statuses": "write", "actions": "write",
}  # fmt: skip
MERGED = ".gitops/merged"
OF_APP: dict[str, Grant] = {"contents": "write", "pull_requests": "write", "issues": "write", "workflows": "write"}


@dataclass(frozen=True)
class Wheels:
    """Newer versions of the library and its template.

    Attributes:
        workflow: 0.3.0, which changes a workflow and the README.
        plain: 0.3.0, which changes the README alone.
    """

    workflow: Path
    plain: Path


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Wheels:
    """Build both from patched copies of this checkout."""
    folder = tmp_path_factory.mktemp("wheels")
    checkout = checkouts.copy(folder / "checkout")
    for file in ("pyproject.toml", "cookiecutter.json"):
        replace_in_file(checkout / file, {"0.2.0.dev0": "0.3.0"})
    template = checkout / GENERATED.name
    replace_in_file(template / "README.md", {WORDS: "## Commands for every day"})
    plain = _write(folder / "plain", checkout)
    replace_in_file(template / ".github/workflows/ci.yml", {"name: Check types": "name: Check the types"})
    return Wheels(_write(folder / "workflow", checkout), plain)


def _write(folder: Path, checkout: Path) -> Path:
    """Build the wheel of a checkout into a folder."""
    wheel = build(checkout)
    folder.mkdir()
    (folder / wheel.name).write_bytes(wheel.content)
    return folder / wheel.name


@pytest.fixture(scope="module")
def update_machine(fast_machine: dict[str, str]) -> dict[str, str]:
    """The runners' environment, whose cache has the packages that an update needs too."""
    venv = Path(fast_machine["UV_CACHE_DIR"]).with_name("update")
    uv = [sys.executable, "-m", "gitops_ml.uv", "--cache-dir", fast_machine["UV_CACHE_DIR"], "--quiet"]
    run(DATA, *uv, "venv", "--clear", "--python", sys.executable, str(venv))
    python = str(venv / "bin/python")
    run(DATA, *uv, "pip", "install", "--python", python, "--require-hashes", "-r", str(DATA / "update.txt"))
    shutil.rmtree(venv)
    return fast_machine


class Upkeep:
    """A generated repository on the local GitHub, and its owner."""

    def __init__(self, github: Contributor, machine: dict[str, str]) -> None:
        """Push main, without a run."""
        self.github, self.machine = github, machine
        github.run("git", "push", "--quiet", str(github.hub.bare), "main")
        github.run("git", "fetch", "--quiet", "origin")

    def dispatch(self, wheel: Path, conclusion: str = "success") -> Run:
        """Start the workflow by hand; return its run after it has ended."""
        self.github.hub.requests.clear()
        path = f"/actions/workflows/{WORKFLOW}/dispatches"
        self.github.request("POST", path, ref="main", inputs={"to": str(wheel)})
        ended = self.github.wait_for_runs()
        log = "\n".join(job.log[-4000:] for job in ended[WORKFLOW].jobs.values())
        assert ended[WORKFLOW].conclusion == conclusion, log
        self.ended = ended
        return ended[WORKFLOW]

    def propose(self, *arguments: str, token: Token | None = None, code: int = 0, **env: str) -> str:
        """Run `gitops update --propose`, as a person, or with a job's token."""
        return self.command(*arguments, "--propose", token=token, code=code, **env)

    def command(self, *arguments: str, token: Token | None = None, code: int = 0, **env: str) -> str:
        """Run `gitops update`, as a person, or with a job's token."""
        hub = self.github.hub
        of_job = {"GITHUB_ACTIONS": "true"} if token else {}
        variables = {
            "GITHUB_API_URL": hub.api, "GITHUB_SERVER_URL": hub.url, "GITHUB_REPOSITORY": hub.repository,
            "GITHUB_TOKEN": (token or hub.person).value, "NO_PROXY": "127.0.0.1", **of_job, **self.machine, **env,
        }  # fmt: skip
        if token:
            self.github.run("git", "remote", "set-url", "origin", f"{hub.html_url}.git")
        done = subprocess.run(
            [sys.executable, "-m", "gitops_ml", "update", *arguments], cwd=self.github.clone,
            env={**os.environ, **GIT_IDENTITY, **variables}, check=False, capture_output=True, text=True,
        )  # fmt: skip
        self.github.run("git", "remote", "set-url", "origin", hub.remote)
        assert done.returncode == code, f"exit {done.returncode}, not {code}\n{done.stdout}\n{done.stderr}"
        return done.stdout + done.stderr

    def job(self, wheel: Path, code: int = 0, **env: str) -> str:
        """Run the commands of the two jobs with their tokens, each in a clone without the update's branch."""
        return self.propose_merged(wheel, self.merge(wheel), self.github.hub.issue_token(GRANTS), code, **env)

    def merge(self, wheel: Path) -> str:
        """Run the command of the job `merge`, and return the digest of its result."""
        self.forget()
        reading = self.github.hub.issue_token({"contents": "read"})
        printed = self.command("--to", str(wheel), "--out", MERGED, token=reading)
        self.forget()
        return printed.rpartition("--digest ")[2].split("`")[0]

    def propose_merged(self, wheel: Path, digest: str, token: Token, code: int = 0, **env: str) -> str:
        """Run the command of the job `upkeep`."""
        return self.propose("--to", str(wheel), "--merged", MERGED, "--digest", digest, token=token, code=code, **env)

    def forget(self) -> None:
        """Delete the update's branch in the clone, as it is missing in a job's."""
        self.github.run("git", "switch", "--quiet", "main")
        if self.github.run("git", "branch", "--list", BRANCH):
            self.github.run("git", "branch", "--quiet", "-D", BRANCH)

    @property
    def issues(self) -> list[dict[str, Any]]:
        """Every issue, oldest first."""
        listed = self.github.request("GET", "/issues?state=all&direction=asc")
        return [issue for issue in listed if "pull_request" not in issue]

    @property
    def writes(self) -> list[tuple[str, str]]:
        """Writes to the API and pushes since the last dispatch, without the dispatch itself."""
        return [
            (request.method, request.path) for request in self.github.hub.requests
            if request.method in {"POST", "PATCH", "PUT", "DELETE"} and "git-upload-pack" not in request.path
            and WORKFLOW not in request.path
        ]  # fmt: skip

    @property
    def tip(self) -> str:
        """The branch's commit on GitHub."""
        return self.github.git("rev-parse", BRANCH)


@pytest.fixture
def upkeep(update_machine: dict[str, str], tmp_path: Path) -> Iterator[Upkeep]:
    """A repository of this checkout's wheel; of its workflows, only Upkeep runs."""
    root = bake(tmp_path)
    skip_setup_and_checks(root / "Makefile")
    run(root, "git", "init", "--quiet", "--initial-branch", "main")
    run(root, "git", "add", "--all")
    run(root, "git", "commit", "--quiet", "--message", "Start from the template")
    with start_github(tmp_path, root, env=update_machine) as github:
        github.hub.settings.disabled = set(LATER)
        yield Upkeep(github, update_machine)
        assert github.hub.violations == []


def test_an_update_of_workflows_is_an_issue_until_a_person_runs_its_command(upkeep: Upkeep, wheels: Wheels) -> None:
    """Opened once; its command opens the pull request; the merge closes both; then there is nothing to do."""
    github = upkeep.github
    upkeep.dispatch(wheels.workflow)
    (issue,) = upkeep.issues
    assert (issue["title"], issue["state"], github.pulls) == (TITLE, "open", [])
    assert issue["body"].startswith("**This update retrains nothing**: ")
    assert ".github/workflows/ci.yml" in issue["body"].split("<details>")[0]
    assert "GITOPS_APP_PRIVATE_KEY" in issue["body"]
    assert github.git("branch", "--list", BRANCH) == ""

    upkeep.dispatch(wheels.workflow)
    assert (upkeep.writes, len(upkeep.issues)) == ([], 1)

    github.hub.settings.disabled -= {"ci.yml"}
    match = re.search(r"^make setup && \.venv/bin/gitops (update) (--to) (\S+) --propose$", issue["body"], re.MULTILINE)
    assert match, issue["body"]
    output = upkeep.propose(*match.groups()[1:])
    pull = github.pull
    assert f"Opened {pull['html_url']}: Update gitops-ml from 0.2.0.dev0" in output
    assert (pull["user"]["login"], pull["draft"]) == ("ada", False)
    assert f"Closes #{issue['number']}." in pull["body"]
    assert re.search(r"\| \.github/workflows/ci\.yml +\| \+1 -1 +\| the template changed it", pull["body"])
    assert "-      - name: Check types" in github.git("diff", "main", BRANCH)
    assert github.wait_for_runs()["ci.yml"].event.name == "pull_request"
    github.hub.requests.clear()
    assert "Nothing to do: " in upkeep.propose(*match.groups()[1:])
    upkeep.dispatch(wheels.workflow)
    assert (upkeep.writes, upkeep.issues[0]["state"]) == ([], "open")

    github.merge(pull["number"])
    assert upkeep.issues[0]["state"] == "closed"
    github.hub.requests.clear()
    assert re.search(r"Nothing to do: main pins gitops-ml 0\.3\.0\S* already\.", upkeep.job(wheels.workflow))
    assert (upkeep.writes, len(upkeep.issues), len(github.pulls)) == ([], 1, 1)


def test_with_an_app_the_workflow_proposes_workflows_itself(upkeep: Upkeep, wheels: Wheels) -> None:
    """CI starts by itself; a pull request that a person closed is not opened again."""
    github = upkeep.github
    hub = github.hub
    upkeep.dispatch(wheels.workflow)
    app = hub.issue_token(OF_APP, "app", f"{SLUG}[bot]")
    hub.settings.variables["GITOPS_APP_ID"] = "Iv23liABCDEF"
    hub.settings.secrets["GITOPS_APP_PRIVATE_KEY"] = app.value
    hub.settings.disabled -= {"ci.yml"}
    run = upkeep.dispatch(wheels.workflow)
    assert github.pull["user"]["login"] == f"{SLUG}[bot]"
    assert app.value not in run.jobs["upkeep"].log
    assert upkeep.ended["ci.yml"].event.name == "pull_request"
    assert [issue["state"] for issue in upkeep.issues] == ["open"]  # the pull request closes it

    github.close(github.pull["number"])
    upkeep.dispatch(wheels.workflow)
    assert [pull["state"] for pull in github.pulls] == ["closed"]
    assert [issue["state"] for issue in upkeep.issues] == ["closed"]
    upkeep.dispatch(wheels.workflow)
    assert upkeep.writes == []


def test_an_app_without_the_permission_is_named_in_the_issue(upkeep: Upkeep, wheels: Wheels) -> None:
    """GitHub refuses its push, too; the workflow stays green, and the issue says what to grant."""
    grants = {name: level for name, level in OF_APP.items() if name != "workflows"}
    app = upkeep.github.hub.issue_token(grants, "app", f"{SLUG}[bot]")
    output = upkeep.propose_merged(wheels.workflow, upkeep.merge(wheels.workflow), app, GITOPS_APP=SLUG)
    assert "which this token may not push. Opened" in output
    (issue,) = upkeep.issues
    assert f"the GitHub App {SLUG} may not do that" in issue["body"]
    assert upkeep.github.pulls == []


def test_an_update_without_workflows_needs_no_app(upkeep: Upkeep, wheels: Wheels) -> None:
    """A job's own token opens the pull request and starts CI; another commit on main changes nothing."""
    github = upkeep.github
    github.hub.settings.disabled -= {"ci.yml"}
    upkeep.dispatch(wheels.plain)
    pull, tip = github.pull, upkeep.tip
    assert (pull["user"]["login"], upkeep.issues) == ("github-actions[bot]", [])
    assert upkeep.ended["ci.yml"].event.name == "workflow_dispatch"
    assert upkeep.ended["ci.yml"].event.sha == tip
    (github.clone / "notes.md").write_text("Nothing that an update changes.\n")
    github.commit("Take notes")
    github.run("git", "push", "--quiet", str(github.hub.bare), "main")
    upkeep.dispatch(wheels.plain)
    assert (upkeep.writes, upkeep.tip) == ([], tip)


def test_commits_of_people_are_not_overwritten(upkeep: Upkeep, wheels: Wheels) -> None:
    """Neither by the workflow nor by another person, after main and the update have changed."""
    github = upkeep.github
    upkeep.propose("--to", str(wheels.plain))
    github.run("git", "switch", "--quiet", BRANCH)
    github.edit("README.md", "## Commands for every day", "## My commands")
    github.push("Say whose tests", BRANCH)
    theirs = upkeep.tip
    upkeep.forget()
    assert "Nothing to do" in upkeep.propose("--to", str(wheels.plain))
    github.edit("README.md", WORDS, "## Our commands")
    github.commit("Another word on main")
    github.run("git", "push", "--quiet", str(github.hub.bare), "main")
    assert "has commits of other people" in upkeep.job(wheels.plain)
    upkeep.forget()
    assert "is not overwritten" in upkeep.propose("--to", str(wheels.plain), code=8)
    assert upkeep.tip == theirs


def test_a_branch_that_was_squashed_into_main_is_used_again(upkeep: Upkeep, wheels: Wheels) -> None:
    """Its commits of people are in main, though Git does not see that."""
    github = upkeep.github
    upkeep.propose("--to", str(wheels.plain))
    github.run("git", "switch", "--quiet", BRANCH)
    github.edit("README.md", "## Commands for every day", "## My commands")
    github.push("Say whose commands", BRANCH)
    first = github.pull["number"]
    github.request("PUT", f"/pulls/{first}/merge", merge_method="squash")
    upkeep.forget()
    upkeep.propose("--to", str(wheels.workflow))
    assert github.pull["number"] != first
    assert github.git("diff", "--name-only", f"main...{BRANCH}", "--", ".github").split() == [
        ".github/workflows/ci.yml"
    ]


def test_conflicts_are_a_draft_until_a_person_resolves_them(upkeep: Upkeep, wheels: Wheels) -> None:
    """The files come first; CI is not started on them; the same command pushes the solution."""
    github = upkeep.github
    github.edit("README.md", WORDS, "## Our commands")
    github.commit("Our words")
    github.run("git", "push", "--quiet", str(github.hub.bare), "main")
    upkeep.job(wheels.plain)
    pull = github.pull
    assert pull["draft"] is True
    assert "> [!WARNING]" in pull["body"]
    assert pull["body"].index("### Conflicts") < pull["body"].index("### Changed")
    upkeep.forget()
    github.run("git", "fetch", "--quiet", "origin", f"{BRANCH}:{BRANCH}")
    github.run("git", "switch", "--quiet", BRANCH)
    file = github.clone / "README.md"
    file.write_text(re.sub(r"<{7} .*?={7}\n(.*?)>{7} [^\n]*\n", r"\1", file.read_text(), flags=re.DOTALL))
    resolved = github.commit("Take the template's words")
    github.run("git", "switch", "--quiet", "main")
    assert "Refreshed" in upkeep.propose("--to", str(wheels.plain))
    assert upkeep.tip == resolved
    assert "[!WARNING]" not in github.pull["body"]


def test_a_setting_that_forbids_pull_requests_is_named_in_the_issue(upkeep: Upkeep, wheels: Wheels) -> None:
    """The branch is pushed; once the setting is changed, the pull request closes the issue."""
    hub = upkeep.github.hub
    hub.settings.actions_may_open_pull_requests = False
    assert "Allow GitHub Actions to create and approve pull requests" in upkeep.job(wheels.plain, code=12)
    (issue,) = upkeep.issues
    assert f"/compare/main...{BRANCH}?expand=1" in issue["body"]
    tip = upkeep.tip
    hub.settings.actions_may_open_pull_requests = True
    hub.settings.disabled -= {"ci.yml"}
    upkeep.job(wheels.plain)
    assert f"Closes #{issue['number']}." in upkeep.github.pull["body"]
    assert upkeep.tip == tip
    upkeep.github.wait_for_runs()


@pytest.mark.parametrize("path", ["/git-receive-pack$", "/pulls$", "/dispatches$"], ids=["push", "pull", "ci"])
def test_a_job_that_is_killed_is_completed_by_the_next(upkeep: Upkeep, wheels: Wheels, path: str) -> None:
    """Cut off at the push, at the pull request, and at the dispatch of CI: the same end state."""
    hub = upkeep.github.hub
    hub.settings.disabled -= {"ci.yml"}
    hub.faults.add("POST", path, "403-integration")
    upkeep.job(wheels.plain, code=8)
    upkeep.job(wheels.plain)
    assert upkeep.github.pull["head"]["sha"] == upkeep.tip
    assert "ci.yml" in upkeep.github.wait_for_runs()
    assert "Nothing to do" in upkeep.job(wheels.plain)


def test_what_the_new_version_may_have_changed_is_not_proposed(upkeep: Upkeep, wheels: Wheels) -> None:
    """Neither files with another digest nor a result that describes no update; nothing is written."""
    digest, folder = upkeep.merge(wheels.plain), upkeep.github.clone / MERGED
    document = folder / "update.json"
    text = document.read_text()
    hub = upkeep.github.hub
    for changed in (text.replace('"commit": "', '"commit": "--all '), text.replace('"version": "', '"version": "../')):
        document.write_text(changed)
        refused = upkeep.propose_merged(wheels.plain, digest, hub.issue_token(GRANTS), code=11)
        assert "cannot be trusted" in refused
        assert "Merge again: `gitops update --out`" in refused
        again = write_manifest(folder)
        refused = upkeep.propose_merged(wheels.plain, again, hub.issue_token(GRANTS), code=11)
        assert "does not describe an update" in refused
    assert (upkeep.github.git("branch", "--list", BRANCH), upkeep.issues, upkeep.github.pulls) == ("", [], [])
