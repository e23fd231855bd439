"""The command line. It alone exits; each command composes the rooms and says what came of it."""

import importlib
import os
import sys
import traceback
from datetime import UTC, datetime
from pathlib import Path

import click

from gitops_ml import library
from gitops_ml.console import complain
from gitops_ml.errors import BUG_EXIT_CODE, GitopsError

COMMANDS = (
    "validate", "review", "train", "register", "compare", "image", "promote", "expire", "deploy", "rollback", "lift",
    "reconcile", "monitor", "ingest", "status", "report", "history", "at", "reproduce", "score", "serve", "store", "ui",
    "config", "conclude", "doctor", "setup", "eject", "docs", "explain",
)  # fmt: skip


class Commands(click.Group):
    """The commands, each imported only when it is used or listed."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """In the order of the loop, not of the alphabet."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one command."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(f"gitops_ml.commands.{cmd_name}").command
        return command


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--project", type=click.Path(path_type=Path), default=Path(), help="A folder of the repository.")
@click.version_option(package_name=library.NAME, prog_name="gitops")
@click.pass_context
def gitops(context: click.Context, project: Path) -> None:
    """From data to a promoted model, as Git sees it."""
    context.obj = project


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return its exit code; every way to stop has its own (errors.py)."""
    try:
        gitops.main(args=arguments, prog_name="gitops", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        complain("Interrupted; run the same command again to go on.")
        return 130
    except GitopsError as error:
        complain(f"{error.title}: {error.what}\n  {error.next}")
        return error.exit_code
    except BrokenPipeError:
        # Whoever read our output has seen enough; keep Python from complaining when it closes the pipe.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:  # a bug of ours: keep all of it, show one sentence
        complain(_bug(error))
        return BUG_EXIT_CODE
    return 0


def _bug(error: Exception) -> str:
    """Keep the traceback in a file and say where."""
    folder = Path(".gitops") if Path("model.toml").exists() else Path()
    report = folder / f"bug-{datetime.now(UTC):%Y%m%dT%H%M%S}.txt"
    folder.mkdir(exist_ok=True)
    told = "".join(traceback.format_exception(error))
    report.write_text(f"gitops {library.version()}, Python {sys.version}\n{sys.argv}\n\n{told}", encoding="utf-8")
    return (
        f"A bug in gitops: {type(error).__name__}: {str(error)[:500]}\n"
        f"  Please report it with the file {report}, which holds the traceback; nothing was lost."
    )
