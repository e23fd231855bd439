"""What commands show: tables and progress on a terminal, plain lines in CI, summaries and outputs for Actions."""

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import click


def say(text: str = "") -> None:
    """One or more lines for a person."""
    print(_inert(text), flush=True)


def complain(text: str) -> None:
    """The same on standard error."""
    print(_inert(text), file=sys.stderr, flush=True)


def quote(title: str, text: str) -> None:
    """What another program printed, each line behind a bar; nothing where it printed nothing."""
    lines = text.strip().splitlines()
    if lines:
        say("\n".join([title, *(f"| {line}" for line in lines)]))


def _inert(text: str) -> str:
    """Without commands to GitHub's runner: two colons that begin a line, with or without spaces, and `##[` anywhere."""
    lines = text.replace("##[", "# #[").splitlines()
    return "\n".join(f"| {line}" if line.lstrip().startswith("::") else line for line in lines)


def warn(text: str) -> None:
    """A word that GitHub shows above the changed files; elsewhere, a line on standard error."""
    line = " ".join(text.split())
    if os.environ.get("GITHUB_ACTIONS") == "true":
        print(f"::warning title=gitops::{line.replace('%', '%25')}", flush=True)
    else:
        complain(line)


def table(title: str, headers: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """A table as wide as the terminal allows; in CI and in pipes, as wide as it needs to be."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    wide = None if sys.stdout.isatty() or "COLUMNS" in os.environ else 200
    console = Console(width=wide, highlight=False)
    shown = Table(title=title, title_justify="left", title_style="bold")
    for header in headers:
        shown.add_column(header, overflow="fold")
    for row in rows:
        shown.add_row(*(Text(str(cell)) for cell in row))
    console.print(shown)


def markdown(text: str, *, paged: bool = False) -> None:
    """Markdown, laid out on a terminal; as it is in CI, in pipes, and where `rich` is not installed.

    Args:
        text: What to show.
        paged: It may be long: a terminal's pager shows it.
    """
    if not sys.stdout.isatty():
        say(text.strip())
        return
    shown = _laid_out(text)
    if paged:
        click.echo_via_pager(shown, color=True)
    else:
        click.echo(shown)


def _laid_out(text: str) -> str:
    """Markdown as a terminal shows it."""
    try:
        from rich.console import Console
        from rich.markdown import Markdown
    except ImportError:  # the serving lock has no rich
        return text
    console = Console()
    with console.capture() as captured:
        console.print(Markdown(text))
    return captured.get()


def near(path: Path) -> Path:
    """The path as a person would type it from here."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def summarise(markdown: str) -> None:
    """Add to the step summary, where GitHub Actions runs us."""
    _append("GITHUB_STEP_SUMMARY", markdown)


def output(name: str, value: str) -> None:
    """Set an output of the step, where GitHub Actions runs us."""
    _append("GITHUB_OUTPUT", f"{name}={' '.join(value.split())}")


def _append(variable: str, text: str) -> None:
    if os.environ.get(variable):
        with Path(os.environ[variable]).open("a", encoding="utf-8") as stream:
            stream.write(text.rstrip("\n") + "\n")


@contextmanager
def progress(title: str) -> Iterator[Callable[[str], None]]:
    """Show what is being done: one living line on a terminal, a plain line for each step elsewhere."""
    if not sys.stderr.isatty():
        yield lambda step: complain(f"{title}: {step}")
        return
    from rich.console import Console

    with Console(stderr=True).status(title) as status:
        yield lambda step: status.update(f"{title}: {step}")
