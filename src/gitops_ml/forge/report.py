"""Reports in Markdown, for pull requests and step summaries; text that came from data is escaped."""

import html
import re
from collections.abc import Sequence

from tabulate import tabulate

SPECIAL = re.compile(r"([\\`*_\[\]|~$#&])")
# GitHub looks for names, numbers and addresses in the rendered text, where an escape is gone; an empty space is not.
LINKED = re.compile(r"([@#])(?=\w)|(:)(?=//)|(www)(?=\.)", re.IGNORECASE)
# Characters that draw nothing, or turn the direction of what follows.
INVISIBLE = re.compile("[\x00-\x1f\x7f-\x9f\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff]")
SPACE = "&#8203;"
LONGEST = 80


def escape(text: object) -> str:
    """Text from data, so that Markdown shows it as it is: no markup, no mention, no link, no HTML, one line."""
    plain = SPECIAL.sub(r"\\\1", _line(text)).replace("<", "&lt;").replace(">", "&gt;")
    return _unlinked(plain)


def escape_html(text: object) -> str:
    """The same inside of an HTML tag, where GitHub does not look for Markdown."""
    return _unlinked(html.escape(_line(text), quote=False))


def short(text: object, longest: int = LONGEST) -> str:
    """The beginning of a text that may be very long."""
    line = _line(text)
    return line if len(line) <= longest else f"{line[: longest - 1]}…"


def table(headers: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A Markdown table; cells are escaped."""
    cells = [[escape(cell) for cell in row] for row in rows]
    return tabulate(cells, headers=list(headers), tablefmt="github", disable_numparse=True)


def folded(summary: str, *parts: str) -> str:
    """What is folded away below a sentence, which says the most important of it."""
    return "\n\n".join([f"<details><summary>{escape_html(summary)}</summary>", *filter(None, parts), "</details>"])


def number(value: float | None) -> str:
    """Four decimals, or a dash."""
    return "–" if value is None else f"{value:.4f}"


def several(count: int, thing: str) -> str:
    """So many of a thing, in words."""
    many = f"{thing[:-1]}ies" if thing.endswith("y") and not thing.endswith("ay") else f"{thing}s"
    return f"{count} {thing if count == 1 else many}"


def percent(share: float | None) -> str:
    """One decimal, or a dash."""
    return "–" if share is None else f"{100 * share:.1f} %"


def _line(text: object) -> str:
    return INVISIBLE.sub("\ufffd", " ".join(str(text).split()))


def _unlinked(text: str) -> str:
    return LINKED.sub(lambda found: found.group() + SPACE, text)
