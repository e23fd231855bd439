"""`gitops doctor` and `gitops setup` on the local GitHub: each check, broken and fixed."""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from github.model import Event, Run, Token
from github.server import LocalGitHub
from github.state import Ruleset
from hub_fixture import CommandWorker, Result
from repositories import DATA, run

ROW = re.compile(r"^│ (\S+) +│ (\w[\w ]*?) +│ (.*?) +│$", re.MULTILINE)
BY_SETUP = {"PULL-REQUESTS": "problem", "RULES": "problem", "ENVIRONMENTS": "problem", "LABELS": "warning"}
ON_GITHUB = {
    "TOKEN", "PULL-REQUESTS", "PERMISSIONS", "PLAN", "RULES", "BRANCHES", "ENVIRONMENTS", "LABELS", "SCHEDULE",
    "RUNNERS", "SECRETS",
}  # fmt: skip
PLAN_HAS_NONE = "A private repository on this plan has no branch rules"


@dataclass(frozen=True)
class CheckedRepository:
    """The repository on the local GitHub, and a person's clone of it."""

    hub: LocalGitHub
    clone: Path
    worker: CommandWorker

    def gitops(self, *arguments: str, token: Token | None = None, env: Mapping[str, str] | None = None) -> Result:
        """Run a command with a token, by default the owner's; it never shows the token."""
        token = token or self.hub.person
        around = {
            "GITHUB_API_URL": self.hub.api, "GITHUB_SERVER_URL": self.hub.url, "GITHUB_TOKEN": token.value,
            "GITHUB_REPOSITORY": self.hub.repository, "NO_PROXY": "127.0.0.1", "COLUMNS": "2000", **(env or {}),
        }  # fmt: skip
        done = self.worker.run(self.clone, *arguments, env=around)
        assert token.value not in done.out + done.err
        assert "Traceback" not in done.err
        return done

    def doctor(self, code: int = 0, **more: Any) -> dict[str, tuple[str, str]]:
        """Verdict and text of each check."""
        done = self.gitops("doctor", **more)
        assert done.code == code, f"exit {done.code}, not {code}\n{done.out}\n{done.err}"
        return {id: (verdict, text) for id, verdict, text in ROW.findall(done.out) if id != "check"}

    def setup(self, *arguments: str, code: int = 0, token: Token | None = None) -> str:
        """Run setup, and return its output."""
        done = self.gitops("setup", *arguments, token=token)
        assert done.code == code, f"exit {done.code}, not {code}\n{done.out}\n{done.err}"
        return done.out + done.err

    def trained(self, days: int) -> None:
        """Record a run of Train that many days ago, and none since."""
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
def worker(repository: Path) -> Iterator[CommandWorker]:
    """The repository's own Python."""
    made = CommandWorker(repository)
    yield made
    made.stop()


@pytest.fixture
def checked(repository: Path, tmp_path: Path, worker: CommandWorker) -> Iterator[CheckedRepository]:
    """A repository that its owner has just pushed, with a user in CODEOWNERS, and with a run of Train."""
    clone = tmp_path / "clone"
    run(tmp_path, "git", "clone", "--quiet", str(repository.parent / "remote.git"), clone.name)
    run(clone, "sed", "-i", "s/@your-github-name/@ada/", ".github/CODEOWNERS")
    run(clone, "git", "commit", "--quiet", "--all", "--message", "Name the owner")
    with LocalGitHub(tmp_path / "hub") as hub:
        run(clone, "git", "remote", "set-url", "origin", hub.remote)
        run(clone, "git", "push", "--quiet", "origin", "main", "refs/remotes/origin/mlflow:refs/heads/mlflow")
        made = CheckedRepository(hub, clone, worker)
        made.trained(0)
        yield made
        assert hub.violations == []


@pytest.fixture
def healthy(checked: CheckedRepository) -> CheckedRepository:
    """The same after setup."""
    checked.setup()
    return checked


def test_a_new_repository_lacks_what_setup_does(checked: CheckedRepository) -> None:
    """Each has its fix; all other checks pass, and the exit code is 13."""
    found = checked.doctor(13)
    assert {id: verdict for id, (verdict, _) in found.items() if verdict != "ok"} == BY_SETUP
    assert all("gitops setup" in found[id][1] for id in BY_SETUP)
    assert "Settings > Actions > General" in found["PULL-REQUESTS"][1]
    assert "main lacks, or has otherwise: deletion, non_fast_forward, pull_request" in found["RULES"][1]


def test_after_setup_all_is_well(healthy: CheckedRepository) -> None:
    """Every check passes, and the exit code is 0."""
    found = healthy.doctor()
    assert set(found) >= ON_GITHUB
    assert {verdict for verdict, _ in found.values()} == {"ok"}
    assert "ada, who administers ada/tumour-screening" in found["TOKEN"][1]


def test_every_check_is_in_the_docs(healthy: CheckedRepository) -> None:
    """The order is that of the table."""
    section = (DATA / "docs" / "commands.md").read_text().split("\n## doctor\n")[1].split("\n## ")[0]
    assert re.findall(r"^\| `([A-Z-]+)` \|", section, re.MULTILINE) == list(healthy.doctor())


def test_setup_reports_its_changes_and_makes_them_once(checked: CheckedRepository) -> None:
    """A second run has nothing to do and writes nothing."""
    assert checked.setup().splitlines() == [
        "Allowed workflows to open pull requests, and only to read otherwise.",
        "Allowed GitHub to delete a branch when its pull request is merged.",
        "Created label promotion.",
        "Created ruleset main.",
        "Created ruleset store.",
        "Created environment production.",
    ]
    assert len(checked.writes) == 6
    assert checked.setup() == "Nothing to do: ada/tumour-screening is as it should be.\n"
    assert len(checked.writes) == 6


def test_a_dry_run_says_the_same_and_writes_nothing(checked: CheckedRepository) -> None:
    """The output lists the changes of setup."""
    output = checked.setup("--dry-run").splitlines()
    assert output[1:3] == [
        "Would allow GitHub to delete a branch when its pull request is merged.",
        "Would create label promotion.",
    ]
    assert len(output) == 6
    assert checked.writes == []


def test_setup_resets_only_changed_rulesets(healthy: CheckedRepository) -> None:
    """A ruleset that was switched off is updated; another user's ruleset stays."""
    body = next(it.body for it in healthy.hub.state.rulesets.values() if it.body["name"] == "main")
    body["enforcement"] = "disabled"
    healthy.hub.state.rulesets[1] = Ruleset(1, {"name": "theirs", "enforcement": "disabled", "rules": []})
    before = len(healthy.writes)
    assert healthy.setup() == "Updated ruleset main.\n"
    assert [method for method, _ in healthy.writes[before:]] == ["PUT"]
    assert body["enforcement"] == "active"
    assert healthy.hub.state.rulesets[1].body["enforcement"] == "disabled"


def test_the_owner_may_still_push_and_others_may_not(healthy: CheckedRepository) -> None:
    """The rules apply to a job's token, which could push main before; only the owner may bypass them."""
    job = healthy.hub.issue_token({"contents": "write"})
    run(healthy.clone, "git", "commit", "--quiet", "--allow-empty", "--message", "By hand")
    refused = run(healthy.clone, "git", "push", healthy.hub.remote_for(job), "main", code=1)
    assert "Changes must be made through a pull request." in refused
    run(healthy.clone, "git", "push", "--quiet", "origin", "main")


def test_workflows_still_push_the_store_and_proposals(healthy: CheckedRepository) -> None:
    """The rules of setup allow both: fast-forward pushes of the store, forced pushes of a proposal."""
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


BROKEN: dict[str, tuple[Callable[[CheckedRepository], object], str, str, str]] = {
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
        "SCHEDULE", "warning", "The last run of Train was 20 days ago (schedule,",
    ),
    "the schedule is off": (
        lambda c: c.trained(70),
        "SCHEDULE", "problem", "GitHub disables schedules after 60 days",
    ),
    "a timeout is no number": (
        lambda c: c.hub.settings.variables.update(TRAIN_TIMEOUT="2h"),
        "RUNNERS", "problem", "TRAIN_TIMEOUT is '2h', which ends every run before its job starts.",
    ),
    "a runner is no list": (
        lambda c: c.hub.settings.variables.update(TRAIN_RUNNER="[gpu]"),
        "RUNNERS", "problem", "Settings > Secrets and variables > Actions > Variables: change the value, or delete",
    ),
    "no job reads a variable": (
        lambda c: c.hub.settings.variables.update(TRIAN_RUNNER="gpu"),
        "RUNNERS", "warning", "No job reads TRIAN_RUNNER. Perhaps you meant TRAIN_RUNNER.",
    ),
    "credentials without a server": (
        lambda c: c.hub.settings.secrets.update({"MLFLOW_TRACKING_TOKEN": "t"}),
        "SECRETS", "warning", "MLFLOW_TRACKING_TOKEN is set without MLFLOW_TRACKING_URI, so the store is the branch.",
    ),
    "a query without its secret": (
        lambda c: run(c.clone, "sed", "-i", 's/^path = .*/query = "SELECT * FROM rows"/', "model.toml"),
        "SECRETS", "problem", "[data] has a query, but the secret DATABASE_URL is not set: add it.",
    ),
    "Train never ran": (
        lambda c: c.hub.runs.clear(),
        "SCHEDULE", "warning", "Actions > Train > Run workflow",
    ),
}  # fmt: skip


@pytest.mark.parametrize("broken", BROKEN)
def test_a_broken_setting_is_reported_with_its_fix(healthy: CheckedRepository, broken: str) -> None:
    """Only that check fails, with exit code 13 if it is a problem."""
    breaks, id, verdict, fix = BROKEN[broken]
    breaks(healthy)
    found = healthy.doctor(13 if verdict == "problem" else 0)
    assert {other: it[0] for other, it in found.items() if it[0] != "ok"} == {id: verdict}
    assert fix in found[id][1]


def test_the_doctor_lists_who_gets_which_secret(healthy: CheckedRepository) -> None:
    """By name, without a value; a secret of no job is not listed. Values of variables are shown."""
    healthy.hub.settings.variables |= {"TRAIN_RUNNER": '["self-hosted", "gpu"]', "MLFLOW_TRACKING_URI": "http://m.test"}
    healthy.hub.settings.secrets |= {"DATABASE_URL": "sqlite:///secret.db", "OTHER": "mine"}
    done = healthy.gitops("doctor")
    found = {id: (verdict, text) for id, verdict, text in ROW.findall(done.out)}
    assert (found["RUNNERS"][0], found["SECRETS"][0]) == ("ok", "ok")
    assert 'TRAIN_RUNNER = ["self-hosted", "gpu"]' in found["RUNNERS"][1]
    assert "DATABASE_URL: ci: code, data; train: train, compare." in found["SECRETS"][1]
    assert "MLFLOW_TRACKING_URI: train: train, register, compare, image, promote; deploy: deploy" in found["SECRETS"][1]
    assert not re.search("secret.db|OTHER|mine", done.out + done.err)


def test_a_ruleset_that_github_actions_may_bypass_blocks_no_workflow(healthy: CheckedRepository) -> None:
    """Workflows push as GitHub Actions."""
    _blocks(healthy.hub, {"actor_id": 15368, "actor_type": "Integration", "bypass_mode": "always"})
    assert healthy.doctor()["BRANCHES"][0] == "ok"


def test_an_environment_that_is_asked_for_must_exist(healthy: CheckedRepository) -> None:
    """Even before anything was promoted to it; setup knows only those that have a record."""
    done = healthy.gitops("doctor", "--environment", "staging")
    assert done.code == 13
    assert "There is no environment staging. Settings > Environments: create it.  " in done.out


def test_a_store_branch_that_no_file_names(healthy: CheckedRepository) -> None:
    """The store was given another branch in model.toml, and store.json still has the old one."""
    toml = healthy.clone / "model.toml"
    toml.write_text(toml.read_text().replace('branch = "mlflow"', 'branch = "kept"'))
    assert healthy.doctor()["RULES"][0] == "warning"


def test_a_jobs_token_sees_less_and_that_is_no_problem(healthy: CheckedRepository) -> None:
    """Settings that only an owner may read are `cannot tell`; the message says where to look."""
    job = healthy.hub.issue_token({"contents": "read", "actions": "read"})
    found = healthy.doctor(token=job)
    assert "a job in GitHub Actions" in found["TOKEN"][1]
    hidden = {"PULL-REQUESTS", "PERMISSIONS", "RUNNERS", "SECRETS"}
    assert {id for id, (verdict, _) in found.items() if verdict == "cannot tell"} == hidden
    assert found["PULL-REQUESTS"][1].endswith("Look under Settings > Actions > General > Workflow permissions.")


def test_a_token_that_is_no_longer_valid(healthy: CheckedRepository) -> None:
    """That is a problem; the checks that need it are `cannot tell`. The clone is still checked."""
    gone = healthy.hub.issue_token({}, "person", "ada")
    healthy.hub.revoke(gone)
    found = healthy.doctor(13, token=gone)
    assert found["TOKEN"][0] == "problem"
    assert {found[id][0] for id in ON_GITHUB - {"TOKEN"}} == {"cannot tell"}
    assert {verdict for id, (verdict, _) in found.items() if id not in ON_GITHUB} == {"ok"}


@pytest.mark.parametrize(
    ("env", "reason"),
    [
        ({"GITHUB_TOKEN": ""}, "GITHUB_TOKEN is not set"),
        ({"GITHUB_REPOSITORY": "ada/elsewhere"}, "GitHub does not know GET"),
        ({"GITHUB_REPOSITORY": "nonsense"}, "It must be OWNER/NAME"),
        ({"GITHUB_API_URL": "http://127.0.0.1:9"}, "gave no answer"),
    ],
    ids=["no token", "another repository", "no repository", "no network"],
)
def test_without_github_its_checks_are_undetermined(
    healthy: CheckedRepository, env: dict[str, str], reason: str
) -> None:
    """All of GitHub's checks are `cannot tell`, with the reason; this is no problem, and there is no traceback."""
    found = healthy.doctor(env=env)
    assert {found[id][0] for id in ON_GITHUB} == {"cannot tell"}
    assert reason in found["TOKEN"][1]


@pytest.mark.faults
@pytest.mark.parametrize(
    ("path", "ids"),
    [
        ("/user$", {"TOKEN"}),
        ("/actions/permissions/workflow$", {"PULL-REQUESTS", "PERMISSIONS"}),
        ("/rules/branches/", {"RULES", "BRANCHES"}),
        ("/environments$", {"ENVIRONMENTS", "SECRETS"}),
        ("/labels$", {"LABELS"}),
        ("/runs$", {"SCHEDULE"}),
    ],
    ids=lambda value: value.strip("/$") if isinstance(value, str) else "",
)
@pytest.mark.parametrize("kind", ["403-integration", "404"])
def test_a_part_that_is_refused_does_not_stop_the_rest(
    healthy: CheckedRepository, path: str, ids: set[str], kind: Any
) -> None:
    """Only its checks are `cannot tell`."""
    healthy.hub.faults.add("GET", path, kind, times=9)
    found = healthy.doctor()
    verdicts = {id: verdict for id, (verdict, _) in found.items() if verdict != "ok"}
    # 403 at /user is how GitHub answers a job's token.
    assert verdicts == ({} if (path, kind) == ("/user$", "403-integration") else dict.fromkeys(ids, "cannot tell"))


def test_a_jobs_checkout_is_checked_too(healthy: CheckedRepository) -> None:
    """One detached commit, no credentials kept, a private repository: the job's token reaches it."""
    healthy.hub.settings.private = True
    job = healthy.hub.issue_token({"contents": "read", "actions": "read"})
    folder = healthy.clone.with_name("checkout")
    run(folder.parent, "git", "clone", "--quiet", "--depth=1", healthy.hub.remote, folder.name)
    run(folder, "git", "remote", "set-url", "origin", f"{healthy.hub.html_url}.git")
    run(folder, "git", "checkout", "--quiet", "--detach")
    run(folder, "git", "branch", "--quiet", "-D", "main")
    found = CheckedRepository(healthy.hub, folder, healthy.worker).doctor(token=job, env={"GITHUB_ACTIONS": "true"})
    assert (found["CLONE"][0], found["STORE"][0], found["SIZE"][0]) == ("ok", "ok", "ok")


def test_a_store_that_cannot_be_reached(healthy: CheckedRepository) -> None:
    """Training and registering would fail; checks of origin's main are `cannot tell`."""
    run(healthy.clone, "git", "remote", "set-url", "origin", "http://127.0.0.1:9/ada/tumour-screening.git")
    found = healthy.doctor(13)
    wrong = {id: verdict for id, (verdict, _) in found.items() if verdict != "ok"}
    unknown = dict.fromkeys(("CLONE", "SCHEMA", "SIZE"), "cannot tell")
    assert wrong == {**unknown, "STORE": "problem"}


def test_a_private_repository_on_a_free_plan(checked: CheckedRepository) -> None:
    """There are no rulesets: setup says so and does the rest; the doctor lists the rules that are not enforced."""
    checked.hub.settings.private = True
    output = checked.setup()
    assert "Rulesets are skipped: a private repository on this plan has none." in output
    assert "Created environment production." in output
    assert "Nothing to do" in checked.setup()
    found = checked.doctor()
    assert found["RULES"] == ("not applicable", f"{PLAN_HAS_NONE}; the merge by a person is the approval.")
    assert found["PLAN"][0] == "warning"
    assert "Free, Pro and Team" in found["PLAN"][1]


def test_a_private_repository_on_a_paid_plan(checked: CheckedRepository) -> None:
    """It has rulesets, and still no required reviewers."""
    checked.hub.settings.private, checked.hub.settings.plan = True, "team"
    checked.setup()
    found = checked.doctor()
    assert (found["RULES"][0], found["PLAN"][0]) == ("ok", "warning")


def test_a_token_without_rights_sets_nothing_up(checked: CheckedRepository) -> None:
    """Exit code 8 before any write; the message says whose token is needed."""
    output = checked.setup(code=8, token=checked.hub.issue_token({"contents": "write", "issues": "write"}))
    assert "Nothing was changed." in output
    assert "an administrator of the repository" in output
    assert checked.writes == []


@pytest.mark.faults
def test_a_refusal_in_the_middle_names_what_was_done_and_what_is_left(checked: CheckedRepository) -> None:
    """The next run does the remaining steps."""
    checked.hub.faults.add("POST", "/rulesets$", "403-integration", skip=1)
    output = checked.setup(code=8)
    assert "Done: Allowed workflows to open pull requests, and only to read otherwise, Allowed GitHub to" in output
    assert "is merged, Created label promotion" in output
    assert "Created ruleset main. Left: create ruleset store, create environment production." in output
    assert checked.setup().splitlines() == ["Created ruleset store.", "Created environment production."]
    assert {verdict for verdict, _ in checked.doctor().values()} == {"ok"}


@pytest.mark.faults
def test_a_write_whose_response_was_lost_is_not_repeated(checked: CheckedRepository) -> None:
    """The result of the write is unknown; the next run checks it."""
    checked.hub.faults.add("POST", "/labels$", "lost")
    output = checked.setup(code=8)
    assert "Left: create label promotion" in output
    assert checked.setup().splitlines()[0] == "Created ruleset main."


def test_without_a_token_setup_says_how_to_give_it_one(checked: CheckedRepository) -> None:
    """A missing configuration is exit code 3."""
    done = checked.gitops("setup", env={"GITHUB_TOKEN": ""})
    assert done.code == 3
    assert "gh auth token" in done.err


def test_a_file_that_is_no_ruleset_is_named(checked: CheckedRepository) -> None:
    """Both commands name it, and write nothing."""
    (checked.clone / ".github/rulesets/main.json").write_text(json.dumps(["no"]))
    done = checked.gitops("setup")
    assert done.code == 3
    assert "main.json is not a ruleset" in done.err
    assert checked.writes == []
    assert checked.doctor(13)["RULES"][0] == "cannot tell"
