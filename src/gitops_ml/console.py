"""Output of commands: tables and progress on a terminal, plain lines in CI, summaries and outputs in GitHub Actions.

Text from data, from the store and from other programs is printed by these functions only, which clean it.
"""

import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import click

from gitops_ml.output_text import clean, defuse, hide
from gitops_ml.printable import show_invisible


def echo(text: str = "") -> None:
    """Print text to standard output.

    Args:
        text: One or more lines.
    """
    print(clean(text), flush=True)


def echo_error(text: str) -> None:
    """Print text to standard error.

    Args:
        text: One or more lines.
    """
    print(clean(text), file=sys.stderr, flush=True)


def echo_quoted(title: str, text: str) -> None:
    """Print the output of another program, each line behind a bar; print nothing if it is empty.

    Args:
        title: Line above the output.
        text: Output of the program.
    """
    lines = text.strip().splitlines()
    if lines:
        echo("\n".join([title, *(f"| {line}" for line in lines)]))


def warn(text: str) -> None:
    """Show a warning: an annotation in GitHub Actions, a line on standard error elsewhere.

    Args:
        text: Text of the warning; line breaks become spaces.
    """
    line = " ".join(clean(text).split())
    if os.environ.get("GITHUB_ACTIONS") == "true":
        print(f"::warning title=gitops::{line.replace('%', '%25')}", flush=True)
    else:
        echo_error(line)


def table(title: str, headers: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print a table, as wide as the terminal; in CI and in pipes, as wide as its content.

    Args:
        title: Title above the table.
        headers: Headers of the columns.
        rows: Cells of each row.
    """
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    width = None if sys.stdout.isatty() or "COLUMNS" in os.environ else 200
    console = Console(width=width, highlight=False)
    layout = Table(title=Text(clean(title)), title_justify="left", title_style="bold")
    for header in headers:
        layout.add_column(Text(clean(header)), overflow="fold")
    for row in rows:
        layout.add_row(*(Text(clean(str(cell))) for cell in row))
    with console.capture() as captured:
        console.print(layout)
    # A title may be wrapped so that a line begins with two colons.
    print(defuse(captured.get()), flush=True)


def markdown(text: str, *, paged: bool = False) -> None:
    """Print Markdown: formatted on a terminal, unchanged in CI, in pipes, and without `rich`.

    Args:
        text: Markdown.
        paged: Use a pager on a terminal, for long text.
    """
    plain = "\n".join(show_invisible(line) for line in text.strip().splitlines())
    if not sys.stdout.isatty():
        print(defuse(plain), flush=True)
        return
    formatted = _format_markdown(plain)
    if paged:
        click.echo_via_pager(formatted, color=True)
    else:
        click.echo(formatted)


def _format_markdown(text: str) -> str:
    """Return Markdown with the escape sequences of a terminal."""
    try:
        from rich.console import Console
        from rich.markdown import Markdown
    except ImportError:  # the serving lock has no rich
        return text
    console = Console()
    with console.capture() as captured:
        console.print(Markdown(text))
    return captured.get()


def relative_path(path: Path) -> Path:
    """Return a path relative to the working directory if it is below it, or else unchanged.

    Args:
        path: Absolute path.
    """
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def append_summary(markdown: str) -> None:
    """Append to the summary of the step in GitHub Actions; do nothing elsewhere.

    Args:
        markdown: Markdown to append.
    """
    _append("GITHUB_STEP_SUMMARY", hide(markdown))


def set_output(name: str, value: str) -> None:
    """Set an output of the step in GitHub Actions; do nothing elsewhere.

    Args:
        name: Name of the output.
        value: Value of the output; line breaks become spaces.
    """
    _append("GITHUB_OUTPUT", f"{name}={show_invisible(' '.join(value.split()))}")


def _append(variable: str, text: str) -> None:
    if os.environ.get(variable):
        with Path(os.environ[variable]).open("a", encoding="utf-8") as stream:
            stream.write(text.rstrip("\n") + "\n")


@contextmanager
def progress(title: str, *, timed: bool = False) -> Iterator[Callable[[str], None]]:
    """Show the progress of a task: one line that changes on a terminal, a line for each step elsewhere.

    Args:
        title: Name of the task.
        timed: Print the seconds of each step at the end.

    Yields:
        A function that shows the current step.
    """
    begun: list[tuple[str, float]] = []
    with _step_display(title) as show:

        def begin(step: str) -> None:
            begun.append((step, time.monotonic()))
            show(step)

        yield begin
    if timed and begun:
        ends = [*(moment for _, moment in begun[1:]), time.monotonic()]
        seconds = [f"{step} {end - start:.1f} s" for (step, start), end in zip(begun, ends, strict=True)]
        echo_error(f"{title}: {ends[-1] - begun[0][1]:.1f} s ({', '.join(seconds)})")


@contextmanager
def _step_display(title: str) -> Iterator[Callable[[str], None]]:
    if not sys.stderr.isatty():
        yield lambda step: echo_error(f"{title}: {step}")
        return
    from rich.console import Console
    from rich.text import Text

    with Console(stderr=True).status(Text(clean(title))) as status:
        yield lambda step: status.update(Text(clean(f"{title}: {step}")))
