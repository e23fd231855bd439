"""`gitops doctor` and `gitops setup` on the local GitHub: each promise broken and mended, and what cannot be told."""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from desk import Driver, Result
from github.model import Event, Run, Token
from github.server import LocalGitHub
from github.state import Ruleset
from house import DATA, run

ROW = re.compile(r"^│ (\S+) +│ (\w[\w ]*?) +│ (.*?) +│$", re.MULTILINE)
BY_SETUP = {"PULL-REQUESTS": "problem", "RULES": "problem", "ENVIRONMENTS": "problem", "LABELS": "warning"}
ON_GITHUB = {
    "TOKEN", "PULL-REQUESTS", "PERMISSIONS", "PLAN", "RULES", "BRANCHES", "ENVIRONMENTS", "LABELS", "SCHEDULE",
}  # fmt: skip
PLAN_HAS_NONE = "A private repository on this plan has no branch rules"


@dataclass(frozen=True)
class Clinic:
    """The repository on the local GitHub, and a person's clone of it."""

    hub: LocalGitHub
    clone: Path
    driver: Driver

    def gitops(self, *arguments: str, token: Token | None = None, env: Mapping[str, str] | None = None) -> Result:
        """Run a command with a token, by default the owner's; it never shows the token."""
        token = token or self.hub.person
        around = {
            "GITHUB_API_URL": self.hub.api, "GITHUB_SERVER_URL": self.hub.url, "GITHUB_TOKEN": token.value,
            "GITHUB_REPOSITORY": self.hub.repository, "NO_PROXY": "127.0.0.1", "COLUMNS": "2000", **(env or {}),
        }  # fmt: skip
        done = self.driver.run(self.clone, *arguments, env=around)
        assert token.value not in done.out + done.err
        assert "Traceback" not in done.err
        return done

    def doctor(self, code: int = 0, **more: Any) -> dict[str, tuple[str, str]]:
        """Verdict and text of each check."""
        done = self.gitops("doctor", **more)
        assert done.code == code, f"exit {done.code}, not {code}\n{done.out}\n{done.err}"
        return {id: (verdict, text) for id, verdict, text in ROW.findall(done.out) if id != "check"}

    def setup(self, *arguments: str, code: int = 0, token: Token | None = None) -> str:
        """Run setup; all that it printed."""
        done = self.gitops("setup", *arguments, token=token)
        assert done.code == code, f"exit {done.code}, not {code}\n{done.out}\n{done.err}"
        return done.out + done.err

    def trained(self, days: int) -> None:
        """Let Train have run that many days ago, and not since."""
        sha = self.hub.git.branch("main")
        assert sha
        event = Event("schedule", "refs/heads/main", sha, "ada", {})
        created = (datetime.now(UTC) - timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%SZ")
        self.hub.runs[1] = Run(1, "train.yml", "Train", event, self.clone, created, "completed", "success")

    @property
    def writes(self) -> list[tuple[str, str]]:
        """Every write that was sent to the API."""
        home = f"/api/v3/repos/{self.hub.repository}"
        sent = [asked for asked in self.hub.requests if asked.path.startswith("/api/") and asked.method != "GET"]
        return [(asked.method, asked.path.removeprefix(home)) for asked in sent]


@pytest.fixture(scope="module")
def driver(repository: Path) -> Iterator[Driver]:
    """The repository's own Python."""
    made = Driver(repository)
    yield made
    made.stop()


@pytest.fixture
def clinic(repository: Path, tmp_path: Path, driver: Driver) -> Iterator[Clinic]:
    """A repository that its owner has just pushed, with an owner in CODEOWNERS, and with a run of Train."""
    clone = tmp_path / "clone"
    run(tmp_path, "git", "clone", "--quiet", str(repository.parent / "remote.git"), clone.name)
    run(clone, "sed", "-i", "s/@your-github-name/@ada/", ".github/CODEOWNERS")
    run(clone, "git", "commit", "--quiet", "--all", "--message", "Name the owner")
    with LocalGitHub(tmp_path / "hub") as hub:
        run(clone, "git", "remote", "set-url", "origin", hub.remote)
        run(clone, "git", "push", "--quiet", "origin", "main", "refs/remotes/origin/mlflow:refs/heads/mlflow")
        made = Clinic(hub, clone, driver)
        made.trained(0)
        yield made
        assert hub.violations == []


@pytest.fixture
def healthy(clinic: Clinic) -> Clinic:
    """The same after setup."""
    clinic.setup()
    return clinic


def test_a_new_repository_lacks_what_setup_does(clinic: Clinic) -> None:
    """Each with its fix; all else is well, and exit code 13 says that something is not."""
    found = clinic.doctor(13)
    assert {id: verdict for id, (verdict, _) in found.items() if verdict != "ok"} == BY_SETUP
    assert all("gitops setup" in found[id][1] for id in BY_SETUP)
    assert "Settings > Actions > General" in found["PULL-REQUESTS"][1]
    assert "main lacks, or has otherwise: deletion, non_fast_forward, pull_request" in found["RULES"][1]


def test_after_setup_all_is_well(healthy: Clinic) -> None:
    """Every promise is kept, and exit code 0 says so."""
    found = healthy.doctor()
    assert set(found) >= ON_GITHUB
    assert {verdict for verdict, _ in found.values()} == {"ok"}
    assert "ada, who administers ada/tumour-screening" in found["TOKEN"][1]


def test_every_check_is_in_the_docs(healthy: Clinic) -> None:
    """In the order of the table."""
    section = (DATA / "docs" / "commands.md").read_text().split("\n## doctor\n")[1].split("\n## ")[0]
    assert re.findall(r"^\| `([A-Z-]+)` \|", section, re.MULTILINE) == list(healthy.doctor())


def test_setup_says_in_words_what_it_did_and_does_it_once(clinic: Clinic) -> None:
    """A second run finds nothing to do and writes nothing."""
    assert clinic.setup().splitlines() == [
        "Allowed workflows to open pull requests, and else to read only.",
        "Created label promotion.",
        "Created ruleset main.",
        "Created ruleset store.",
        "Created environment production.",
    ]
    assert len(clinic.writes) == 5
    assert clinic.setup() == "Nothing to do: ada/tumour-screening is as it should be.\n"
    assert len(clinic.writes) == 5


def test_a_dry_run_says_the_same_and_writes_nothing(clinic: Clinic) -> None:
    """What setup would do."""
    told = clinic.setup("--dry-run").splitlines()
    assert told[1] == "Would create label promotion."
    assert len(told) == 5
    assert clinic.writes == []


def test_setup_puts_back_what_was_changed_and_that_alone(healthy: Clinic) -> None:
    """A ruleset that somebody switched off, and no other write; a ruleset of somebody's own stays."""
    body = next(it.body for it in healthy.hub.state.rulesets.values() if it.body["name"] == "main")
    body["enforcement"] = "disabled"
    healthy.hub.state.rulesets[1] = Ruleset(1, {"name": "theirs", "enforcement": "disabled", "rules": []})
    before = len(healthy.writes)
    assert healthy.setup() == "Updated ruleset main.\n"
    assert [method for method, _ in healthy.writes[before:]] == ["PUT"]
    assert body["enforcement"] == "active"
    assert healthy.hub.state.rulesets[1].body["enforcement"] == "disabled"


def test_the_owner_may_still_push_and_others_may_not(healthy: Clinic) -> None:
    """The rules bind a job's token, which could push main before; the owner alone passes by."""
    job = healthy.hub.issue_token({"contents": "write"})
    run(healthy.clone, "git", "commit", "--quiet", "--allow-empty", "--message", "By hand")
    refused = run(healthy.clone, "git", "push", healthy.hub.remote_for(job), "main", code=1)
    assert "Changes must be made through a pull request." in refused
    run(healthy.clone, "git", "push", "--quiet", "origin", "main")


def test_workflows_still_push_the_store_and_proposals(healthy: Clinic) -> None:
    """What setup does stands in nobody's way: forward on the store, by force on a proposal."""
    job = healthy.hub.remote_for(healthy.hub.issue_token({"contents": "write"}))
    run(healthy.clone, "git", "push", "--quiet", job, "main:promote/production")
    run(healthy.clone, "git", "push", "--quiet", "--force", job, "main^:promote/production")
    run(healthy.clone, "git", "switch", "--quiet", "--detach", "origin/mlflow")
    run(healthy.clone, "git", "commit", "--quiet", "--allow-empty", "--message", "A version")
    run(healthy.clone, "git", "push", "--quiet", job, "HEAD:mlflow")
    assert "Cannot force-push" in run(healthy.clone, "git", "push", "--force", job, "HEAD^:mlflow", code=1)


def _blocks(hub: LocalGitHub, *actors: dict[str, Any]) -> None:
    """A ruleset of the owner's for all branches."""
    conditions = {"ref_name": {"include": ["~ALL"], "exclude": []}}
    body = {"name": "all", "enforcement": "active", "conditions": conditions, "bypass_actors": list(actors)}
    hub.state.rulesets[1] = Ruleset(1, {**body, "rules": [{"type": "creation"}, {"type": "required_signatures"}]})


BROKEN: dict[str, tuple[Callable[[Clinic], object], str, str, str]] = {
    "pull requests are off": (
        lambda c: setattr(c.hub.settings, "actions_may_open_pull_requests", False),
        "PULL-REQUESTS", "problem", "tick `Allow GitHub Actions to create and approve pull requests`",
    ),
    "jobs may write": (
        lambda c: setattr(c.hub.settings, "default_workflow_permissions", "write"),
        "PERMISSIONS", "warning", "choose `Read repository contents and packages permissions`",
    ),
    "a ruleset is gone": (
        lambda c: c.hub.state.rulesets.pop(max(c.hub.state.rulesets)),
        "RULES", "problem", "mlflow lacks, or has otherwise: deletion, non_fast_forward. Settings > Rules > Rulesets",
    ),
    "a rule keeps workflows out": (
        lambda c: _blocks(c.hub),
        "BRANCHES", "problem", "mlflow by creation, required_signatures; promote/production by",
    ),
    "an environment is gone": (
        lambda c: c.hub.state.environments.clear(),
        "ENVIRONMENTS", "problem", "There is no environment production. Settings > Environments: create it, or run",
    ),
    "a label is gone": (
        lambda c: c.hub.state.labels.clear(),
        "LABELS", "warning", "There is no label promotion.",
    ),
    "the schedule is late": (
        lambda c: c.trained(20),
        "SCHEDULE", "warning", "Its last run was 20 days ago (schedule,",
    ),
    "the schedule is off": (
        lambda c: c.trained(70),
        "SCHEDULE", "problem", "GitHub switches schedules off after 60 days",
    ),
    "Train never ran": (
        lambda c: c.hub.runs.clear(),
        "SCHEDULE", "warning", "Actions > Train > Run workflow",
    ),
}  # fmt: skip


@pytest.mark.parametrize("broken", BROKEN)
def test_what_is_broken_is_named_with_its_fix(healthy: Clinic, broken: str) -> None:
    """That check alone, and exit code 13 where it is a problem."""
    breaks, id, verdict, fix = BROKEN[broken]
    breaks(healthy)
    found = healthy.doctor(13 if verdict == "problem" else 0)
    assert {other: it[0] for other, it in found.items() if it[0] != "ok"} == {id: verdict}
    assert fix in found[id][1]


def test_a_ruleset_that_github_actions_may_pass_by_blocks_nobody(healthy: Clinic) -> None:
    """Workflows push as GitHub Actions."""
    _blocks(healthy.hub, {"actor_id": 15368, "actor_type": "Integration", "bypass_mode": "always"})
    assert healthy.doctor()["BRANCHES"][0] == "ok"


def test_an_environment_that_is_asked_for_must_exist(healthy: Clinic) -> None:
    """Even before anything was promoted to it; setup knows only those that have a record."""
    done = healthy.gitops("doctor", "--environment", "staging")
    assert done.code == 13
    assert "There is no environment staging. Settings > Environments: create it.  " in done.out


def test_a_store_branch_that_no_file_names(healthy: Clinic) -> None:
    """The store was given another branch in model.toml, and store.json still has the old one."""
    toml = healthy.clone / "model.toml"
    toml.write_text(toml.read_text().replace('branch = "mlflow"', 'branch = "kept"'))
    assert healthy.doctor()["RULES"][0] == "warning"


def test_a_jobs_token_sees_less_and_that_is_no_problem(healthy: Clinic) -> None:
    """What only an owner may see cannot be told; where to look is said."""
    job = healthy.hub.issue_token({"contents": "read", "actions": "read"})
    found = healthy.doctor(token=job)
    assert "a job in GitHub Actions" in found["TOKEN"][1]
    assert {id for id, (verdict, _) in found.items() if verdict == "cannot tell"} == {"PULL-REQUESTS", "PERMISSIONS"}
    assert found["PULL-REQUESTS"][1].endswith("Look under Settings > Actions > General > Workflow permissions.")


def test_a_token_that_is_no_longer_valid(healthy: Clinic) -> None:
    """That is a problem; what it would have seen cannot be told. The clone is looked at all the same."""
    gone = healthy.hub.issue_token({}, "person", "ada")
    healthy.hub.revoke(gone)
    found = healthy.doctor(13, token=gone)
    assert found["TOKEN"][0] == "problem"
    assert {found[id][0] for id in ON_GITHUB - {"TOKEN"}} == {"cannot tell"}
    assert {verdict for id, (verdict, _) in found.items() if id not in ON_GITHUB} == {"ok"}


@pytest.mark.parametrize(
    ("env", "why"),
    [
        ({"GITHUB_TOKEN": ""}, "GITHUB_TOKEN is not set"),
        ({"GITHUB_REPOSITORY": "ada/elsewhere"}, "GitHub does not know GET"),
        ({"GITHUB_REPOSITORY": "nonsense"}, "It must be OWNER/NAME"),
        ({"GITHUB_API_URL": "http://127.0.0.1:9"}, "gave no answer"),
    ],
    ids=["no token", "another repository", "no repository", "no network"],
)
def test_where_github_cannot_be_asked_nothing_is_claimed(healthy: Clinic, env: dict[str, str], why: str) -> None:
    """All of GitHub's part cannot be told, with the reason; it is no problem, and no traceback."""
    found = healthy.doctor(env=env)
    assert {found[id][0] for id in ON_GITHUB} == {"cannot tell"}
    assert why in found["TOKEN"][1]


@pytest.mark.faults
@pytest.mark.parametrize(
    ("path", "ids"),
    [
        ("/user$", {"TOKEN"}),
        ("/actions/permissions/workflow$", {"PULL-REQUESTS", "PERMISSIONS"}),
        ("/rules/branches/", {"RULES", "BRANCHES"}),
        ("/environments$", {"ENVIRONMENTS"}),
        ("/labels$", {"LABELS"}),
        ("/runs$", {"SCHEDULE"}),
    ],
    ids=lambda value: value.strip("/$") if isinstance(value, str) else "",
)
@pytest.mark.parametrize("kind", ["403-integration", "404"])
def test_a_part_that_is_refused_does_not_stop_the_rest(healthy: Clinic, path: str, ids: set[str], kind: Any) -> None:
    """It cannot be told, and everything else is."""
    healthy.hub.faults.add("GET", path, kind, times=9)
    found = healthy.doctor()
    told = {id: verdict for id, (verdict, _) in found.items() if verdict != "ok"}
    # 403 at /user is how GitHub answers a job's token.
    assert told == ({} if (path, kind) == ("/user$", "403-integration") else dict.fromkeys(ids, "cannot tell"))


def test_a_jobs_checkout_is_looked_at_too(healthy: Clinic) -> None:
    """One detached commit, no credentials kept, a private repository: the job's token reaches it."""
    healthy.hub.settings.private = True
    job = healthy.hub.issue_token({"contents": "read", "actions": "read"})
    folder = healthy.clone.with_name("checkout")
    run(folder.parent, "git", "clone", "--quiet", "--depth=1", healthy.hub.remote, folder.name)
    run(folder, "git", "remote", "set-url", "origin", f"{healthy.hub.page}.git")
    run(folder, "git", "checkout", "--quiet", "--detach")
    run(folder, "git", "branch", "--quiet", "-D", "main")
    found = Clinic(healthy.hub, folder, healthy.driver).doctor(token=job, env={"GITHUB_ACTIONS": "true"})
    assert (found["CLONE"][0], found["STORE"][0], found["SIZE"][0]) == ("ok", "ok", "ok")


def test_a_store_that_cannot_be_reached(healthy: Clinic) -> None:
    """Nothing could be trained or registered; what origin's main is cannot be told either."""
    run(healthy.clone, "git", "remote", "set-url", "origin", "http://127.0.0.1:9/ada/tumour-screening.git")
    found = healthy.doctor(13)
    wrong = {id: verdict for id, (verdict, _) in found.items() if verdict != "ok"}
    unknown = dict.fromkeys(("CLONE", "SCHEMA", "SIZE"), "cannot tell")
    assert wrong == {**unknown, "STORE": "problem"}


def test_a_private_repository_on_a_free_plan(clinic: Clinic) -> None:
    """No rulesets are to be had: setup says so and does the rest; the doctor says what the plan does not enforce."""
    clinic.hub.settings.private = True
    told = clinic.setup()
    assert "Rulesets are left out: a private repository on this plan has none." in told
    assert "Created environment production." in told
    assert "Nothing to do" in clinic.setup()
    found = clinic.doctor()
    assert found["RULES"] == ("not applicable", f"{PLAN_HAS_NONE}; the merge by a person is the approval.")
    assert found["PLAN"][0] == "warning"
    assert "Free, Pro and Team" in found["PLAN"][1]


def test_a_private_repository_on_a_paid_plan(clinic: Clinic) -> None:
    """It has rulesets, and still no required reviewers."""
    clinic.hub.settings.private, clinic.hub.settings.plan = True, "team"
    clinic.setup()
    found = clinic.doctor()
    assert (found["RULES"][0], found["PLAN"][0]) == ("ok", "warning")


def test_a_token_without_rights_sets_nothing_up(clinic: Clinic) -> None:
    """Exit code 8 before anything is written; whose token it takes is said."""
    told = clinic.setup(code=8, token=clinic.hub.issue_token({"contents": "write", "issues": "write"}))
    assert "Nothing was done; all is left." in told
    assert "someone who administers the repository" in told
    assert clinic.writes == []


@pytest.mark.faults
def test_a_refusal_in_the_middle_names_what_was_done_and_what_is_left(clinic: Clinic) -> None:
    """And the next run does what is left."""
    clinic.hub.faults.add("POST", "/rulesets$", "403-integration", skip=1)
    told = clinic.setup(code=8)
    assert "Done: Allowed workflows to open pull requests, and else to read only, Created label promotion" in told
    assert "Created ruleset main. Left: create ruleset store, create environment production." in told
    assert clinic.setup().splitlines() == ["Created ruleset store.", "Created environment production."]
    assert {verdict for verdict, _ in clinic.doctor().values()} == {"ok"}


@pytest.mark.faults
def test_a_write_whose_answer_was_lost_is_not_sent_again(clinic: Clinic) -> None:
    """Nobody knows whether it was done; the next run looks."""
    clinic.hub.faults.add("POST", "/labels$", "lost")
    told = clinic.setup(code=8)
    assert "Left: create label promotion" in told
    assert clinic.setup().splitlines()[0] == "Created ruleset main."


def test_without_a_token_setup_says_how_to_give_it_one(clinic: Clinic) -> None:
    """A configuration that is missing: exit code 3."""
    done = clinic.gitops("setup", env={"GITHUB_TOKEN": ""})
    assert done.code == 3
    assert "gh auth token" in done.err


def test_a_file_that_is_no_ruleset_is_named(clinic: Clinic) -> None:
    """By both commands; nothing is written."""
    (clinic.clone / ".github/rulesets/main.json").write_text(json.dumps(["no"]))
    done = clinic.gitops("setup")
    assert done.code == 3
    assert "main.json is not a ruleset" in done.err
    assert clinic.writes == []
    assert clinic.doctor(13)["RULES"][0] == "cannot tell"
