"""The status page: which version serves in each environment, and how it performs. It needs no network and no script."""

import html
from typing import Any

from gitops_ml.forge import html_page, status_text
from gitops_ml.forge.html_page import Markup
from gitops_ml.forge.markdown import escape_html, format_percent

JsonObject = dict[str, Any]
Reports = dict[str, dict[str, str]]
MAX_LISTED = 8
STYLE = """
body { background: #f6f8fa; margin: 20px auto; }
h1 { font-size: 22px; margin: 0 0 2px; } h2 { margin: 0; font-size: 19px; } h3 { font-size: 15px; margin: 0 0 8px; }
.quiet { color: #57606a; font-size: 13px; margin: 0 0 14px; }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(330px, 1fr)); gap: 14px; margin: 0 0 14px; }
.card { background: #fff; border: 1px solid #d0d7de; border-radius: 8px; padding: 14px 16px; min-width: 0; }
.head { display: flex; justify-content: space-between; align-items: baseline; gap: 8px; }
.card dl { display: grid; grid-template-columns: max-content 1fr; gap: 3px 14px; margin: 10px 0 0; font-size: 14px; }
dt { color: #57606a; } dd { margin: 0; overflow-wrap: anywhere; min-width: 0; }
.card table { width: 100%; margin: 0; font-size: 14px; }
.card th, .card td { border: 0; border-top: 1px solid #eaeef2; padding: 5px 6px 5px 0; background: none; }
.card td:first-child, .card td:last-child { white-space: nowrap; } .card td:last-child { width: 1%; }
.card th { border-top: 0; color: #57606a; font-weight: normal; padding-top: 0; }
.strip { display: flex; gap: 3px; margin: 4px 0; } .strip i { width: 16px; height: 16px; border-radius: 3px; }
i.ok { background: #2da44e; } i.warning { background: #e3b341; } i.alarm { background: #cf222e; }
i.none { background: #c9d1d9; } a { color: #0969da; text-decoration: none; }
.bar { margin-top: 10px; background: #eaeef2; border-radius: 4px; height: 8px; }
.bar b { display: block; height: 8px; border-radius: 4px; background: #0969da; }
"""


def render_status_page(overview: JsonObject, reports: Reports | None = None) -> str:
    """Return the whole HTML page.

    Args:
        overview: JSON document of the overview.
        reports: Links to pages beside this one: file names by link text, by environment.
    """
    commit, time = escape_html(overview["main"] or "no commit"), status_text.format_time(overview["when"])
    cards = "".join(_environment_card(overview, it, reports or {}) for it in overview["environments"])
    body = "\n".join([
        f"<h1>{escape_html(overview['model'])}</h1>",
        f'<p class="quiet">As of {time} UTC, <code>main</code> at <code>{commit}</code>. {_repository_link(overview)}'
        "</p>",
        *(f"<p>{escape_html(line)}</p>" for line in status_text.describe_ended_line(overview)),
        f'<div class="cards">{cards}</div>',
        f'<div class="cards">{_runs_card(overview)}{_open_card(overview)}{_costs_card(overview)}</div>',
    ])  # fmt: skip
    return html_page.render_page(f"{overview['model']}: status", body, style=STYLE)


def _environment_card(overview: JsonObject, environment: JsonObject, reports: Reports) -> str:
    """Return the card with the version that serves in an environment."""
    served = environment["serving"]
    name = escape_html(environment["name"])
    if served is None:
        reason = escape_html(environment["why"] or "No version was promoted yet.")
        return _card(f'<div class="head"><h2>Nothing serves</h2><span>{name}</span></div><p>{reason}</p>' +
                     _definition_list(_extra_lines(environment)))  # fmt: skip
    title = f"Version {escape_html(served['version'])} <small>release {escape_html(served['release'])}</small>"
    head = f'<div class="head"><h2>{title}</h2><span>{name}</span></div>'
    age = status_text.format_age(environment["since"], overview["when"])
    verified = environment["verified"]
    lines = [
        ("since", f"{status_text.format_time(environment['since'])} UTC, {age}"), ("reason", environment["why"]),
        ("verified", f"{status_text.format_time(verified)} UTC" if verified else html_page.render_badge("never")),
        ("metric", status_text.describe_metric(served)), ("gates", status_text.describe_gates(served)),
        ("code, data", Markup(f"<code>{escape_html((served['commit'] or 'none')[:9])}</code> "
                              f"<code>{escape_html(served['data'][7:16])}</code>, {served['rows']:,} rows")),
        ("image", served["image"].rpartition("@")[2][:19] if served["image"] else "none"),
        ("monitoring", _monitoring_cell(environment, reports)), *_extra_lines(environment),
    ]  # fmt: skip
    return _card(head + _definition_list(lines))


def _monitoring_cell(environment: JsonObject, reports: Reports) -> Markup:
    """Return the last verdict, and a coloured square for each of the last windows."""
    windows = environment["windows"]
    links = "".join(f' · <a href="{html.escape(file)}">{escape_html(text)}</a>'
                    for text, file in reports.get(environment["name"], {}).items())  # fmt: skip
    if not windows:
        return Markup(f"no window yet{links}")
    classes = {"ok", "warning", "alarm"}
    squares = "".join(
        f'<i class="{it["verdict"] if it["verdict"] in classes else "none"}" '
        f'title="{status_text.format_time(it["until"])} UTC: {html.escape(it["verdict"])}, {it["rows"]} rows"></i>'
        for it in windows
    )
    strip = f'<div class="strip">{squares}</div>'
    if not environment["judged"]:
        return Markup(f"{html_page.render_badge(status_text.NOT_JUDGED)}{links}{strip}")
    badge, until = html_page.render_badge(windows[-1]["verdict"]), status_text.format_time(windows[-1]["until"])
    return Markup(f"{badge} until {until} UTC{links}{strip}")


def _extra_lines(environment: JsonObject) -> list[tuple[str, object]]:
    """Return the alarms, the holds and the proposed version of an environment, if there are any."""
    lines: list[tuple[str, object]] = [("alarm", alarm) for alarm in environment["alarms"][:MAX_LISTED]]
    for hold in environment["holds"][:MAX_LISTED]:
        version = f"version {hold['version']}" if hold["version"] else hold["digest"][7:19]
        text = f"{version}, since {status_text.format_time(hold['at'])} UTC by {hold['by']}: {hold['why']}"
        lines.append(("hold", Markup(f"{html_page.render_badge('held')} {escape_html(text)}")))
    proposed = environment["proposed"]
    if proposed:
        lines.append(("proposed", f"version {proposed['version']}, release {proposed['release']}"))
    return lines


def _runs_card(overview: JsonObject) -> str:
    github = overview["github"]
    if github is None:
        return _card(f"<h3>Last runs</h3><p>{escape_html(overview['unavailable']['github'])}</p>")
    rows = [[_link(it["page"], it["name"]), html_page.render_badge(it["verdict"]),
             status_text.format_age(it["when"], overview["when"])] for it in github["runs"]]  # fmt: skip
    table = html_page.render_table(["workflow", "result", "started"], rows) if rows else "No run yet."
    return _card(f"<h3>Last runs</h3>{table}")


def _open_card(overview: JsonObject) -> str:
    github = overview["github"]
    if github is None:
        return _card("<h3>Open</h3><p>Unknown, because GitHub was not read.</p>")
    items = [*github["pulls"], *github["issues"]]
    rows = [[_link(it["page"], f"#{it['number']}"), it["title"],
             status_text.format_age(it["when"], overview["when"])] for it in items[:MAX_LISTED]]  # fmt: skip
    more = f"<p>And {len(items) - MAX_LISTED} more.</p>" if len(items) > MAX_LISTED else ""
    table = "No pull request and no issue of gitops."
    if rows:
        table = html_page.render_table(["", "pull request or issue", "opened"], rows) + more
    return _card(f"<h3>Open</h3>{table}")


def _costs_card(overview: JsonObject) -> str:
    lines: list[tuple[str, object]] = [(name.lower(), value) for name, value in status_text.list_costs(overview)]
    store, bar = overview["store"], ""
    if store:
        share = min(1.0, store["bytes"] / store["budget"])
        title = f"{format_percent(share)} of the store"
        bar = f'<div class="bar" title="{title}"><b style="width: {100 * share:.1f}%"></b></div>'
    unavailable = "".join(f"<p>{escape_html(message)}</p>"
                          for source, message in overview["unavailable"].items() if source != "github")  # fmt: skip
    return _card(f"<h3>Cost</h3>{_definition_list(lines)}{bar}{unavailable}")


def _card(inner: str) -> str:
    return f'<div class="card">{inner}</div>\n'


def _definition_list(lines: list[tuple[str, object]]) -> str:
    items = (f"<dt>{escape_html(name)}</dt><dd>{html_page.render_value(value)}</dd>" for name, value in lines)
    return f"<dl>{''.join(items)}</dl>"


def _repository_link(overview: JsonObject) -> str:
    github = overview["github"]
    return _link(github["page"], github["page"]) if github else ""


def _link(url: str, text: str) -> Markup:
    """Return a link, or plain text if the URL is not an HTTP address."""
    if not url.startswith(("https://", "http://")):
        return Markup(escape_html(text))
    return Markup(f'<a href="{html.escape(url)}">{escape_html(text)}</a>')
