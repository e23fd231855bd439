# machinery
"""The report of a comparison as one page for a browser: the report in words, then pictures; it asks no network."""

import base64
import hashlib
import json
from typing import Any

from gitops.forge.comparison import headline, render
from gitops.forge.figures import Picture, pictures
from gitops.forge.report import escape_html

WORDS = 900_000
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
@media (max-width: 620px) { main { grid-template-columns: 100%; } }
"""
# The buttons are named, for one that plotly adds by itself sends the figures to a server of its makers.
DRAW = """
const buttons = [["zoom2d", "pan2d", "resetScale2d", "toImage"]];
const options = {displaylogo: false, responsive: true, showSendToCloud: false, plotlyServerURL: "",
  modeBarButtons: buttons};
const drawn = JSON.parse(document.getElementById("drawn").textContent);
for (const [name, figure] of Object.entries(drawn)) {
  Plotly.newPlot(name, figure.data, figure.layout, options);
}
"""


def page(found: dict[str, Any], points: dict[str, Any]) -> str:
    """The whole page.

    Args:
        found: A comparison, as its JSON document says.
        points: What its pictures are drawn from, the same.
    """
    from markdown_it import MarkdownIt
    from plotly.offline import get_plotlyjs

    drawn = pictures(found, points)
    library = str(get_plotlyjs())
    figures = json.dumps({each.name: json.loads(each.figure.to_json()) for each in drawn})
    words = MarkdownIt("commonmark").enable("table").render(render(found, WORDS))
    # Only these two scripts run, whatever else might have found its way into the page; and nothing is fetched.
    policy = (
        f"default-src 'none'; script-src {_hash(library)} {_hash(DRAW)}; style-src 'unsafe-inline'; "
        "img-src data: blob:; base-uri 'none'; form-action 'none'"
    )
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape_html(headline(found))}</title>
<style>{STYLE}</style>
</head>
<body>
{words}
<main>
{"".join(map(_section, drawn))}</main>
<script type="application/json" id="drawn">{figures.replace("<", chr(92) + "u003c")}</script>
<script>{library}</script>
<script>{DRAW}</script>
</body>
</html>
"""


def _section(picture: Picture) -> str:
    words = f"<h3>{picture.title}</h3>\n<p>{picture.words}</p>"
    return f'<section>\n{words}\n<div id="{picture.name}"></div>\n</section>\n'


def _hash(script: str) -> str:
    """As a content security policy names a script."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"
