"""Who serves and how it fares, as one page for a browser that fits a screen; it asks no network and runs no script."""

import html
from typing import Any

from gitops_ml.forge import shell
from gitops_ml.forge import status_words as words
from gitops_ml.forge.report import escape_html, percent
from gitops_ml.forge.shell import Markup

Found = dict[str, Any]
Reports = dict[str, dict[str, str]]
LISTED = 8
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


def status_page(found: Found, reports: Reports | None = None) -> str:
    """The whole page.

    Args:
        found: An overview, as its JSON document says.
        reports: Pages that lie beside this one: their files by what they are called, by environment.
    """
    at, quiet = escape_html(found["main"] or "no commit"), f"{words.moment(found['when'])} UTC"
    cards = "".join(_environment(found, each, reports or {}) for each in found["environments"])
    body = "\n".join([
        f"<h1>{escape_html(found['model'])}</h1>",
        f'<p class="quiet">As of {quiet}, by <code>main</code> at <code>{at}</code>. {_home(found)}</p>',
        f'<div class="cards">{cards}</div>',
        f'<div class="cards">{_runs(found)}{_open(found)}{_cost(found)}</div>',
    ])  # fmt: skip
    return shell.shell(f"{found['model']}: status", body, style=STYLE)


def _environment(found: Found, environment: Found, reports: Reports) -> str:
    """One card: who serves, since when, why, how good, what was seen."""
    served = environment["serving"]
    name = escape_html(environment["name"])
    if served is None:
        why = escape_html(environment["why"] or "Nothing was promoted yet.")
        return _card(f'<div class="head"><h2>Nothing serves</h2><span>{name}</span></div><p>{why}</p>' +
                     _list(_more(environment)))  # fmt: skip
    title = f"Version {escape_html(served['version'])} <small>release {escape_html(served['release'])}</small>"
    head = f'<div class="head"><h2>{title}</h2><span>{name}</span></div>'
    since = f"{words.moment(environment['since'])} UTC, {words.ago(environment['since'], found['when'])}"
    lines = [
        ("since", since), ("why", environment["why"]),
        ("verified", f"{words.moment(environment['verified'])} UTC" if environment["verified"]
         else shell.badge("never")),
        ("measured", words.measured(served)), ("gates", words.gates(served)),
        ("code, data", Markup(f"<code>{escape_html((served['commit'] or 'none')[:9])}</code> "
                              f"<code>{escape_html(served['data'][7:16])}</code>, {served['rows']:,} rows")),
        ("image", served["image"].rpartition("@")[2][:19] if served["image"] else "none"),
        ("monitoring", _monitoring(environment, reports)), *_more(environment),
    ]  # fmt: skip
    return _card(head + _list(lines))


def _monitoring(environment: Found, reports: Reports) -> Markup:
    """The verdict, and a square for each of the last windows."""
    windows = environment["windows"]
    links = "".join(f' · <a href="{html.escape(file)}">{escape_html(called)}</a>'
                    for called, file in reports.get(environment["name"], {}).items())  # fmt: skip
    if not windows:
        return Markup(f"not watched yet{links}")
    colour = {"ok": "ok", "warning": "warning", "alarm": "alarm"}
    squares = "".join(
        f'<i class="{colour.get(each["verdict"], "none")}" title="{words.moment(each["until"])} UTC: '
        f'{html.escape(each["verdict"])}, {each["rows"]} rows"></i>' for each in windows
    )  # fmt: skip
    if not environment["judged"]:
        return Markup(f'{shell.badge(words.UNJUDGED)}{links}<div class="strip">{squares}</div>')
    verdict = shell.badge(windows[-1]["verdict"])
    return Markup(f'{verdict} until {words.moment(windows[-1]["until"])} UTC{links}<div class="strip">{squares}</div>')


def _more(environment: Found) -> list[tuple[str, object]]:
    """What not every environment has."""
    lines: list[tuple[str, object]] = [("alarm", each) for each in environment["alarms"][:LISTED]]
    for hold in environment["holds"][:LISTED]:
        who = f"version {hold['version']}" if hold["version"] else hold["digest"][7:19]
        said = f"{who}, since {words.moment(hold['at'])} UTC by {hold['by']}: {hold['why']}"
        lines.append(("hold", Markup(f"{shell.badge('held')} {escape_html(said)}")))
    offer = environment["offer"]
    return lines + ([("offered", f"version {offer['version']}, release {offer['release']}")] if offer else [])


def _runs(found: Found) -> str:
    github = found["github"]
    if github is None:
        return _card(f"<h3>Last runs</h3><p>{escape_html(found['unasked']['github'])}</p>")
    rows = [[_link(each["page"], each["name"]), shell.badge(each["verdict"]), words.ago(each["when"], found["when"])]
            for each in github["runs"]]  # fmt: skip
    return _card(
        "<h3>Last runs</h3>" + (shell.table(["workflow", "ended with", "when"], rows) if rows else "None yet.")
    )


def _open(found: Found) -> str:
    github = found["github"]
    if github is None:
        return _card("<h3>Open</h3><p>Not asked.</p>")
    every = [*github["pulls"], *github["issues"]]
    rows = [[_link(each["page"], f"#{each['number']}"), each["title"], words.ago(each["when"], found["when"])]
            for each in every[:LISTED]]  # fmt: skip
    more = f"<p>And {len(every) - LISTED} more.</p>" if len(every) > LISTED else ""
    table = shell.table(["", "pull request or issue", "since"], rows) + more if rows else "No pull request, no issue."
    return _card(f"<h3>Open</h3>{table}")


def _cost(found: Found) -> str:
    lines: list[tuple[str, object]] = [(what.lower(), how) for what, how in words.cost(found)]
    store, bar = found["store"], ""
    if store:
        share = min(1.0, store["bytes"] / store["budget"])
        bar = f'<div class="bar" title="{percent(share)} of the store"><b style="width: {100 * share:.1f}%"></b></div>'
    said = "".join(f"<p>{escape_html(why)}</p>" for what, why in found["unasked"].items() if what != "github")
    return _card(f"<h3>Cost</h3>{_list(lines)}{bar}{said}")


def _card(inner: str) -> str:
    return f'<div class="card">{inner}</div>\n'


def _list(lines: list[tuple[str, object]]) -> str:
    return "<dl>" + "".join(f"<dt>{escape_html(what)}</dt><dd>{shell.cell(how)}</dd>" for what, how in lines) + "</dl>"


def _home(found: Found) -> str:
    github = found["github"]
    return _link(github["page"], github["page"]) if github else ""


def _link(page: str, text: str) -> Markup:
    """A link to a page of GitHub; anything that is no address of a page is text."""
    if not page.startswith(("https://", "http://")):
        return Markup(escape_html(text))
    return Markup(f'<a href="{html.escape(page)}">{escape_html(text)}</a>')
