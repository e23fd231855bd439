"""The command line: import the command, run it, and turn its errors into messages and exit codes."""

import importlib
import io
import os
import sys
import tempfile
import traceback
import warnings
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import click

from gitops_ml import library, secrets, temporary_folder
from gitops_ml.console import echo_error
from gitops_ml.errors import BUG_EXIT_CODE, GitopsError
from gitops_ml.machine_errors import find_machine_error

COMMANDS = (
    "validate", "review", "train", "register", "compare", "image", "promote", "expire", "deploy", "rollback", "lift",
    "start-over", "reconcile", "monitor", "ingest", "status", "report", "history", "at", "reproduce", "errors", "score",
    "serve", "store", "ui", "config", "conclude", "doctor", "setup", "eject", "update", "docs", "explain",
)  # fmt: skip


class Commands(click.Group):
    """A group of commands, each imported only when it is used or listed."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of the commands in the order of the workflow."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command, which is imported for it."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(f"gitops_ml.commands.{cmd_name.replace('-', '_')}").command
        return command


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--project",
    type=click.Path(path_type=Path),
    default=Path(),
    help="Any folder inside the repository.  [default: the current folder]",
)
@click.version_option(package_name=library.NAME, prog_name="gitops")
@click.pass_context
def gitops(context: click.Context, project: Path) -> None:
    """GitOps for machine learning models: from data to a promoted version."""
    context.obj = project


def main(arguments: list[str] | None = None) -> int:
    """Run one command.

    Args:
        arguments: Arguments of `gitops`; None for those of this process.

    Returns:
        The exit code; each class of errors.py has its own.
    """
    if arguments is None:  # this process is ours: warnings of pandas and scikit-learn may quote names from data
        warnings.showwarning = _show_warning
    try:
        with temporary_folder.own_temporary_folder(), secrets.prepare_environment():
            gitops.main(args=arguments, prog_name="gitops", standalone_mode=False)
    except click.ClickException as error:
        message = io.StringIO()
        error.show(message)
        echo_error(message.getvalue())
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        echo_error("Interrupted. Run the same command again to continue.")
        return 130
    except GitopsError as error:
        return _show(error)
    except BrokenPipeError:
        # The reader closed the pipe, such as `head`: prevent a message of Python about it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        machine_error = find_machine_error(error)
        if machine_error is not None:
            return _show(machine_error)
        echo_error(_bug(error))  # a bug of the library: write the traceback to a file, show one sentence
        return BUG_EXIT_CODE
    return 0


def _show_warning(
    message: Warning | str, category: type[Warning], filename: str, lineno: int, *_: object, **__: object
) -> None:
    """Print a warning of another library as Python does, through the function that cleans text."""
    echo_error(warnings.formatwarning(message, category, filename, lineno).rstrip())


def _show(error: GitopsError) -> int:
    """Show an error that a user can act on, and return its exit code."""
    echo_error(f"{error.title}: {error.problem}\n  {error.next_step}")
    return error.exit_code


def _bug(error: Exception) -> str:
    """Write the traceback to a file and return a message that names it."""
    stack = "".join(traceback.format_exception(error))
    text = f"gitops {library.version()}, Python {sys.version}\n{sys.argv}\n\n{stack}"
    report = _write_report(text)
    advice = f"attach the file {report}: it contains the traceback" if report else "run it where files can be written"
    return f"A bug in gitops: {type(error).__name__}: {str(error)[:500]}\n  Report it, and {advice}. No data was lost."


def _write_report(text: str) -> Path | None:
    """Return the file with a report, in the clone or else in the temporary folder; None if no file can be written."""
    name = f"bug-{datetime.now(UTC):%Y%m%dT%H%M%S}.txt"
    for folder in (Path(".gitops") if Path("model.toml").exists() else Path(), Path(tempfile.gettempdir())):
        with suppress(OSError):
            folder.mkdir(exist_ok=True)
            (folder / name).write_text(text, encoding="utf-8", errors="backslashreplace")
            return folder / name
    return None
