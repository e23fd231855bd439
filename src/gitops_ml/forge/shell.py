"""What every page for a browser has: one file with all that it needs, its own scripts alone, and no network."""

import base64
import hashlib
import json
from collections.abc import Sequence

from gitops_ml.forge.figures import Picture
from gitops_ml.forge.report import escape_html

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
COLOURS = {
    "ok": "good",
    "success": "good",
    "warning": "fair",
    "alarm, not yet": "fair",
    "alarm": "bad",
    "failure": "bad",
    "held": "bad",
}
# The buttons are named, for one that plotly adds by itself sends the figures to a server of its makers.
# What is folded away has no width yet: it is drawn when it is opened first.
DRAW = """
const buttons = [["zoom2d", "pan2d", "resetScale2d", "toImage"]];
const options = {displaylogo: false, responsive: true, showSendToCloud: false, plotlyServerURL: "",
  modeBarButtons: buttons};
const drawn = JSON.parse(document.getElementById("drawn").textContent);
for (const [name, figure] of Object.entries(drawn)) {
  const draw = () => Plotly.newPlot(name, figure.data, figure.layout, options);
  const fold = document.getElementById(name).closest("details");
  if (fold && !fold.open) { fold.addEventListener("toggle", draw, {once: true}); } else { draw(); }
}
"""


def shell(title: str, body: str, drawn: Sequence[Picture] = (), style: str = "") -> str:
    """A whole page.

    Args:
        title: Of the browser's tab.
        body: HTML in which text that came from data is escaped.
        drawn: The pictures whose sections are in the body.
        style: Beside the style that every page has.
    """
    scripts = _scripts() if drawn else ()
    # Only these scripts run, whatever else might have found its way into the page; and nothing is fetched.
    allowed = " ".join(map(_hash, scripts)) or "'none'"
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
{_figures(drawn) if drawn else ""}{"".join(f"<script>{script}</script>{chr(10)}" for script in scripts)}</body>
</html>
"""


def section(picture: Picture) -> str:
    """A picture's place in a page, with how to read it."""
    words = f"<h3>{picture.title}</h3>\n<p>{picture.words}</p>"
    return f'<section>\n{words}\n<div id="{picture.name}"></div>\n</section>\n'


def folded(summary: str, body: str) -> str:
    """What is folded away below a line, which is escaped."""
    return f"<details><summary>{escape_html(summary)}</summary>\n{body}</details>\n"


def table(headers: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A table in HTML; cells are escaped, but for those that are `Markup`."""
    head = "".join(f"<th>{escape_html(each)}</th>" for each in headers)
    lines = ["".join(f"<td>{cell(each)}</td>" for each in row) for row in rows]
    return f"<table>\n<tr>{head}</tr>\n" + "".join(f"<tr>{line}</tr>\n" for line in lines) + "</table>\n"


def badge(verdict: str) -> "Markup":
    """A word in its colour."""
    colour = COLOURS.get(verdict, "")
    return Markup(f'<span class="badge {colour}">{escape_html(verdict)}</span>')


class Markup(str):
    """HTML that was made here, out of escaped text."""

    __slots__ = ()


def cell(text: object) -> str:
    """Escaped, unless it is HTML already."""
    return text if isinstance(text, Markup) else escape_html(text)


def _figures(drawn: Sequence[Picture]) -> str:
    """What is drawn, as data that no browser takes for anything else."""
    figures = json.dumps({each.name: json.loads(each.figure.to_json()) for each in drawn})
    return f'<script type="application/json" id="drawn">{figures.replace("<", chr(92) + "u003c")}</script>\n'


def _scripts() -> tuple[str, ...]:
    from plotly.offline import get_plotlyjs

    return str(get_plotlyjs()), DRAW


def _hash(script: str) -> str:
    """As a content security policy names a script."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"
