"""The report of a comparison as one page for a browser: the report in words, then pictures; it asks no network."""

from typing import Any

from gitops_ml.forge.comparison import headline, render
from gitops_ml.forge.figures import pictures
from gitops_ml.forge.shell import section, shell

WORDS = 900_000


def page(found: dict[str, Any], points: dict[str, Any]) -> str:
    """The whole page.

    Args:
        found: A comparison, as its JSON document says.
        points: What its pictures are drawn from, the same.
    """
    from markdown_it import MarkdownIt

    drawn = pictures(found, points)
    words = MarkdownIt("commonmark").enable("table").render(render(found, WORDS))
    return shell(headline(found), f"{words}\n<main>\n{''.join(map(section, drawn))}</main>", drawn)
