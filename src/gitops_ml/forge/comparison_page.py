"""The HTML report of a comparison: the Markdown report, then figures. The page needs no network."""

from typing import Any

from gitops_ml.forge.comparison_figures import build_figures
from gitops_ml.forge.comparison_text import headline, render_comparison
from gitops_ml.forge.html_page import render_figure, render_page

TEXT_LIMIT = 900_000  # characters


def render_comparison_page(comparison: dict[str, Any], points: dict[str, Any]) -> str:
    """Return the whole HTML page.

    Args:
        comparison: JSON document of a comparison.
        points: JSON document with the data of its figures.
    """
    from markdown_it import MarkdownIt

    figures = build_figures(comparison, points)
    text = MarkdownIt("commonmark").enable("table").render(render_comparison(comparison, TEXT_LIMIT))
    body = f"{text}\n<main>\n{''.join(map(render_figure, figures))}</main>"
    return render_page(headline(comparison), body, figures)
