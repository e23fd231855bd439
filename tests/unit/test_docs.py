"""Offline pages, and explanations of names in messages."""

import os
import pty
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest

from gitops_ml import cli, config, console, errors, manual, wheel
from gitops_ml.forge import alarm_issue, choice_checks, clone_checks
from gitops_ml.forge import github_checks as forge
from gitops_ml.locks import CHECKS as LOCKS
from gitops_ml.registry.store_checks import CHECKS as STORE
from gitops_ml.table import Table
from unit.sample import DATA, ROOT, TEMPLATE, Project

PAGES = (
    "adopt", "cells", "commands", "configuration", "gates", "how-a-model-ships", "model-toml", "monitoring", "own-data",
    "runbook", "security", "store", "targets", "update",
)  # fmt: skip
CHECKS = (
    "MODEL",
    *(check.id for check in (*clone_checks.CHECKS, *LOCKS, *STORE, *forge.CHECKS, *choice_checks.CHECKS)),
)
ALERTS = re.findall(r"alert: (\w+)", (DATA / "prometheus" / "rules.yml.in").read_text())
ERRORS = [each for each in vars(errors).values() if isinstance(each, type) and issubclass(each, errors.GitopsError)
          and each is not errors.GitopsError]  # fmt: skip
CODES = sorted({each.exit_code for each in ERRORS})


PAGES_OF_TEMPLATE = manual.load_pages(Path(__file__))  # this file is in no generated repository


def explained(id: str, pages: dict[str, manual.Page] = PAGES_OF_TEMPLATE) -> str:
    """Return the explanation of a name."""
    return "\n".join(f"{entry.title}\n{entry.text}" for entry in manual.find_entries(id, pages))


def test_docs_lists_every_page_with_its_title(project: Project) -> None:
    """The names are arguments of `gitops docs`."""
    output = project.must("docs").out
    assert [line.split()[0] for line in output.split("\n\n")[0].splitlines()] == list(PAGES)
    assert re.search(r"^gates +The gates$", output, re.MULTILINE)


@pytest.mark.parametrize("page", PAGES)
def test_a_page_is_plain_markdown_in_a_pipe(project: Project, page: str) -> None:
    """It is complete, but without links to other pages; upper and lower case are the same."""
    output = project.must("docs", page.upper()).out
    source = DATA / "docs" / f"{page}.md"
    source = source if source.is_file() else TEMPLATE / "docs" / f"{page}.md"
    assert output.splitlines()[0] == source.read_text().splitlines()[0]
    assert len(output.splitlines()) >= len(source.read_text().splitlines())
    assert not re.search(r"\]\((?!https)", output)


def test_an_unknown_page_is_a_usage_error_with_the_nearest_name(project: Project) -> None:
    """All names are listed if none is similar."""
    result = project.gitops("docs", "gate")
    assert result.code == 2
    assert "There is no page 'gate'. Perhaps you meant 'gates'" in result.err
    assert "There are: adopt, cells, commands, configuration," in project.gitops("docs", "zzz").err


def test_the_runbook_of_the_repository_is_read(project: Project) -> None:
    """A team may edit it; outside of a repository, it is the template's."""
    assert "# Runbook" in project.must("docs", "runbook").out
    project.write("docs/runbook.md", "# Our runbook\n\n## Page the team\n\nCall 123.\n")
    assert "Call 123." in project.must("docs", "runbook").out
    assert "Call 123." in project.must("explain", "page the team").out


def test_an_installed_library_reads_the_template_s_pages_from_its_archive(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The library is installed without a checkout."""
    shutil.copytree(DATA / "docs", tmp_path / "docs")
    shutil.copy(DATA / "model.schema.json", tmp_path)
    (tmp_path / "template.zip").write_bytes(wheel.build_template(ROOT))
    monkeypatch.setattr(manual, "DATA", tmp_path)
    assert manual.load_pages(tmp_path) == PAGES_OF_TEMPLATE


def test_pages_are_read_if_model_toml_is_invalid(project: Project) -> None:
    """They help to fix it."""
    project.write("model.toml", "not TOML")
    assert "One of the policies" in project.must("explain", "CHAMPION").out


@pytest.mark.parametrize(
    "id",
    [*get_args(config.GateId), *CHECKS, *ALERTS, *alarm_issue.KINDS, *map(str, CODES), *cli.COMMANDS, "Container"],
)
def test_names_in_messages_are_explained(id: str) -> None:
    """Gates, the doctor's checks, alerts, alarms, exit codes, commands: as written, and in lower case."""
    assert explained(id)
    assert explained(id.lower()) == explained(id)


@pytest.mark.parametrize(
    ("id", "part"),
    {
        "champion": "One of the policies under `[gates.champion]` holds",
        "LOCKS": "| `LOCKS` | every package",
        "12": "| 12 | GitHub | the repository's settings",
        "exit code 12": "Tick *Settings > Actions > General",
        "5": "`gitops validate` lists every violated rule",
        "gitops deploy": "makes what serves match the record",
        "[gates.slices]": "the `depth` of the tree",
        "split.holdout": "Share of rows held out",
        "monitoring.retrain.attempts": "Default: `3`",
        "targets.soak_hours": "before the next one",
        "rows_refused": "| 422 | `rows_refused` |",
        "GITOPS_LOG_KEY": "of hashed columns",
        "GITOPS_SUBNET": "a network of eight addresses",
        "gitopsdatadrift": "A column is not distributed as in training",
        "Data drift in production: worst_radius": "population stability index",
        "override": "it serves until a given time",
    }.items(),
    ids=lambda value: value if " " not in value else None,
)  # fmt: skip
def test_explain_shows_the_explanation_of_a_name(id: str, part: str) -> None:
    """It is a section, the row of a table, a key of model.toml, or a paragraph with the name."""
    assert part in explained(id)


def test_rows_of_a_table_have_one_head() -> None:
    """Three codes of one status are one table."""
    text = explained("422")
    assert text.count("| status | code | reason |") == 1
    assert text.count("| 422 |") == 3


def test_an_unknown_id_is_a_usage_error_with_the_nearest_ones(project: Project) -> None:
    """Pages are listed if no name is similar."""
    result = project.gitops("explain", "CHAMPIN")
    assert result.code == 2
    assert "There is no explanation of 'CHAMPIN'. Perhaps you meant 'CHAMPION'" in result.err
    for name in ("zzzz", "", "`"):
        assert "`gitops docs` lists the pages." in project.gitops("explain", name).err


def test_every_key_of_model_toml_is_explained() -> None:
    """It is found by its path and by its name."""
    entries = {name for entry in manual.list_entries(PAGES_OF_TEMPLATE) for name in entry.names}
    for table in ("split", "gates", "store", "serving", "monitoring"):
        keys = {name for name, field in config._model([table]).model_fields.items() if not _is_table(field.annotation)}
        assert {f"{table}.{key}" for key in keys} | keys <= entries


def _is_table(kind: object) -> bool:
    return isinstance(kind, type) and issubclass(kind, Table)


def test_the_table_of_exit_codes_is_that_of_the_errors() -> None:
    """Each code has the titles of its messages."""
    page = (DATA / "docs" / "commands.md").read_text().split("\n## Exit codes\n")[1]
    rows = re.findall(r"^\| (\d+) \| (.+?) \|", page, re.MULTILINE)
    documented = {int(code): set(titles.split(", ")) for code, titles in rows}
    expected: dict[int, set[str]] = {0: {"–"}, 2: {"–"}, errors.BUG_EXIT_CODE: {"–"}}
    for each in ERRORS:
        expected.setdefault(each.exit_code, set()).add(each.title)
    assert documented == expected


@pytest.mark.parametrize("rich", [True, False], ids=["with rich", "with the serving lock alone"])
def test_a_terminal_shows_a_page_in_its_pager(rich: bool) -> None:
    """It is formatted if rich is installed, and unchanged if not."""
    code = "import sys; from gitops_ml.cli import main; sys.exit(main(['docs', 'store']))"
    hidden = "" if rich else "import sys; sys.modules['rich'] = None; sys.modules['rich.console'] = None; "
    terminal, child = pty.openpty()
    env = {**os.environ, "PAGER": "cat", "TERM": "xterm", "COLUMNS": "100"}
    done = subprocess.Popen([sys.executable, "-c", hidden + code], stdout=child, stdin=child, env=env)
    os.close(child)
    output = b""
    try:
        while part := os.read(terminal, 65536):
            output += part
    except OSError:  # on Linux, the other side has closed the terminal
        done.wait(60)
    assert done.wait(60) == 0
    text = output.decode()
    assert ("**Changes are atomic.**" in text) is not rich
    assert "Changes are atomic." in text


def test_a_step_of_a_workflow_gets_no_escape_sequences(capsys: pytest.CaptureFixture[str]) -> None:
    """Markdown is unchanged, so that logs and files can be searched."""
    console.markdown("# A\n\n**b**\n")
    assert capsys.readouterr().out == "# A\n\n**b**\n"
