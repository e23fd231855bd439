"""The checks of the doctor on the clone and the store: each passes and fails once. No test needs GitHub."""

import json
import re
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gitops_ml import config, locks
from gitops_ml.doctor_checks import Check, CheckResult, CheckRow, check
from gitops_ml.errors import ConfigError
from gitops_ml.forge import choice_checks, clone_checks, repository_settings, rulesets
from gitops_ml.forge import github_checks as on_github
from gitops_ml.forge.github import GitHub
from gitops_ml.registry import branch, store_checks
from gitops_ml.registry.branch import Branch
from unit.sample import TEMPLATE, Project


@pytest.fixture(autouse=True)
def _no_token(monkeypatch: pytest.MonkeyPatch) -> None:
    """Remove GitHub's variables, and limit the retries of MLflow's client."""
    for name in ("GITHUB_TOKEN", "GITHUB_REPOSITORY", "GITHUB_API_URL", "GITHUB_SERVER_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "5")


@pytest.fixture
def pushed(project: Project) -> Project:
    """Return the project with a remote that has its main, and with the files that the doctor checks."""
    files = [f"requirements/{lock}.{kind}" for lock in ("train", "serve") for kind in ("in", "txt")]
    for name in [*files, *(f".github/{file}" for file in clone_checks.WORKFLOWS)]:
        project.write(name, (TEMPLATE / name).read_text())
    project.write(clone_checks.OWNERS, "* @ada\n")
    project.commit()
    project.git("init", "--quiet", "--bare", "--initial-branch", "main", str(project.root.parent / "remote.git"))
    project.git("remote", "add", "origin", str(project.root.parent / "remote.git"))
    project.git("push", "--quiet", "origin", "main")
    return project


def check_clone(project: Project, subject: Check[Path]) -> tuple[str, str]:
    """Return verdict and text of a check of the clone."""
    row = subject.run(project.root)
    return row.verdict, row.text


def check_store(project: Project, subject: Check[store_checks.StoreContext]) -> tuple[str, str]:
    """Return verdict and text of a check of the store."""
    row = subject.run(store_checks.open_store_context(config.find_repository(project.root)))
    return row.verdict, row.text


def test_without_a_token_the_clone_and_the_store_are_checked(pushed: Project, tmp_path: Path) -> None:
    """Without a token, the checks of GitHub are unknown, which is no problem: the exit code is 0."""
    result = pushed.must("doctor")
    assert "ok" in result.out
    assert re.search(r"TOKEN .* cannot tell .* GITHUB_TOKEN is not set", result.out)
    assert f"{len(on_github.CHECKS) + len(choice_checks.CHECKS)} cannot tell." in result.out
    assert "problem" not in result.out


def test_the_table_is_a_part_of_the_job_summary(
    pushed: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A workflow shows the table in the GitHub Actions job summary."""
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary.md"))
    pushed.must("doctor")
    assert re.search(r"### Doctor\n\n\| check .*\| MODEL .*checks: ", (tmp_path / "summary.md").read_text(), re.DOTALL)


def test_problems_are_counted_and_named(project: Project) -> None:
    """The exit code is 13, and the message has the number and the ids of the problems."""
    result = project.gitops("doctor")
    assert result.code == 13
    assert result.err.splitlines()[-2:] == [
        "Doctor: 2 problem(s): CLONE, WORKFLOWS.",
        "  The table says how to fix each of them.",
    ]


def test_an_invalid_model_toml_stops_only_the_checks_that_need_it(pushed: Project) -> None:
    """The wrong key is named, and the clone and GitHub are checked all the same."""
    pushed.edit("model.toml", "holdout = 0.4", "holdout = 4")
    result = pushed.gitops("doctor")
    assert result.code == 13
    assert re.search(r"MODEL .* problem .*\[split\] holdout is 4", result.out)
    assert re.search(r"STORE .* cannot tell .*model\.toml", result.out)
    assert re.search(r"LOCKS .* ok", result.out)


def test_a_fixed_cutoff_with_an_ingestion(pushed: Project) -> None:
    """All rows that it adds would be held out, for ever."""
    pushed.edit("model.toml", 'method = "hash"\ncolumn = "id"\nholdout = 0.4', 'method = "time"\ncolumn = "day"\n'
                'cutoff = 2026-01-01\n\n[ingest]\nsource = "file"\npath = "new.csv"')  # fmt: skip
    result = pushed.must("doctor")
    assert re.search(r"MODEL .* warning .*holdout = 0.2", result.out)


def test_a_monitored_column_that_does_not_exist(pushed: Project) -> None:
    """The column is named, and the other checks run."""
    pushed.edit("model.toml", "[evaluation]", '[monitoring]\nleft_out = ["month"]\n\n[evaluation]')
    result = pushed.gitops("doctor")
    assert result.code == 13
    assert re.search(r"MODEL .* problem .*\[monitoring\] left_out .*'month'", result.out)
    assert re.search(r"STORE .* ok", result.out)


def test_outside_a_repository_the_command_fails(project: Project) -> None:
    """A folder without model.toml is a configuration error."""
    assert project.gitops("--project", str(project.root.parent), "doctor").code == 3


def test_an_exception_in_a_check_does_not_stop_the_others() -> None:
    """An unexpected response makes the result unknown instead of ending in a traceback."""

    @check("ODD")
    def odd(subject: dict[str, str]) -> CheckResult:
        """All is well."""
        return CheckResult(subject["verdict"], "")  # type: ignore[arg-type]

    expected = CheckRow("ODD", "cannot tell", "An unexpected response (KeyError: 'verdict').")
    assert odd.run({}) == expected
    assert odd.run({"verdict": "ok"}).text == "All is well."


def test_a_clone_without_a_remote(project: Project) -> None:
    """The text names the missing commands."""
    verdict, text = check_clone(project, clone_checks.pushed)
    assert verdict == "problem"
    assert "git remote add origin" in text


def test_a_folder_without_a_git_repository(project: Project, tmp_path: Path) -> None:
    """A generated folder before `git init` is a problem."""
    assert check_clone(Project(tmp_path), clone_checks.pushed)[0] == "problem"


def test_a_remote_without_main(pushed: Project) -> None:
    """The text names the missing push."""
    empty = str(pushed.root.parent / "empty.git")
    pushed.git("init", "--quiet", "--bare", empty)
    pushed.git("remote", "set-url", "origin", empty)
    assert check_clone(pushed, clone_checks.pushed) == (
        "problem",
        "origin has no branch main. Run `git push -u origin main`.",
    )


def test_a_main_that_is_ahead_or_behind(pushed: Project) -> None:
    """Commits that only the clone or only the remote has are a warning."""
    assert check_clone(pushed, clone_checks.pushed)[0] == "ok"
    pushed.commit("mine")
    assert check_clone(pushed, clone_checks.pushed) == (
        "warning", "main has 1 commit(s) that origin lacks. Run `git push origin main`.",
    )  # fmt: skip
    pushed.git("push", "--quiet", "origin", "main")
    pushed.git("reset", "--quiet", "--hard", "HEAD^")
    assert check_clone(pushed, clone_checks.pushed)[1].endswith("Run `git pull`.")


def test_a_history_that_is_cut(pushed: Project, tmp_path: Path) -> None:
    """A shallow clone lacks the older versions of the record."""
    assert check_clone(pushed, clone_checks.whole_history)[0] == "ok"
    pushed.commit("one more")
    pushed.git("push", "--quiet", "origin", "main")
    remote = (pushed.root.parent / "remote.git").as_uri()
    pushed.git("clone", "--quiet", "--depth", "1", remote, str(tmp_path / "shallow"))
    verdict, text = check_clone(Project(tmp_path / "shallow"), clone_checks.whole_history)
    assert verdict == "warning"
    assert "Run `git fetch --unshallow`." in text


def test_a_remote_that_cannot_be_reached(pushed: Project) -> None:
    """The state of the remote is unknown, but a store that cannot be reached is a problem."""
    pushed.git("remote", "set-url", "origin", str(pushed.root.parent / "gone.git"))
    assert check_clone(pushed, clone_checks.pushed)[0] == "cannot tell"
    assert check_store(pushed, store_checks.store_reachable)[0] == "problem"


def test_missing_workflows_are_named(pushed: Project) -> None:
    """A missing workflow or action is a problem."""
    assert check_clone(pushed, clone_checks.workflows)[0] == "ok"
    (pushed.root / ".github/workflows/train.yml").unlink()
    (pushed.root / ".github/actions/setup/action.yml").unlink()
    missing = ".github lacks actions/setup/action.yml, workflows/train.yml. Restore them from Git."
    assert check_clone(pushed, clone_checks.workflows) == ("problem", missing)


def test_every_generated_workflow_is_checked() -> None:
    """The list has all workflows of the template and the action that sets up their jobs."""
    github = TEMPLATE / ".github"
    generated = [*github.glob("workflows/*"), *github.glob("actions/*/*")]
    assert sorted(clone_checks.WORKFLOWS) == sorted(file.relative_to(github).as_posix() for file in generated)


def test_a_placeholder_in_codeowners_is_a_problem(pushed: Project) -> None:
    """The default answer of the template is not the name of a GitHub account."""
    assert check_clone(pushed, clone_checks.owners)[0] == "ok"
    pushed.write(clone_checks.OWNERS, "* @your-github-name\n")
    assert check_clone(pushed, clone_checks.owners)[0] == "problem"
    (pushed.root / clone_checks.OWNERS).unlink()
    assert check_clone(pushed, clone_checks.owners)[0] == "warning"


def test_an_unpinned_package_is_named(pushed: Project) -> None:
    """Names are compared without case, extras, version specifiers and comments."""
    assert check_clone(pushed, locks.covered)[0] == "ok"
    pushed.write("requirements/serve.in", "Scikit_Learn>=1  # the models\nnot-there[more]<2\n")
    verdict, text = check_clone(pushed, locks.covered)
    assert verdict == "problem"
    assert text.startswith("Not pinned: not-there of serve.in, not-there of train.in.")


def test_installed_versions_must_be_the_pinned_ones(pushed: Project) -> None:
    """A package with another version is named with the pinned version."""
    assert check_clone(pushed, locks.installed)[0] == "ok"
    pin = re.search(r"^skops==(\S+)", (pushed.root / "requirements/train.txt").read_text(), re.MULTILINE)
    assert pin
    pushed.edit("requirements/train.txt", pin.group(), "skops==0.0.1")
    verdict, text = check_clone(pushed, locks.installed)
    assert (verdict, text) == (
        "problem",
        f"skops {pin.group(1)} is installed, but the lock file pins 0.0.1. Run `make setup`.",
    )


def test_a_lock_may_pin_one_package_for_several_pythons(pushed: Project) -> None:
    """Each of these versions is accepted."""
    lock = (pushed.root / "requirements/train.txt").read_text()
    pushed.write("requirements/train.txt", "numpy==0.1 ; python_full_version < '3.9' \\\n" + lock)
    assert check_clone(pushed, locks.installed)[0] == "ok"


def test_without_requirements_the_lock_checks_do_not_apply(project: Project) -> None:
    """A repository may manage its packages in another way."""
    (project.root / "requirements/train.txt").unlink()
    assert {row.verdict for row in (c.run(project.root) for c in locks.CHECKS)} == {"not applicable"}


def test_a_store_that_does_not_exist_yet(pushed: Project) -> None:
    """The first version creates the store."""
    assert check_store(pushed, store_checks.store_reachable)[0] == "ok"
    others = (store_checks.schema_compatible, store_checks.size_within_budget)
    assert {check_store(pushed, check)[0] for check in others} == {"not applicable"}


def test_a_store_reports_its_remaining_space(at_stage: Callable[[str], Project]) -> None:
    """The text has the budget of the store and the size limit of a file in Git."""
    project = at_stage("registered")
    assert [check_store(project, c)[0] for c in store_checks.CHECKS] == ["ok"] * 3
    text = check_store(project, store_checks.size_within_budget)[1]
    assert re.search(r"of 900 MiB \(\d.* left\), the database .* of 50 MiB", text)


def test_a_store_that_fills_up(at_stage: Callable[[str], Project], monkeypatch: pytest.MonkeyPatch) -> None:
    """A store that is nearly full is a warning, a full one is a problem."""
    project = at_stage("registered")
    store = Branch(config.find_repository(project.root))
    store.refresh()
    size = (store.root / "mlflow.db").stat().st_size
    for limit, verdict in ((size / 0.9, "warning"), (size, "problem")):
        monkeypatch.setattr(store_checks, "FILE_LIMIT", int(limit))
        assert check_store(project, store_checks.size_within_budget)[0] == verdict
    assert branch.FILE_LIMIT == 50 * 2**20


def test_a_store_of_another_mlflow_version(at_stage: Callable[[str], Project]) -> None:
    """The store is not opened, because MLflow would migrate it; the text names the fix."""
    project = at_stage("registered")

    def set_older_schema(root: Path) -> None:
        with sqlite3.connect(root / "mlflow.db") as database:
            database.execute("UPDATE alembic_version SET version_num = 'older'")

    Branch(config.find_repository(project.root)).transact("age", set_older_schema)
    verdict, text = check_store(project, store_checks.schema_compatible)
    assert verdict == "problem"
    assert "gitops store upgrade" in text


def test_a_server_that_does_not_respond(pushed: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """The server is named without the password in its address, and the branch is not checked."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://ada:secret@127.0.0.1:9")
    result = pushed.gitops("doctor")
    assert result.code == 13
    assert re.search(r"STORE .* problem ", result.out)
    assert "127.0.0.1:9" in result.out
    assert "secret" not in result.out + result.err


class FakeGitHub(GitHub):
    """GitHub with recorded responses, without a network."""

    def __init__(self, responses: dict[str, Any]) -> None:
        """Set the responses by path."""
        super().__init__("ada/sample", "token")
        self.responses = responses

    def get(self, path: str, **parameters: str | int) -> Any:
        """Return the recorded response."""
        return self.responses[path]

    def paginate(self, path: str, **parameters: str | int) -> Any:
        """Return an iterator over the recorded response."""
        return iter(self.responses[path])


READY: dict[str, Any] = {
    "": {"delete_branch_on_merge": True},
    repository_settings.WORKFLOW: repository_settings.PERMISSIONS,
    "/labels": [dict(repository_settings.LABELS[0], id=1, default=False)],
    "/environments": {"environments": [{"name": "production"}]},
    "/rulesets": [],
}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("TRAIN_RUNNER", "gpu"), ("TRAIN_RUNNER", "ubuntu-24.04"), ("TRAIN_RUNNER", "Team runner 1"),
        ("TRAIN_RUNNER", '["self-hosted", "gpu"]'), ("TRAIN_TIMEOUT", "1"), ("TRAIN_TIMEOUT", "7200"),
    ],
)  # fmt: skip
def test_values_that_github_accepts(name: str, value: str) -> None:
    """A label, a JSON list of labels, whole minutes."""
    assert choice_checks.find_fault(name, value) == ""


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        *(("TRAIN_RUNNER", value, 'such as ["self-hosted", "gpu"]')
          for value in ("", " gpu", "self-hosted, gpu", "[gpu]", '["gpu"', "[]", '["gpu", 1]', '{"group": "a"}')),
        *(("TRAIN_TIMEOUT", value, "whole minutes from 1 to 7200")
          for value in ("", "0", "-5", "2h", "1.5", " 60", "60 ", '"60"', "7201", "1e2")),
    ],
)  # fmt: skip
def test_values_that_end_a_run(name: str, value: str, allowed: str) -> None:
    """The text has the name, the value and what is allowed."""
    text = choice_checks.find_fault(name, value)
    assert text.startswith(f"{name} is {value!r}")
    assert allowed in text


NO_CHOICES: dict[str, Any] = {
    "/actions/variables": [], "/actions/organization-variables": [], "/actions/secrets": [],
    "/actions/organization-secrets": [], "/environments/production/secrets": [],
}  # fmt: skip


def check_secrets(project: Project, path: str = "", *names: str) -> tuple[str, str]:
    """Return verdict and text of the check of secrets, with the secrets of one list."""
    responses = {**READY, **NO_CHOICES, **({path: [{"name": name} for name in names]} if path else {})}
    repository = on_github.RemoteRepository(FakeGitHub(responses), project.root, {}, "production", "mlflow")
    row = choice_checks.secrets.run(repository)
    return row.verdict, row.text


def test_a_secret_of_an_environment_names_it(pushed: Project) -> None:
    """Only jobs of that environment get it."""
    verdict, text = check_secrets(pushed, "/environments/production/secrets", "GITOPS_TOKEN")
    assert verdict == "ok"
    assert "GITOPS_TOKEN (environment production): deploy: deploy; rollback: rollback; monitor: monitor" in text


def test_a_query_needs_a_name_that_workflows_know(pushed: Project) -> None:
    """Another name would need an edit of the workflows; the login may export it."""
    pushed.edit("model.toml", 'path = "data/rows.csv"', 'query = "SELECT 1"\nurl_env = "WAREHOUSE"')
    verdict, text = check_secrets(pushed)
    assert verdict == "problem"
    assert "no workflow gives WAREHOUSE to a job: use a name of `gitops docs configuration`" in text
    login = pushed.root / choice_checks.LOGIN
    login.write_text(login.read_text() + "\n# exports WAREHOUSE\n")
    assert check_secrets(pushed)[0] == "ok"


@pytest.mark.parametrize(
    ("path", "name", "missing"),
    [
        ("/actions/secrets", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"),
        ("/actions/secrets", "GITOPS_APP_PRIVATE_KEY", "GITOPS_APP_ID"),
    ],
)
def test_half_of_a_pair_is_a_warning(pushed: Project, path: str, name: str, missing: str) -> None:
    """S3 and a GitHub App need both parts."""
    verdict, text = check_secrets(pushed, path, name)
    assert verdict == "warning"
    assert f"{name} is set without {missing}" in text


def test_variables_of_an_organization_are_overridden(pushed: Project) -> None:
    """The repository's value is the one that workflows see."""
    shared = [{"name": "TRAIN_RUNNER", "value": "[broken"}, {"name": "TEST_RUNNER", "value": "x"}]
    github = FakeGitHub({**NO_CHOICES, "/actions/organization-variables": shared,
                         "/actions/variables": [{"name": "TRAIN_RUNNER", "value": "gpu"}]})  # fmt: skip
    assert choice_checks.fetch_variables(github) == {"TRAIN_RUNNER": "gpu", "TEST_RUNNER": "x"}


def test_a_label_without_our_description_is_updated(project: Project) -> None:
    """GitHub creates a grey label without a description when a pull request gets an unknown label."""
    grey = {**READY, "/labels": [{"name": "promotion", "color": "ededed", "description": None}]}
    steps = repository_settings.plan_setup(FakeGitHub(grey), project.root).steps
    expected = {name: repository_settings.LABELS[0][name] for name in ("color", "description")}
    assert [(step.method, step.path, step.body) for step in steps] == [("PATCH", "/labels/promotion", expected)]
    assert repository_settings.plan_setup(FakeGitHub(READY), project.root).steps == ()


def test_every_environment_of_model_toml_is_created(project: Project) -> None:
    """An environment without a record is created too."""
    toml = (project.root / "model.toml").read_text()
    project.write("model.toml", toml + '\n[deploy]\nenvironments = ["staging", "production"]\n')
    (step,) = repository_settings.plan_setup(FakeGitHub(READY), project.root).steps
    assert step.todo == "create environment staging"


RULESET = json.loads((TEMPLATE / ".github/rulesets/main.json").read_text())


@pytest.mark.parametrize(
    ("change", "is_same"),
    [
        ({"id": 7, "source": "ada/sample", "created_at": "2026-01-01T00:00:00Z"}, True),
        ({"rules": RULESET["rules"][::-1]}, True),
        ({"rules": [*RULESET["rules"], {"type": "required_signatures"}]}, False),
        ({"rules": RULESET["rules"][1:]}, False),
        ({"bypass_actors": []}, False),
        ({"enforcement": "disabled"}, False),
        ({"conditions": {"ref_name": {"include": ["~ALL"], "exclude": []}}}, False),
    ],
    ids=["added fields", "another order", "additional rule", "missing rule", "no bypass", "disabled", "other branches"],
)
def test_a_ruleset_is_the_same_or_differs(change: dict[str, Any], is_same: bool) -> None:
    """A field that GitHub adds is no difference; a change by a person is one."""
    assert rulesets.matches(RULESET, {**RULESET, **change}) is is_same


def test_hidden_bypass_actors_are_no_difference() -> None:
    """GitHub hides the bypass actors from accounts without admin rights."""
    assert rulesets.matches(RULESET, {name: value for name, value in RULESET.items() if name != "bypass_actors"})


def test_an_invalid_ruleset_file_is_named(project: Project) -> None:
    """The message contains the name of the file."""
    project.write(".github/rulesets/broken.json", "[]")
    with pytest.raises(ConfigError, match=r"broken\.json"):
        rulesets.load_rulesets(project.root)
