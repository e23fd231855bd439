"""Common parts of the HTML pages. A page is one file, runs only its own scripts, and needs no network."""

import base64
import hashlib
import json
from collections.abc import Sequence

from gitops_ml.forge.comparison_figures import PageFigure
from gitops_ml.forge.markdown import escape_html

STYLE = """
body { font: 15px/1.5 system-ui, "Noto Sans", sans-serif; color: #1b1f24; max-width: 1240px; margin: 24px auto;
  padding: 0 20px; }
h2 { font-size: 20px; line-height: 1.3; } h3 { font-size: 17px; margin: 0; }
table { border-collapse: collapse; margin: 12px 0; }
th, td { border: 1px solid #d0d7de; padding: 5px 10px; text-align: left; overflow-wrap: break-word; }
th { background: #f6f8fa; } code { background: #f6f8fa; padding: 1px 4px; }
details { margin: 8px 0; } summary { cursor: pointer; }
main { display: grid; grid-template-columns: repeat(auto-fill, minmax(560px, 1fr)); gap: 24px; margin-top: 28px; }
section { border: 1px solid #d0d7de; border-radius: 6px; padding: 14px 16px; min-width: 0; }
section p { margin: 4px 0 8px; color: #57606a; min-height: 3em; }
section:last-child:nth-child(odd) { grid-column: 1 / -1; }
.badge { border-radius: 10px; padding: 1px 9px; font-size: 13px; white-space: nowrap; background: #eaeef2; }
.good { background: #dafbe1; } .fair { background: #fff8c5; } .bad { background: #ffd8d3; }
@media (max-width: 620px) { main { grid-template-columns: 100%; } }
"""
BADGE_CLASSES = {
    "ok": "good",
    "success": "good",
    "warning": "fair",
    "alarm, not confirmed": "fair",
    "alarm": "bad",
    "failure": "bad",
    "held": "bad",
}
# The buttons are listed, because one of plotly's default buttons sends the figure to a server of its makers.
# A figure in a collapsed section has no width, so it is drawn when the section is opened for the first time.
DRAW = """
const buttons = [["zoom2d", "pan2d", "resetScale2d", "toImage"]];
const options = {displaylogo: false, responsive: true, showSendToCloud: false, plotlyServerURL: "",
  modeBarButtons: buttons};
const figures = JSON.parse(document.getElementById("figures").textContent);
for (const [name, figure] of Object.entries(figures)) {
  const draw = () => Plotly.newPlot(name, figure.data, figure.layout, options);
  const section = document.getElementById(name).closest("details");
  if (section && !section.open) { section.addEventListener("toggle", draw, {once: true}); } else { draw(); }
}
"""


class Markup(str):
    """HTML that the functions of this module insert without escaping it.

    Text from data must already be escaped when a `Markup` is built.
    """

    __slots__ = ()


def render_page(title: str, body: str, figures: Sequence[PageFigure] = (), style: str = "") -> str:
    """Return a whole HTML page.

    Args:
        title: Title of the browser tab. This function escapes it.
        body: HTML. Text from data in it must already be escaped.
        figures: Figures whose sections are in the body. Text from data in them must already be escaped.
        style: CSS in addition to the common style, inserted unchanged. It must not contain text from data.
    """
    scripts = _scripts() if figures else ()
    # The policy allows only these scripts, whatever the body contains, and forbids every request.
    allowed = " ".join(map(_csp_hash, scripts)) or "'none'"
    policy = (
        f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; "
        "img-src data: blob:; base-uri 'none'; form-action 'none'"
    )
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape_html(title)}</title>
<style>{STYLE}{style}</style>
</head>
<body>
{body}
{_figure_data(figures) if figures else ""}{"".join(f"<script>{script}</script>{chr(10)}" for script in scripts)}</body>
</html>
"""


def render_figure(figure: PageFigure) -> str:
    """Return the HTML section in which a figure is drawn.

    Args:
        figure: The figure. Its name, title and caption must already be escaped.
    """
    text = f"<h3>{figure.title}</h3>\n<p>{figure.caption}</p>"
    return f'<section>\n{text}\n<div id="{figure.name}"></div>\n</section>\n'


def collapse_html(summary: str, body: str) -> str:
    """Return HTML that is collapsed below its summary.

    Args:
        summary: The visible line. This function escapes it.
        body: HTML. Text from data in it must already be escaped.
    """
    return f"<details><summary>{escape_html(summary)}</summary>\n{body}</details>\n"


def render_table(headers: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Return an HTML table.

    Args:
        headers: Column headers. This function escapes them.
        rows: Cells. This function escapes each cell that is not `Markup`.
    """
    head = "".join(f"<th>{escape_html(header)}</th>" for header in headers)
    lines = ["".join(f"<td>{render_value(cell)}</td>" for cell in row) for row in rows]
    return f"<table>\n<tr>{head}</tr>\n" + "".join(f"<tr>{line}</tr>\n" for line in lines) + "</table>\n"


def render_badge(verdict: str) -> Markup:
    """Return a verdict as a coloured badge.

    Args:
        verdict: Text of the badge. This function escapes it.
    """
    return Markup(f'<span class="badge {BADGE_CLASSES.get(verdict, "")}">{escape_html(verdict)}</span>')


def render_value(value: object) -> str:
    """Return a value as HTML.

    Args:
        value: Any value. This function escapes its string form, unless the value is `Markup`.
    """
    return value if isinstance(value, Markup) else escape_html(value)


def _figure_data(figures: Sequence[PageFigure]) -> str:
    """Return a script element with the figures as JSON, without any character that could end the element."""
    data = json.dumps({it.name: json.loads(it.figure.to_json()) for it in figures})
    return f'<script type="application/json" id="figures">{data.replace("<", chr(92) + "u003c")}</script>\n'


def _scripts() -> tuple[str, ...]:
    from plotly.offline import get_plotlyjs

    return str(get_plotlyjs()), DRAW


def _csp_hash(script: str) -> str:
    """Return a script's hash in the format of a content security policy."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"
