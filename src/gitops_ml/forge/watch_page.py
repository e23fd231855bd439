"""The report of monitoring as one page for a browser: the verdict in words, what was found, then pictures."""

from typing import Any

from gitops_ml.forge import shell
from gitops_ml.forge.figures import Picture
from gitops_ml.forge.report import escape_html, number, several
from gitops_ml.forge.watch_figures import badness, courses, distribution, traffic

Found = dict[str, Any]
UNJUDGED = "not judged yet"
SAID = {
    "ok": "{where} sees what training saw",
    "warning": "Something has moved in {where}",
    "alarm": "Alarm in {where}",
    "insufficient data": "Too little was seen in {where} to say anything",
    UNJUDGED: "Nothing that serves in {where} was judged yet",
}
# So many columns are open; the others are folded away.
OPEN = 4
STYLE = "section p:empty { display: none; } details section { margin: 8px 0 0; } main + h3 { margin-top: 24px; }"
EMPTY = "<p>No window was judged yet: <code>gitops monitor</code> does.</p>"
HEADERS = ["what", "verdict", "value", "warning from", "alarm from", "interval", "in words"]


def watch_page(found: Found) -> str:
    """The whole page.

    Args:
        found: `windows`, oldest first, and `reference` (None where nobody knows it), as their JSON documents say;
            `environment`, `version`, `release`, `digest`: what serves; and `alarms`: the keys of those that stand.
    """
    windows = found["windows"]
    if not windows:
        return shell.shell(headline(found), f"{_heading(found)}\n{EMPTY}")
    last = windows[-1]
    columns = _columns(found, last)
    drawn = [*columns[:OPEN], *courses(windows), traffic(windows)]
    body = "\n".join([
        _heading(found), _sentence(found, last), _findings(last),
        f"<main>\n{''.join(map(shell.section, drawn))}</main>", _others(columns[OPEN:]),
    ])  # fmt: skip
    return shell.shell(headline(found), body, [*drawn, *columns[OPEN:]], STYLE)


def headline(found: Found) -> str:
    """The verdict in a line."""
    if not found["windows"]:
        return f"Nothing was seen in {found['environment']} yet"
    said = SAID[_verdict(found)].format(where=found["environment"])
    return said[:1].upper() + said[1:]


def _verdict(found: Found) -> str:
    """An alarm stands until it is over; what another version saw says nothing of what serves."""
    last = found["windows"][-1]
    if found["alarms"]:
        return "alarm"
    return str(last["verdict"]) if _judged(found, last) else UNJUDGED


def _judged(found: Found, last: Found) -> bool:
    return bool(last["digest"] == found["digest"])


def _heading(found: Found) -> str:
    serves = (
        f"Version {found['version']}, release {found['release']}, serves." if found["version"] else "Nothing serves."
    )
    verdict = f" {shell.badge(_verdict(found))}" if found["windows"] else ""
    return f"<h2>{escape_html(headline(found))}{verdict}</h2>\n<p>{escape_html(serves)}</p>"


def _sentence(found: Found, last: Found) -> str:
    """When, how much, and what is an alarm."""
    when = f"From {_moment(last['start'])} to {_moment(last['until'])} UTC: {several(last['seen']['rows'], 'row')}"
    asked = f" in {several(sum(last['seen']['requests'].values()), 'request')}" if last["seen"]["requests"] else ""
    lines = [f"{when}{asked}, answered by version {last['version']}."]
    if not _judged(found, last):
        lines.append("Below is what was seen of the version before.")
    alarms = f"Alarms: {', '.join(found['alarms'])}." if found["alarms"] else "No alarm stands."
    return f"<p>{escape_html(' '.join([*lines, alarms]))}</p>"


def _findings(last: Found) -> str:
    """What is not as it should be, worst first; the rest is folded away."""
    ranked = sorted(last["findings"], key=badness, reverse=True)
    bad = [each for each in ranked if each["verdict"] in ("warning", "alarm")]
    good = [each for each in ranked if each not in bad]
    shown = shell.table(HEADERS, [_row(each, last) for each in bad]) if bad else ""
    title = f"{several(len(good), 'finding')} without anything to worry about"
    return shown + (shell.folded(title, shell.table(HEADERS, [_row(each, last) for each in good])) if good else "")


def _row(finding: Found, last: Found) -> list[object]:
    """One line; what is an alarm in this window alone is called so."""
    known = finding["low"] is not None and finding["high"] is not None
    interval = f"[{number(finding['low'])}, {number(finding['high'])}]" if known else ""
    what = f"{finding['kind']}: {finding['subject']}" if finding["subject"] else finding["kind"]
    once = finding["verdict"] == "alarm" and what not in last["alarms"]
    verdict = shell.badge("alarm, not yet" if once else finding["verdict"])
    limits = ["" if finding[name] is None else number(finding[name]) for name in ("warning", "alarm")]
    return [what, verdict, number(finding["value"]), *limits, interval, finding["words"]]


def _columns(found: Found, last: Found) -> list[Picture]:
    """How each column is distributed then and now, the worst first; what is predicted before all."""
    reference, seen = found["reference"], last["seen"]
    if reference is None or not _judged(found, last):
        return []
    moved = {each["subject"]: each for each in last["findings"] if each["kind"] == "data drift"}
    names = [name for name in reference["columns"] if name in seen["columns"]]
    names.sort(key=lambda name: badness(moved[name]) if name in moved else (-1, 0.0), reverse=True)
    made = [distribution("prediction", "What is predicted", reference["prediction"], seen["prediction"])]
    made += [
        distribution(
            f"column-{place}", _titled(name, moved.get(name)), reference["columns"][name], seen["columns"][name]
        )
        for place, name in enumerate(names)
    ]
    return [picture for picture in made if picture]


def _titled(name: str, finding: Found | None) -> str:
    if finding is None or finding["value"] is None:
        return name
    return f"{name}: {finding['verdict']}, {number(finding['value'])}"


def _others(columns: list[Picture]) -> str:
    return "".join(["<h3>Other columns</h3>\n", *map(_fold, columns)]) if columns else ""


def _fold(picture: Picture) -> str:
    # The title is escaped already: plotly would read tags in it.
    return f"<details><summary>{picture.title}</summary>\n{shell.section(picture)}</details>\n"


def _moment(text: str) -> str:
    return text[:16].replace("T", " ")
