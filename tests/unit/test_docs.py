"""The pages offline, and what they say about a name in a message."""

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
from gitops_ml.forge import alarm, clone
from gitops_ml.forge import health as forge
from gitops_ml.locks import CHECKS as LOCKS
from gitops_ml.registry.health import CHECKS as STORE
from gitops_ml.table import Table
from unit.sample import DATA, ROOT, TEMPLATE, Project

PAGES = ("commands", "gates", "how-a-model-ships", "model-toml", "monitoring", "runbook", "store", "targets")
CHECKS = ("MODEL", *(check.id for check in (*clone.CHECKS, *LOCKS, *STORE, *forge.CHECKS)))
ALERTS = re.findall(r"alert: (\w+)", (DATA / "prometheus" / "rules.yml.in").read_text())
KINDS = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.GitopsError)
         and kind is not errors.GitopsError]  # fmt: skip
CODES = sorted({kind.exit_code for kind in KINDS})


KNOWN = manual.pages(Path(__file__))  # no repository is around it, so that the template's pages are read


def explained(id: str, pages: dict[str, manual.Page] = KNOWN) -> str:
    """What is said of a name."""
    return "\n".join(f"{entry.title}\n{entry.text}" for entry in manual.explain(id, pages))


def test_docs_lists_every_page_with_its_title(project: Project) -> None:
    """Its name is what `gitops docs` takes."""
    told = project.must("docs").out
    assert [line.split()[0] for line in told.split("\n\n")[0].splitlines()] == list(PAGES)
    assert re.search(r"^gates +The gates$", told, re.MULTILINE)


@pytest.mark.parametrize("page", PAGES)
def test_a_page_is_plain_markdown_in_a_pipe(project: Project, page: str) -> None:
    """Whole, but without links, which lead nowhere there; upper and lower case are the same."""
    told = project.must("docs", page.upper()).out
    source = DATA / "docs" / f"{page}.md"
    source = source if source.is_file() else TEMPLATE / "docs" / f"{page}.md"
    assert told.splitlines()[0] == source.read_text().splitlines()[0]
    assert len(told.splitlines()) >= len(source.read_text().splitlines())
    assert not re.search(r"\]\((?!https)", told)


def test_an_unknown_page_is_a_usage_error_with_the_nearest_name(project: Project) -> None:
    """Or all of them, where none is near."""
    told = project.gitops("docs", "gate")
    assert told.code == 2
    assert "There is no page 'gate'. Perhaps you meant 'gates'." in told.err
    assert "There are: commands, gates," in project.gitops("docs", "zzz").err


def test_a_repository_s_own_runbook_is_the_one_that_is_read(project: Project) -> None:
    """What a team has written there is what its people need; elsewhere it is the template's."""
    assert "# Runbook" in project.must("docs", "runbook").out
    project.write("docs/runbook.md", "# Ours\n\n## Page somebody\n\nCall 123.\n")
    assert "Call 123." in project.must("docs", "runbook").out
    assert "Call 123." in project.must("explain", "page somebody").out


def test_an_installed_library_reads_the_template_s_pages_from_its_archive(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A wheel has no checkout beside it."""
    shutil.copytree(DATA / "docs", tmp_path / "docs")
    shutil.copy(DATA / "model.schema.json", tmp_path)
    (tmp_path / "template.zip").write_bytes(wheel.template(ROOT))
    monkeypatch.setattr(manual, "DATA", tmp_path)
    assert manual.pages(tmp_path) == KNOWN


def test_pages_are_read_where_model_toml_is_broken(project: Project) -> None:
    """Then they are needed most."""
    project.write("model.toml", "not TOML")
    assert "One of the policies" in project.must("explain", "CHAMPION").out


@pytest.mark.parametrize(
    "id",
    [*get_args(config.GateId), *CHECKS, *ALERTS, *alarm.KINDS, *map(str, CODES), *cli.COMMANDS, "Container"],
)
def test_what_messages_name_is_explained(id: str) -> None:
    """Gates, the doctor's checks, alerts, alarms, exit codes, commands: as they are written, and in small letters."""
    assert explained(id)
    assert explained(id.lower()) == explained(id)


@pytest.mark.parametrize(
    ("id", "part"),
    {
        "champion": "One of the policies under `[gates.champion]` holds",
        "LOCKS": "| `LOCKS` | every package",
        "12": "| 12 | GitHub | the repository's settings",
        "exit code 12": "Tick *Settings > Actions > General",
        "5": "`gitops validate` lists every broken rule",
        "gitops deploy": "makes what serves match the record",
        "[gates.slices]": "the `depth` of the tree",
        "split.holdout": "The share of rows held out",
        "monitoring.retrain.attempts": "Default: `3`",
        "targets.soak_hours": "before the next environment",
        "rows_refused": "| 422 | `rows_refused` |",
        "GITOPS_LOG_KEY": "of hashed columns",
        "GITOPS_SUBNET": "a network of eight addresses",
        "gitopsdatadrift": "A column is not distributed as in training",
        "Data drift in production: worst_radius": "population stability index",
        "override": "until then this digest serves",
    }.items(),
    ids=lambda value: value if " " not in value else None,
)  # fmt: skip
def test_explain_shows_what_is_known_of_a_name(id: str, part: str) -> None:
    """The section, the row of a table, the key of model.toml, or the paragraph that names it."""
    assert part in explained(id)


def test_rows_of_one_table_stand_below_one_head() -> None:
    """Three codes of one status are one table."""
    told = explained("422")
    assert told.count("| status | code | why |") == 1
    assert told.count("| 422 |") == 3


def test_an_unknown_id_is_a_usage_error_with_the_nearest_ones(project: Project) -> None:
    """As it is with a page."""
    told = project.gitops("explain", "CHAMPIN")
    assert told.code == 2
    assert "There is no explanation of 'CHAMPIN'. Perhaps you meant 'CHAMPION'" in told.err
    for name in ("zzzz", "", "`"):
        assert "`gitops docs` lists the pages." in project.gitops("explain", name).err


def test_every_key_of_model_toml_is_explained() -> None:
    """By its place and by its name."""
    entries = {name for entry in manual.entries(KNOWN) for name in entry.names}
    for table in ("split", "gates", "store", "serving", "monitoring"):
        keys = {name for name, field in config._model([table]).model_fields.items() if not _is_table(field.annotation)}
        assert {f"{table}.{key}" for key in keys} | keys <= entries


def _is_table(kind: object) -> bool:
    return isinstance(kind, type) and issubclass(kind, Table)


def test_the_table_of_exit_codes_is_that_of_the_errors() -> None:
    """Each code with the word that its messages begin with."""
    page = (DATA / "docs" / "commands.md").read_text().split("\n## Exit codes\n")[1]
    rows = re.findall(r"^\| (\d+) \| (.+?) \|", page, re.MULTILINE)
    told = {int(code): set(words.split(", ")) for code, words in rows}
    wanted: dict[int, set[str]] = {0: {"–"}, 2: {"–"}, errors.BUG_EXIT_CODE: {"–"}}
    for kind in KINDS:
        wanted.setdefault(kind.exit_code, set()).add(kind.title)
    assert told == wanted


@pytest.mark.parametrize("rich", [True, False], ids=["with rich", "with the serving lock alone"])
def test_a_terminal_gets_a_page_by_its_pager(rich: bool) -> None:
    """Laid out where rich is installed, and as it is where not."""
    code = "import sys; from gitops_ml.cli import main; sys.exit(main(['docs', 'store']))"
    hidden = "" if rich else "import sys; sys.modules['rich'] = None; sys.modules['rich.console'] = None; "
    ours, theirs = pty.openpty()
    env = {**os.environ, "PAGER": "cat", "TERM": "xterm", "COLUMNS": "100"}
    done = subprocess.Popen([sys.executable, "-c", hidden + code], stdout=theirs, stdin=theirs, env=env)
    os.close(theirs)
    told = b""
    try:
        while part := os.read(ours, 65536):
            told += part
    except OSError:  # Linux says so where the other side has closed it
        done.wait(60)
    assert done.wait(60) == 0
    text = told.decode()
    assert ("**A change is a transaction.**" in text) is not rich
    assert "A change is a transaction." in text


def test_a_step_of_a_workflow_gets_no_escape_sequences(capsys: pytest.CaptureFixture[str]) -> None:
    """Markdown as it is, so that a log and a file can be searched."""
    console.markdown("# A\n\n**b**\n")
    assert capsys.readouterr().out == "# A\n\n**b**\n"
