"""The doctor on the clone and on the store: each promise kept, and broken; nothing here needs GitHub."""

import json
import re
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gitops_ml import config, locks
from gitops_ml.errors import ConfigError
from gitops_ml.forge import clone, rulesets, settings
from gitops_ml.forge import health as on_github
from gitops_ml.forge.github import GitHub
from gitops_ml.health import Check, Finding, Row, check
from gitops_ml.registry import branch, health
from gitops_ml.registry.branch import Branch
from unit.sample import TEMPLATE, Project


@pytest.fixture(autouse=True)
def _no_token(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody's GitHub is asked, and no server waits for us for long."""
    for name in ("GITHUB_TOKEN", "GITHUB_REPOSITORY", "GITHUB_API_URL", "GITHUB_SERVER_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "5")


@pytest.fixture
def pushed(project: Project) -> Project:
    """The project with a remote that has its main, and with the files that the doctor looks for."""
    files = [f"requirements/{lock}.{kind}" for lock in ("train", "serve") for kind in ("in", "txt")]
    for name in [*files, *(f".github/{file}" for file in clone.WORKFLOWS)]:
        project.write(name, (TEMPLATE / name).read_text())
    project.write(clone.OWNERS, "* @ada\n")
    project.commit()
    project.git("init", "--quiet", "--bare", "--initial-branch", "main", str(project.root.parent / "remote.git"))
    project.git("remote", "add", "origin", str(project.root.parent / "remote.git"))
    project.git("push", "--quiet", "origin", "main")
    return project


def look(project: Project, what: Check[Path]) -> tuple[str, str]:
    """Verdict and text of one check of the clone."""
    row = what.examine(project.root)
    return row.verdict, row.text


def shelve(project: Project, what: Check[health.Shelf]) -> tuple[str, str]:
    """The same of the store."""
    row = what.examine(health.find(config.find(project.root)))
    return row.verdict, row.text


def test_without_a_token_the_clone_and_the_store_are_looked_at(pushed: Project, tmp_path: Path) -> None:
    """What GitHub would say cannot be told, which is no problem: exit 0, a table, and a line that sums it up."""
    told = pushed.must("doctor")
    assert "ok" in told.out
    assert re.search(r"TOKEN .* cannot tell .* GITHUB_TOKEN is not set", told.out)
    assert f"{len(on_github.CHECKS)} cannot tell." in told.out
    assert "problem" not in told.out


def test_the_table_is_a_part_of_the_step_summary(
    pushed: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever runs it in a workflow reads it there."""
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary.md"))
    pushed.must("doctor")
    assert re.search(r"### Doctor\n\n\| check .*\| MODEL .*checks: ", (tmp_path / "summary.md").read_text(), re.DOTALL)


def test_problems_are_counted_and_named(project: Project) -> None:
    """Exit code 13; the message says how many and which."""
    result = project.gitops("doctor")
    assert result.code == 13
    assert result.err.splitlines()[-2:] == [
        "Doctor: 2 problem(s): CLONE, WORKFLOWS.",
        "  The table says what to do about each of them.",
    ]


def test_a_model_toml_that_is_not_valid_stops_only_what_needs_it(pushed: Project) -> None:
    """The key that is wrong is named; the clone and GitHub are looked at all the same."""
    pushed.edit("model.toml", "holdout = 0.4", "holdout = 4")
    result = pushed.gitops("doctor")
    assert result.code == 13
    assert re.search(r"MODEL .* problem .*\[split\] holdout is 4", result.out)
    assert re.search(r"STORE .* cannot tell .*model\.toml", result.out)
    assert re.search(r"LOCKS .* ok", result.out)


def test_outside_a_repository_a_sentence_says_where_to_go(project: Project) -> None:
    """There is nothing to look at."""
    assert project.gitops("--project", str(project.root.parent), "doctor").code == 3


def test_a_check_that_breaks_does_not_stop_the_rest() -> None:
    """An answer that nobody foresaw tells us nothing; it is no traceback."""

    @check("ODD")
    def odd(subject: dict[str, str]) -> Finding:
        """All is well."""
        return Finding(subject["verdict"], "")  # type: ignore[arg-type]

    expected = Row("ODD", "cannot tell", "An answer was not as expected (KeyError: 'verdict').")
    assert odd.examine({}) == expected
    assert odd.examine({"verdict": "ok"}).text == "All is well."


def test_a_clone_without_a_remote(project: Project) -> None:
    """The two commands that are missing are named."""
    verdict, text = look(project, clone.pushed)
    assert verdict == "problem"
    assert "git remote add origin" in text


def test_a_folder_that_is_no_repository(project: Project, tmp_path: Path) -> None:
    """A baked folder before its first `git init`."""
    assert look(Project(tmp_path), clone.pushed)[0] == "problem"


def test_a_remote_without_main(pushed: Project) -> None:
    """The push is missing."""
    empty = str(pushed.root.parent / "empty.git")
    pushed.git("init", "--quiet", "--bare", empty)
    pushed.git("remote", "set-url", "origin", empty)
    assert look(pushed, clone.pushed) == ("problem", "origin has no branch main. Run `git push -u origin main`.")


def test_a_main_that_is_ahead_or_behind(pushed: Project) -> None:
    """Commits that only one of the two has are worth a word, and nothing fails because of them."""
    assert look(pushed, clone.pushed)[0] == "ok"
    pushed.commit("mine")
    assert look(pushed, clone.pushed) == (
        "warning", "main has 1 commit(s) that origin lacks. Run `git push origin main`.",
    )  # fmt: skip
    pushed.git("push", "--quiet", "origin", "main")
    pushed.git("reset", "--quiet", "--hard", "HEAD^")
    assert look(pushed, clone.pushed)[1].endswith("Run `git pull`.")


def test_a_remote_that_cannot_be_reached(pushed: Project) -> None:
    """What origin has cannot be told; but that the store cannot be reached is certain."""
    pushed.git("remote", "set-url", "origin", str(pushed.root.parent / "gone.git"))
    assert look(pushed, clone.pushed)[0] == "cannot tell"
    assert shelve(pushed, health.reachable)[0] == "problem"


def test_workflows_that_are_missing_are_named(pushed: Project) -> None:
    """Without them nothing runs."""
    assert look(pushed, clone.workflows)[0] == "ok"
    (pushed.root / ".github/workflows/train.yml").unlink()
    (pushed.root / ".github/actions/setup/action.yml").unlink()
    missing = ".github lacks actions/setup/action.yml, workflows/train.yml. Restore them from Git."
    assert look(pushed, clone.workflows) == ("problem", missing)


def test_every_workflow_that_is_generated_is_looked_for() -> None:
    """And the action that sets up their jobs."""
    github = TEMPLATE / ".github"
    generated = [*github.glob("workflows/*"), *github.glob("actions/*/*")]
    assert sorted(clone.WORKFLOWS) == sorted(file.relative_to(github).as_posix() for file in generated)


def test_a_placeholder_owns_nothing(pushed: Project) -> None:
    """The default answer of the template is nobody's name."""
    assert look(pushed, clone.owners)[0] == "ok"
    pushed.write(clone.OWNERS, "* @your-github-name\n")
    assert look(pushed, clone.owners)[0] == "problem"
    (pushed.root / clone.OWNERS).unlink()
    assert look(pushed, clone.owners)[0] == "warning"


def test_a_package_that_is_not_pinned_is_named(pushed: Project) -> None:
    """Whatever its case, and whatever stands behind its name."""
    assert look(pushed, locks.covered)[0] == "ok"
    pushed.write("requirements/serve.in", "Scikit_Learn>=1  # the models\nnot-there[more]<2\n")
    verdict, text = look(pushed, locks.covered)
    assert verdict == "problem"
    assert text.startswith("Not pinned: not-there of serve.in, not-there of train.in.")


def test_what_is_installed_must_be_what_is_pinned(pushed: Project) -> None:
    """Another version, or none, is named with the one that the lock has."""
    assert look(pushed, locks.installed)[0] == "ok"
    pin = re.search(r"^skops==(\S+)", (pushed.root / "requirements/train.txt").read_text(), re.MULTILINE)
    assert pin
    pushed.edit("requirements/train.txt", pin.group(), "skops==0.0.1")
    verdict, text = look(pushed, locks.installed)
    assert (verdict, text) == ("problem", f"skops is {pin.group(1)}, not 0.0.1. Run `make setup`.")


def test_a_lock_may_pin_one_package_for_several_pythons(pushed: Project) -> None:
    """Either version will do."""
    lock = (pushed.root / "requirements/train.txt").read_text()
    pushed.write("requirements/train.txt", "numpy==0.1 ; python_full_version < '3.9' \\\n" + lock)
    assert look(pushed, locks.installed)[0] == "ok"


def test_without_requirements_there_is_nothing_to_compare(project: Project) -> None:
    """A repository that keeps its packages elsewhere is none of our business."""
    (project.root / "requirements/train.txt").unlink()
    assert {row.verdict for row in (c.examine(project.root) for c in locks.CHECKS)} == {"not applicable"}


def test_a_store_that_is_not_there_yet(pushed: Project) -> None:
    """It comes with the first version."""
    assert shelve(pushed, health.reachable)[0] == "ok"
    assert {shelve(pushed, c)[0] for c in (health.readable, health.small)} == {"not applicable"}


def test_a_store_says_how_much_is_left(at_stage: Callable[[str], Project]) -> None:
    """Of the budget, and of what Git should carry in a file."""
    project = at_stage("registered")
    assert [shelve(project, c)[0] for c in health.CHECKS] == ["ok"] * 3
    assert re.search(r"of 900 MiB \(\d.* left\), the database .* of 50 MiB", shelve(project, health.small)[1])


def test_a_store_that_fills_up(at_stage: Callable[[str], Project], monkeypatch: pytest.MonkeyPatch) -> None:
    """A warning before it is full, a problem when it is."""
    project = at_stage("registered")
    store = Branch(config.find(project.root))
    store.refresh()
    size = (store.root / "mlflow.db").stat().st_size
    for limit, verdict in ((size / 0.9, "warning"), (size, "problem")):
        monkeypatch.setattr(health, "FILE_LIMIT", int(limit))
        assert shelve(project, health.small)[0] == verdict
    assert branch.FILE_LIMIT == 50 * 2**20


def test_a_store_of_another_mlflow(at_stage: Callable[[str], Project]) -> None:
    """Opening it would migrate it for ever, so it is not opened; the fix is named."""
    project = at_stage("registered")

    def age(root: Path) -> None:
        with sqlite3.connect(root / "mlflow.db") as database:
            database.execute("UPDATE alembic_version SET version_num = 'older'")

    Branch(config.find(project.root)).transact("age", age)
    verdict, text = shelve(project, health.readable)
    assert verdict == "problem"
    assert "gitops store upgrade" in text


def test_a_server_that_does_not_answer(pushed: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is named, without the password in its address; the branch is not looked at."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://ada:secret@127.0.0.1:9")
    result = pushed.gitops("doctor")
    assert result.code == 13
    assert re.search(r"STORE .* problem ", result.out)
    assert "127.0.0.1:9" in result.out
    assert "secret" not in result.out + result.err


class Silent(GitHub):
    """A GitHub that has these answers, and notes what is written."""

    def __init__(self, answers: dict[str, Any]) -> None:
        """Keep the answers by path."""
        super().__init__("ada/sample", "token")
        self.answers = answers

    def get(self, path: str, **parameters: str | int) -> Any:
        """What was kept."""
        return self.answers[path]

    def each(self, path: str, **parameters: str | int) -> Any:
        """The same."""
        return iter(self.answers[path])


READY: dict[str, Any] = {
    settings.WORKFLOW: settings.JOBS,
    "/labels": [dict(settings.LABELS[0], id=1, default=False)],
    "/environments": {"environments": [{"name": "production"}]},
    "/rulesets": [],
}


def test_a_label_that_somebody_else_made_gets_our_words(project: Project) -> None:
    """GitHub makes a grey one without a word where a pull request is given a label that is not there."""
    grey = {**READY, "/labels": [{"name": "promotion", "color": "ededed", "description": None}]}
    steps = settings.plan(Silent(grey), project.root).steps
    look = {name: settings.LABELS[0][name] for name in ("color", "description")}
    assert [(step.method, step.path, step.body) for step in steps] == [("PATCH", "/labels/promotion", look)]
    assert settings.plan(Silent(READY), project.root).steps == ()


def test_every_environment_of_model_toml_is_wanted(project: Project) -> None:
    """Before it has a record, too."""
    toml = (project.root / "model.toml").read_text()
    project.write("model.toml", toml + '\n[deploy]\nenvironments = ["staging", "production"]\n')
    assert [step.todo for step in settings.plan(Silent(READY), project.root).steps] == ["create environment staging"]


OURS = json.loads((TEMPLATE / ".github/rulesets/main.json").read_text())


@pytest.mark.parametrize(
    ("change", "same"),
    [
        ({"id": 7, "source": "ada/sample", "created_at": "2026-01-01T00:00:00Z"}, True),
        ({"rules": OURS["rules"][::-1]}, True),
        ({"rules": [*OURS["rules"], {"type": "required_signatures"}]}, False),
        ({"rules": OURS["rules"][1:]}, False),
        ({"bypass_actors": []}, False),
        ({"enforcement": "disabled"}, False),
        ({"conditions": {"ref_name": {"include": ["~ALL"], "exclude": []}}}, False),
    ],
    ids=["what GitHub adds", "another order", "a rule more", "a rule less", "nobody passes", "off", "other branches"],
)
def test_a_ruleset_is_the_same_or_differs(change: dict[str, Any], same: bool) -> None:
    """What GitHub adds by itself is no difference; what a person changed is one."""
    assert rulesets.same(OURS, {**OURS, **change}) is same


def test_who_may_pass_by_is_not_shown_to_everybody() -> None:
    """What is hidden does not differ."""
    assert rulesets.same(OURS, {name: value for name, value in OURS.items() if name != "bypass_actors"})


def test_a_file_that_is_no_ruleset_is_named(project: Project) -> None:
    """It is a sentence with the file in it."""
    project.write(".github/rulesets/broken.json", "[]")
    with pytest.raises(ConfigError, match=r"broken\.json"):
        rulesets.wanted(project.root)
