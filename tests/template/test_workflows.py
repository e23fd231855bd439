"""The generated workflows, read by the tools that read workflows best, where they lie: nothing in them is rendered."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from house import GENERATED, TEMPLATE

FOLDER = GENERATED / ".github" / "workflows"
WORKFLOWS = sorted(FOLDER.glob("*.yml"))
BIN = TEMPLATE / ".venv" / "bin"
ACTIONLINT = TEMPLATE / "tests" / "tools" / "node_modules" / "@tktco" / "node-actionlint"
# actionlint 1.7.7 is older than this key (GitHub, 2026-05-07); the schema below knows it.
UNKNOWN = 'unexpected key "queue" for "concurrency" section. expected one of "cancel-in-progress", "group"'
by_name = pytest.mark.parametrize("file", WORKFLOWS, ids=lambda file: file.stem)


def read(file: Path) -> dict[Any, Any]:
    """One workflow as data; YAML 1.1 takes its `on` for a truth."""
    found: dict[Any, Any] = yaml.safe_load(file.read_text())
    return found


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


def test_githubs_schema_is_kept() -> None:
    """The schema that GitHub's own editors use."""
    done = run(BIN / "check-jsonschema", "--builtin-schema", "vendor.github-workflows", *WORKFLOWS)
    assert done.returncode == 0, done.stdout


def test_zizmor_finds_nothing_even_when_pedantic() -> None:
    """No finding, and no ignored one either."""
    done = run(BIN / "zizmor", "--offline", "--persona", "pedantic", "--format", "json", FOLDER)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == []
    assert not any("zizmor:" in file.read_text() for file in WORKFLOWS)


@by_name
def test_a_workflow_may_nothing_and_each_job_little(file: Path) -> None:
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
    """A run that hangs costs minutes, and two that meet cost more."""
    for name, job in read(file)["jobs"].items():
        assert job["timeout-minutes"] <= 120, name
        assert "concurrency" in job, name


@by_name
def test_every_action_is_pinned_and_keeps_no_credentials(file: Path) -> None:
    """A full commit, with the version beside it; a token stays in no clone."""
    for line in re.findall(r"\buses: .*", file.read_text()):
        assert re.fullmatch(r"uses: [\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", line)
    for job in read(file)["jobs"].values():
        checkouts = [step for step in job["steps"] if "checkout" in step.get("uses", "")]
        # Who runs no command needs no files.
        runs = any("run" in step for step in job["steps"])
        assert [step["with"]["persist-credentials"] for step in checkouts] == ([False] if runs else [])


@by_name
def test_every_run_is_one_command_without_any_expression(file: Path) -> None:
    """Workflows own when and who; Python owns what. Untrusted text never reaches a shell."""
    for job in read(file)["jobs"].values():
        for command in (step["run"] for step in job["steps"] if "run" in step):
            assert re.fullmatch(r"make [a-z]+|\.venv/bin/gitops [a-z]+", command), command


@pytest.mark.parametrize("name", ["deploy", "rollback", "monitor", "ingest"])
def test_what_changes_a_place_runs_on_main_alone(name: str) -> None:
    """Whoever may dispatch may dispatch on any branch, whose record and model.toml nobody has merged."""
    for job in read(FOLDER / f"{name}.yml")["jobs"].values():
        assert re.match(r"github\.ref == 'refs/heads/main'($| && )", job["if"])


def test_jobs_that_write_run_nothing_of_yours() -> None:
    """What imports your code may only read."""
    learning = {"train", "compare", "validate", "test", "types", "lint", "machinery"}
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


def test_secrets_of_a_source_meet_no_code_of_yours_and_no_pen() -> None:
    """Ingest has three jobs: one knows the secrets, one runs your code, one writes."""
    jobs = read(FOLDER / "ingest.yml")["jobs"]
    stages = {name: next(step["env"] for step in job["steps"] if "env" in step) for name, job in jobs.items()}
    assert {name: env["GITOPS_STAGE"] for name, env in stages.items()} == {name: name for name in jobs}
    assert [name for name, env in stages.items() if any("secrets." in value for value in env.values())] == ["pull"]
    assert [name for name, job in jobs.items() if "write" in job["permissions"].values()] == ["offer"]
