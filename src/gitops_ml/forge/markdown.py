"""Markdown for pull requests, issues and step summaries. Text that came from data is escaped."""

import html
import re
from collections.abc import Sequence

from tabulate import tabulate

from gitops_ml.printable import INVISIBLE

SPECIAL = re.compile(r"([\\`*_\[\]|~$#&])")
# GitHub looks for mentions, issue numbers and URLs in the rendered text, in which a backslash escape is gone. A
# zero-width space stays.
AUTOLINKED = re.compile(r"([@#])(?=\w)|(:)(?=//)|(www)(?=\.)", re.IGNORECASE)
ZERO_WIDTH_SPACE = "&#8203;"
MAX_LENGTH = 80


def escape(text: object) -> str:
    """Return text from data as one line that Markdown shows literally: no markup, mention, link or HTML.

    Args:
        text: Any value; its string form is used.
    """
    plain = SPECIAL.sub(r"\\\1", _one_line(text)).replace("<", "&lt;").replace(">", "&gt;")
    return _without_autolinks(plain)


def escape_html(text: object) -> str:
    """Return text from data, escaped for the inside of an HTML element, in which GitHub reads no Markdown.

    Args:
        text: Any value; its string form is used.
    """
    return _without_autolinks(html.escape(_one_line(text), quote=False))


def shorten(text: object, length: int = MAX_LENGTH) -> str:
    """Return text as one line, cut with an ellipsis if it is too long.

    Args:
        text: Any value; its string form is used.
        length: Maximum number of characters.
    """
    line = _one_line(text)
    return line if len(line) <= length else f"{line[: length - 1]}…"


def format_table(headers: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Return a Markdown table.

    Args:
        headers: Column headers, as Markdown.
        rows: Cells, which are escaped.
    """
    cells = [[escape(cell) for cell in row] for row in rows]
    return tabulate(cells, headers=list(headers), tablefmt="github", disable_numparse=True)


def collapse(summary: str, *parts: str) -> str:
    """Return a section that is collapsed below its summary.

    Args:
        summary: The visible line, which is escaped.
        *parts: Paragraphs of Markdown; empty ones are left out.
    """
    return "\n\n".join([f"<details><summary>{escape_html(summary)}</summary>", *filter(None, parts), "</details>"])


def format_number(value: float | None) -> str:
    """Return a number with four decimals, or a dash for None.

    Args:
        value: The number.
    """
    return "–" if value is None else f"{value:.4f}"


def format_count(count: int, noun: str) -> str:
    """Return a count with its noun in the singular or plural, such as "2 columns".

    Args:
        count: Number of things.
        noun: The noun in the singular.
    """
    plural = f"{noun[:-1]}ies" if noun.endswith("y") and not noun.endswith("ay") else f"{noun}s"
    return f"{count} {noun if count == 1 else plural}"


def format_percent(share: float | None) -> str:
    """Return a share as a percentage with one decimal, or a dash for None.

    Args:
        share: A fraction in [0, 1].
    """
    return "–" if share is None else f"{100 * share:.1f} %"


def _one_line(text: object) -> str:
    return INVISIBLE.sub("\ufffd", " ".join(str(text).split()))


def _without_autolinks(text: str) -> str:
    return AUTOLINKED.sub(lambda match: match.group() + ZERO_WIDTH_SPACE, text)
