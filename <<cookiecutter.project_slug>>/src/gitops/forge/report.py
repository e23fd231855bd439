# machinery
"""Reports in Markdown, for pull requests and step summaries; text that came from data is escaped."""

import re
from collections.abc import Sequence

from tabulate import tabulate

SPECIAL = re.compile(r"([\\`*_\[\]|~$#&])")
LINKED = re.compile(r"([@#])(?=\w)")


def escape(text: object) -> str:
    """Text from data, so that Markdown shows it as it is: no markup, no mention, no HTML, one line."""
    plain = " ".join(str(text).split())
    plain = SPECIAL.sub(r"\\\1", plain).replace("<", "&lt;").replace(">", "&gt;")
    # GitHub looks for names and numbers in the rendered text, where an escape is gone; an empty space is not.
    return LINKED.sub(r"\1&#8203;", plain)


def table(headers: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A Markdown table; cells are escaped."""
    cells = [[escape(cell) for cell in row] for row in rows]
    return tabulate(cells, headers=list(headers), tablefmt="github", disable_numparse=True)


def number(value: float | None) -> str:
    """Four decimals, or a dash."""
    return "–" if value is None else f"{value:.4f}"
