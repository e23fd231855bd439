"""The command line: fast help, an exit code for each class of error, and no traceback in the output."""

import os
import subprocess
import sys

import pytest

from gitops_ml import cli, errors
from unit.sample import Project

HEAVY = ("pandas", "numpy", "sklearn", "mlflow", "pydantic", "pandera", "scipy", "rich", "sqlalchemy", "requests",
         "fastapi", "starlette", "uvicorn", "prometheus_client")  # fmt: skip


def _classes(kind: type[errors.GitopsError]) -> list[type[errors.GitopsError]]:
    return [kind, *(below for child in kind.__subclasses__() for below in _classes(child))]


@pytest.mark.parametrize(
    "arguments", [(), *((command,) for command in cli.COMMANDS)], ids=lambda a: " ".join(a) or "gitops"
)
def test_help_imports_no_slow_library(arguments: tuple[str, ...]) -> None:
    """`--help` of every command works, and imports no library that is slow to import."""
    code = (
        "import sys; from gitops_ml.cli import main; "
        f"main([*{arguments!r}, '--help']); print(*sys.modules, file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("Usage: gitops")
    assert not {name for name in done.stderr.split() if name.split(".")[0] in HEAVY}


def test_the_list_of_commands_shows_whole_sentences() -> None:
    """In a terminal with 80 columns, the first line of no command's help is cut."""
    done = subprocess.run(
        [sys.executable, "-m", "gitops_ml", "--help"],
        capture_output=True, text=True, check=True, env={**os.environ, "COLUMNS": "80"},
    )  # fmt: skip
    lines = done.stdout.partition("Commands:\n")[2].splitlines()
    assert [line.split()[0] for line in lines] == list(cli.COMMANDS)
    assert [line for line in lines if not line.endswith(".") or line.endswith("...")] == []


def test_python_m_gitops_is_gitops() -> None:
    """The module and the script are the same program."""
    done = subprocess.run([sys.executable, "-m", "gitops_ml", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("gitops, version ")


def test_each_error_class_has_its_own_exit_code() -> None:
    """Two classes never share a code; 0, 1 and 2 belong to success, Python and the parser."""
    kinds = [kind for kind in errors.GitopsError.__subclasses__() if kind.__module__ == "gitops_ml.errors"]
    codes = [kind.exit_code for kind in kinds]
    assert len(set(codes)) == len(codes)
    assert not set(codes) & {0, 1, 2, errors.BUG_EXIT_CODE}


def test_a_wrong_option_is_a_usage_error(project: Project) -> None:
    """The parser suggests an option, with exit code 2."""
    result = project.gitops("train", "--forse")
    assert result.code == 2
    assert "--force" in result.err


def test_a_bug_writes_its_traceback_to_a_file(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """An unexpected exception exits with 70, with one sentence and a file to report."""
    monkeypatch.chdir(project.root)
    project.write(".gitops/run/manifest.json", "[]")
    project.write("registry/production.json", "{}")
    monkeypatch.setattr("gitops_ml.run.read_run", None)
    result = project.gitops("register")
    assert result.code == errors.BUG_EXIT_CODE
    assert "Traceback" not in result.err
    assert "Traceback" in next(project.root.glob(".gitops/bug-*.txt")).read_text()


def test_a_command_outside_a_repository_fails(project: Project) -> None:
    """Without a model.toml, a command exits with 3."""
    result = project.gitops("--project", str(project.root.parent), "validate")
    assert result.code == 3
    assert "no model.toml" in result.err
