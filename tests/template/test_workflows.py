"""The generated workflows, checked in the template by linters for workflows: no workflow is rendered."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from gitops_ml import job_secrets
from gitops_ml.locks import read_pins
from repositories import DATA, GENERATED, TEMPLATE, bake

FOLDER = GENERATED / ".github" / "workflows"
WORKFLOWS = sorted(FOLDER.glob("*.yml"))
SETUP = "./.github/actions/setup"
LOGIN = "./.github/actions/login"
ACTIONS = [GENERATED / folder / "action.yml" for folder in (SETUP, LOGIN)]
DEPENDABOT = [root / ".github" / "dependabot.yml" for root in (GENERATED, TEMPLATE)]
# The only action that gets a secret: it makes a token of the key of a GitHub App.
GETS_KEY = "actions/create-github-app-token"
LOCKS = ("dev", "train", "serve")
BIN = TEMPLATE / ".venv" / "bin"
ACTIONLINT = TEMPLATE / "tests" / "tools" / "node_modules" / "@tktco" / "node-actionlint"
# actionlint 1.7.7 is older than this key (GitHub, 2026-05-07); the schema below knows it.
UNKNOWN = 'unexpected key "queue" for "concurrency" section. expected one of "cancel-in-progress", "group"'
# zizmor recommends `$/` for local actions, which actionlint and act do not know (docs/decisions/0028).
LOCAL = [("self-repository", "use '$/...' instead of './...'", f"uses: {action}") for action in (SETUP, LOGIN)]
PINNED = re.compile(r"uses: [\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+")
# Runner and timeout of each job are variables: a label or a JSON list, and a number. GitHub takes no text as a number,
# and does not evaluate the right side of `&&` if the left side is false.
RUNNER = (
    "${{{{ startsWith(vars.{0}_RUNNER, '[') && fromJSON(vars.{0}_RUNNER) || vars.{0}_RUNNER || 'ubuntu-latest' }}}}"
)
TIMEOUT = re.compile(r"\$\{\{ fromJSON\(vars\.(\w+)_TIMEOUT \|\| '(\d+)'\) \}\}")
# Roll back changes the servers that Deploy started, so it needs the same machine.
RUNNERS = {"rollback": "DEPLOY"}
USE = re.compile(r"\$\{\{ (?:secrets|vars)\.(\w+)(?: \|\| (?:secrets|vars|env)\.\1)* \}\}")
by_name = pytest.mark.parametrize("file", WORKFLOWS, ids=lambda file: file.stem)


def read(file: Path) -> dict[Any, Any]:
    """One workflow as data; YAML 1.1 reads its `on` as a Boolean."""
    found: dict[Any, Any] = yaml.safe_load(file.read_text())
    return found


def jobs() -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield every job of every workflow, with its name."""
    for file in WORKFLOWS:
        for name, job in read(file)["jobs"].items():
            yield f"{file.stem}: {name}", job


def variable(job: str) -> str:
    """Return the first part of the variables of a job."""
    return job.upper().replace("-", "_")


def lock(job: dict[str, Any]) -> str:
    """Return the lock that a job installs."""
    return str(next(step["with"]["lock"] for step in job["steps"] if step.get("uses") == SETUP))


def run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    """Run a tool in the folder of the generated repository."""
    return subprocess.run(list(map(str, command)), cwd=GENERATED, check=False, capture_output=True, text=True)


@pytest.mark.slow  # `make tools` installs what it needs
def test_actionlint_finds_nothing() -> None:
    """Expressions, outputs, needs and shell, as actionlint sees them."""
    package = json.loads((ACTIONLINT / "package.json").read_text())
    script = ACTIONLINT / package["bin"]
    done = run("node", script, ".github/workflows/*.yml")
    found = re.findall(r"^\S+\.yml:\d+:\d+ .*$", done.stdout, re.MULTILINE)
    assert f"{len(WORKFLOWS)} workflow file(s)" in done.stdout, done.stdout + done.stderr
    assert [line for line in found if UNKNOWN not in line] == []


@pytest.mark.slow
def test_githubs_schema_is_kept() -> None:
    """The schema that GitHub's own editors use accepts every workflow."""
    schemas = {"github-workflows": WORKFLOWS, "github-actions": ACTIONS, "dependabot": DEPENDABOT}
    for schema, files in schemas.items():
        done = run(BIN / "check-jsonschema", "--builtin-schema", f"vendor.{schema}", *files)
        assert done.returncode == 0, done.stdout


def test_zizmor_finds_nothing_even_when_pedantic() -> None:
    """The only finding is the form of the local action's path, once for each use; no finding is ignored in a file."""
    done = run(BIN / "zizmor", "--offline", "--persona", "pedantic", "--format", "json", *WORKFLOWS, *ACTIONS)
    found = [(each["ident"], *_at(each)) for each in json.loads(done.stdout)]
    assert [each for each in found if each not in LOCAL] == []
    assert len(found) == sum(file.read_text().count(use) for file in WORKFLOWS for *_, use in LOCAL)
    assert not any("zizmor:" in file.read_text() for file in [*WORKFLOWS, *ACTIONS])


def _at(finding: dict[str, Any]) -> tuple[str, str]:
    """The finding of zizmor, and the text that it is about."""
    (place,) = (each for each in finding["locations"] if each["symbolic"]["kind"] == "Primary")
    return place["symbolic"]["annotation"], f"uses: {place['concrete']['feature']}"


@by_name
def test_workflows_have_no_permissions_and_jobs_only_those_they_need(file: Path) -> None:
    """`permissions: {}` first; each grant of a job has its reason beside it."""
    workflow = read(file)
    assert workflow["permissions"] == {}
    for name, job in workflow["jobs"].items():
        assert job["permissions"], name
    granted = re.findall(r"^      [a-z-]+: (?:read|write)(.*)$", file.read_text(), re.MULTILINE)
    assert granted
    assert all(re.match(r" # \w+", reason) for reason in granted)


@by_name
def test_every_job_ends_in_time_and_has_its_lock(file: Path) -> None:
    """Runs that hang cost minutes, and so do concurrent runs."""
    for name, job in read(file)["jobs"].items():
        matched = TIMEOUT.fullmatch(job["timeout-minutes"])
        assert matched, name
        assert matched[1] == variable(name)
        assert int(matched[2]) <= 120, name
        assert "concurrency" in job, name


@by_name
def test_every_runner_can_be_chosen(file: Path) -> None:
    """One variable for each job, named after it, with a default."""
    for name, job in read(file)["jobs"].items():
        assert job["runs-on"] == RUNNER.format(RUNNERS.get(name, variable(name))), name


def test_no_two_jobs_share_a_variable() -> None:
    """The names of jobs are unique among all workflows."""
    names = [variable(name.split(": ")[1]) for name, _ in jobs()]
    assert len(set(names)) == len(names)


def test_each_job_gets_the_secrets_of_the_table_and_no_others() -> None:
    """The one table is gitops_ml/job_secrets.py; a job's token and inputs of other jobs are no secrets of a user."""
    expected: dict[str, dict[str, str]] = {name.replace(": ", "/"): {} for name, _ in jobs()}
    for secret in job_secrets.TABLE:
        for job in secret.jobs:
            expected[job][secret.name] = secret.expression
    found = {
        name.replace(": ", "/"): {
            name if kind == "env" else match[1]: value
            for step in job["steps"]
            for kind in ("env", "with")
            for name, value in step.get(kind, {}).items()
            if (match := USE.fullmatch(str(value)))
        }
        for name, job in jobs()
    }
    assert found == expected
    text = "".join(file.read_text() for file in WORKFLOWS)
    assert "toJSON(secrets)" not in text
    assert len(re.findall(r"secrets\.", text)) == sum(value.count("secrets.") for job in found.values()
                                                     for value in job.values())  # fmt: skip


def test_secrets_reach_the_command_that_needs_them_alone() -> None:
    """No step that installs packages or checks style gets one, and one action does; no job has one in its `env`."""
    for name, job in jobs():
        assert "env" not in job, name
        for step in job["steps"]:
            if any("secrets." in str(value) for value in step.get("env", {}).values()):
                assert re.fullmatch(r"make test|\.venv/bin/gitops (?!review|conclude)[a-z]+", step["run"]), name
            assert "secrets." not in str(step.get("with", {})) or GETS_KEY in step["uses"], name


def test_jobs_that_read_from_outside_log_in_first() -> None:
    """Right after the setup; other jobs do not call the action."""
    called = []
    for name, job in jobs():
        uses = [step.get("uses") for step in job["steps"]]
        if LOGIN in uses:
            called.append(name.replace(": ", "/"))
            assert uses.index(LOGIN) == uses.index(SETUP) + 1 == 2, name
            assert uses.count(LOGIN) == 1
    assert set(called) == set(job_secrets.LOGS_IN)


def test_the_login_does_nothing_at_first() -> None:
    """It is the user's: no secret, no token, one step without an effect, and no permission that it would need."""
    (step,) = read(ACTIONS[1])["runs"]["steps"]
    assert (step["run"], step["shell"]) == ("true", "bash")
    assert "id-token" not in "".join(file.read_text() for file in WORKFLOWS if file.stem != "pages")


def test_dependabot_reads_every_pin() -> None:
    """Each of its folders exists and has pins; the locks are small enough for it, and their sources are left out."""
    for file in DEPENDABOT:
        root = file.parents[1]
        updates = yaml.safe_load(file.read_text())["updates"]
        for update in updates:
            assert update["schedule"] == {"interval": "weekly"}
            assert update["cooldown"]["default-days"] >= 7
            assert [group["patterns"] for group in update["groups"].values()] == [["*"]]
            for folder in update.get("directories", [update.get("directory")]):
                assert folder == "/" or list(root.glob(folder.strip("/"))), f"{file}: {folder}"
        kinds = {update["package-ecosystem"]: update for update in updates}
        assert {"github-actions", "pip", "docker"} <= kinds.keys()
        assert kinds["docker"]["ignore"] == [{
            "dependency-name": "*python",
            "update-types": ["version-update:semver-major", "version-update:semver-minor"],
        }]  # fmt: skip
        assert "**/*.in" in kinds["pip"]["exclude-paths"]
        assert "retrain" in file.read_text().lower()
    # dependabot-core skips larger files.
    assert all(file.stat().st_size < 500_000 for file in GENERATED.glob("requirements/*.txt"))


@by_name
def test_every_action_is_pinned_and_keeps_no_credentials(file: Path) -> None:
    """A full commit, with the version beside it, or this repository's own; a token stays in no clone."""
    for line in re.findall(r"\buses: .*", file.read_text()):
        assert line in {f"uses: {SETUP}", f"uses: {LOGIN}"} or PINNED.fullmatch(line), line
    for job in read(file)["jobs"].values():
        checkouts = [step for step in job["steps"] if "checkout" in step.get("uses", "")]
        # Who runs no command needs no files.
        runs = any("run" in step for step in job["steps"])
        assert [step["with"]["persist-credentials"] for step in checkouts] == ([False] if runs else [])


@by_name
def test_every_run_is_one_command_without_any_expression(file: Path) -> None:
    """Workflows set triggers and permissions; the work is done in Python. Untrusted text never reaches a shell."""
    for job in read(file)["jobs"].values():
        for command in (step["run"] for step in job["steps"] if "run" in step):
            assert re.fullmatch(r"make (?!setup)[a-z]+|\.venv/bin/gitops [a-z]+", command), command


def test_a_job_that_runs_commands_sets_up_right_after_its_checkout() -> None:
    """With the local action, which gets an existing lock, and neither token nor secret."""
    for name, job in jobs():
        uses = [step.get("uses", "").partition("@")[0] for step in job["steps"]]
        if any("run" in step for step in job["steps"]):
            assert uses[:2] == ["actions/checkout", SETUP], name
        assert uses.count(SETUP) == (1 if "actions/checkout" in uses else 0), name
        for step in (step for step in job["steps"] if step.get("uses") == SETUP):
            assert {key: step[key] for key in step if key not in {"name", "uses"}} == {"with": {"lock": lock(job)}}, (
                name
            )
            assert lock(job) in LOCKS, name
            assert (GENERATED / "requirements" / f"{lock(job)}.txt").is_file(), name


def test_the_action_sets_up_by_the_makefile() -> None:
    """Its actions are pinned; `make` gets the lock as a variable, and no expression reaches a shell."""
    file = ACTIONS[0]
    action = read(file)
    steps = action["runs"]["steps"]
    assert [step["run"] for step in steps if "run" in step] == ["make setup"]
    assert [step["env"] for step in steps if "run" in step] == [{"LOCK": "${{ inputs.lock }}"}]
    assert action["inputs"].keys() == {"lock"}
    assert action["inputs"]["lock"]["required"] is True
    assert all(name in action["inputs"]["lock"]["description"] for name in LOCKS)
    named = re.findall(r"\buses: .*", file.read_text())
    assert [line for line in named if not PINNED.fullmatch(line)] == []
    assert len(named) == len(steps) - 1


def test_only_jobs_that_check_code_install_the_tools() -> None:
    """Linters, types and tests are in dev.txt alone; no command of gitops needs them."""
    for name, job in jobs():
        commands = [step["run"] for step in job["steps"] if "run" in step]
        if commands:
            assert (lock(job) == "dev") == any(command.startswith("make ") for command in commands), name


BLOCKED = """
import sys

class Blocked:
    def find_spec(name, path=None, target=None):
        if name.partition(".")[0] in sys.argv[1].split():
            raise ModuleNotFoundError(f"{name} is not in serve.txt")

sys.meta_path.insert(0, Blocked)
from gitops_ml.cli import main
sys.exit(main(["--project", sys.argv[2], *sys.argv[3:]]))
"""


def test_jobs_that_install_serve_need_no_other_packages(tmp_path: Path) -> None:
    """The commands of such jobs run where only the packages of serve.txt can be imported."""
    from importlib.metadata import packages_distributions

    there = {*read_pins(GENERATED / "requirements/serve.txt"), "gitops-ml"}
    lacking = {
        module for module, names in packages_distributions().items()
        if not {re.sub(r"[-_.]+", "-", name).lower() for name in names} & there
    }  # fmt: skip
    assert {"mlflow", "requests", "tabulate"} <= lacking
    commands = [
        step["run"].split()[1:] for _, job in jobs() if "run" in job["steps"][-1] and lock(job) == "serve"
        for step in job["steps"] if "run" in step
    ]  # fmt: skip
    assert commands == [["config"]]
    root, output = bake(tmp_path), tmp_path / "output"
    for command in commands:
        arguments = [sys.executable, "-c", BLOCKED, " ".join(lacking), str(root), *command]
        env = {**os.environ, "GITHUB_OUTPUT": str(output)}
        done = subprocess.run(arguments, env=env, check=False, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
    assert output.read_text() == 'environments=["production"]\n'


@pytest.mark.parametrize("name", ["deploy", "rollback", "monitor", "ingest", "upkeep"])
def test_jobs_that_change_an_environment_run_only_on_main(name: str) -> None:
    """A workflow can be dispatched on any branch, whose record and model.toml were never merged."""
    for job in read(FOLDER / f"{name}.yml")["jobs"].values():
        assert re.match(r"github\.ref == 'refs/heads/main'($| && )", job["if"])


def test_jobs_with_write_permissions_run_no_user_code() -> None:
    """A job that imports user code has read permissions only."""
    learning = {"train", "compare", "validate", "test", "types", "lint"}
    for file in WORKFLOWS:
        for name, job in read(file)["jobs"].items():
            commands = {step["run"].split()[-1] for step in job["steps"] if "run" in step}
            writes = [grant for grant, level in job["permissions"].items() if level == "write"]
            assert not (writes and commands & learning), f"{file.name}: {name} writes {writes} and runs {commands}"


def test_a_job_hands_a_token_to_the_last_command_alone() -> None:
    """Installing, linting and testing need none."""
    for file in WORKFLOWS:
        for job in read(file)["jobs"].values():
            for step in job["steps"]:
                if "GITHUB_TOKEN" in step.get("env", {}):
                    assert step["run"].startswith(".venv/bin/gitops ")


def test_jobs_with_secrets_of_a_source_run_no_user_code_and_cannot_write() -> None:
    """Ingest has three jobs: one knows the secrets, one runs your code, one writes."""
    jobs = read(FOLDER / "ingest.yml")["jobs"]
    stages = {name: next(step["env"] for step in job["steps"] if "env" in step) for name, job in jobs.items()}
    assert {name: env["GITOPS_STAGE"] for name, env in stages.items()} == {name: name for name in jobs}
    source = {"INGEST_URL", "INGEST_TOKEN"}
    assert [name for name, env in stages.items() if source & env.keys()] == ["pull"]
    assert not any("secrets." in value for value in stages["offer"].values())
    assert [name for name, job in jobs.items() if "write" in job["permissions"].values()] == ["offer"]


def test_an_update_is_proposed_with_the_token_of_an_app_if_there_is_one() -> None:
    """The App's token has the four permissions that the command needs; the command gets the key in no variable."""
    jobs = read(FOLDER / "upkeep.yml")["jobs"]
    assert [name for name, job in jobs.items() if "write" in job["permissions"].values()] == ["upkeep"]
    app, propose = jobs["upkeep"]["steps"][-2:]
    assert app["if"] == "vars.GITOPS_APP_ID != ''"
    permissions = {key: value for key, value in app["with"].items() if key.startswith("permission-")}
    assert permissions == {
        f"permission-{name}": "write" for name in ("contents", "workflows", "pull-requests", "issues")
    }
    assert propose["env"] == {
        "GITOPS_PROPOSE": "true", "GITOPS_MERGED": ".gitops/merged", "GITOPS_TO": "${{ inputs.to }}",
        "GITOPS_DIGEST": "${{ needs.merge.outputs.digest }}", "GITOPS_APP": "${{ steps.app.outputs.app-slug }}",
        "GITHUB_TOKEN": "${{ steps.app.outputs.token || github.token }}",
    }  # fmt: skip


def test_the_page_about_configuration_lists_every_variable_and_secret() -> None:
    """Each name with the jobs that get it, and each job's runner, time and default."""
    page = (DATA / "docs" / "configuration.md").read_text()
    rows = {row[0]: row[1:] for row in re.findall(r"^\| `(\w+)` \| (.*?) \| (.*?) \|", page, re.MULTILINE)}
    for secret in job_secrets.TABLE:
        assert secret.name in page, secret.name
    for name, job in jobs():
        job_name = name.split(": ")[1]
        matched = TIMEOUT.fullmatch(job["timeout-minutes"])
        assert matched
        runner = f"`{RUNNERS.get(job_name, variable(job_name))}_RUNNER`"
        assert rows[f"{matched[1]}_TIMEOUT"] == (runner, matched[2]), name
