"""The HTML report of monitoring: the verdict, the findings, then figures."""

from typing import Any

from gitops_ml.forge import html_page
from gitops_ml.forge.comparison_figures import PageFigure
from gitops_ml.forge.markdown import escape_html, format_count, format_number
from gitops_ml.forge.monitoring_figures import build_distribution, build_time_series, build_traffic, severity
from gitops_ml.forge.status_text import NOT_JUDGED

JsonObject = dict[str, Any]
HEADLINES = {
    "ok": "No problem found in {environment}",
    "warning": "Warning in {environment}",
    "alarm": "Alarm in {environment}",
    "insufficient data": "Not enough rows in {environment} for a verdict",
    NOT_JUDGED: "The version that serves in {environment} was not judged yet",
}
OPEN_COLUMNS = 4  # distributions that are shown; the others are collapsed
STYLE = "section p:empty { display: none; } details section { margin: 8px 0 0; } main + h3 { margin-top: 24px; }"
NO_WINDOWS = "<p>No window was judged yet. Run <code>gitops monitor</code> to judge one.</p>"
HEADERS = ["finding", "verdict", "value", "warning from", "alarm from", "confidence interval", "message"]


def render_monitoring_page(monitoring: JsonObject) -> str:
    """Return the whole HTML page.

    Args:
        monitoring: The keys `windows` (JSON documents, oldest first), `reference` (JSON document; None if it is
            unknown), `environment`, `version`, `release` and `digest` of the version that serves, and `alarms` (keys of
            the current alarms).
    """
    windows = monitoring["windows"]
    if not windows:
        return html_page.render_page(headline(monitoring), f"{_render_heading(monitoring)}\n{NO_WINDOWS}")
    last = windows[-1]
    columns = _build_distributions(monitoring, last)
    shown, collapsed = columns[:OPEN_COLUMNS], columns[OPEN_COLUMNS:]
    figures = [*shown, *build_time_series(windows), build_traffic(windows)]
    body = "\n".join([
        _render_heading(monitoring), _render_summary(monitoring, last), _render_findings(last),
        f"<main>\n{''.join(map(html_page.render_figure, figures))}</main>", _render_other_columns(collapsed),
    ])  # fmt: skip
    return html_page.render_page(headline(monitoring), body, [*figures, *collapsed], STYLE)


def headline(monitoring: JsonObject) -> str:
    """Return the verdict in one line.

    Args:
        monitoring: Monitoring of an environment; see `render_monitoring_page`.
    """
    if not monitoring["windows"]:
        return f"No data from {monitoring['environment']} yet"
    text = HEADLINES[_verdict(monitoring)].format(environment=monitoring["environment"])
    return text[:1].upper() + text[1:]


def _verdict(monitoring: JsonObject) -> str:
    """Return "alarm" as long as an alarm lasts, and else the last verdict, if it is about the version that serves."""
    last = monitoring["windows"][-1]
    if monitoring["alarms"]:
        return "alarm"
    return str(last["verdict"]) if _is_about_serving(monitoring, last) else NOT_JUDGED


def _is_about_serving(monitoring: JsonObject, window: JsonObject) -> bool:
    return bool(window["digest"] == monitoring["digest"])


def _render_heading(monitoring: JsonObject) -> str:
    serving = "Nothing serves."
    if monitoring["version"]:
        serving = f"Version {monitoring['version']}, release {monitoring['release']}, serves."
    badge = f" {html_page.render_badge(_verdict(monitoring))}" if monitoring["windows"] else ""
    return f"<h2>{escape_html(headline(monitoring))}{badge}</h2>\n<p>{escape_html(serving)}</p>"


def _render_summary(monitoring: JsonObject, last: JsonObject) -> str:
    """Return period and size of the last window, and the current alarms."""
    period = f"Last window: {_format_time(last['start'])} to {_format_time(last['until'])} UTC"
    requests = ""
    if last["seen"]["requests"]:
        requests = f" in {format_count(sum(last['seen']['requests'].values()), 'request')}"
    sentences = [f"{period}, {format_count(last['seen']['rows'], 'row')}{requests}, version {last['version']}."]
    if not _is_about_serving(monitoring, last):
        sentences.append("The findings below are about the previous version.")
    alarms = monitoring["alarms"]
    sentences.append(f"Current alarms: {', '.join(alarms)}." if alarms else "There is no current alarm.")
    return f"<p>{escape_html(' '.join(sentences))}</p>"


def _render_findings(last: JsonObject) -> str:
    """Return the table of warnings and alarms, most severe first, and the other findings collapsed."""
    ranked = sorted(last["findings"], key=severity, reverse=True)
    severe = [finding for finding in ranked if finding["verdict"] in ("warning", "alarm")]
    others = [finding for finding in ranked if finding not in severe]
    table = html_page.render_table(HEADERS, [_row(finding, last) for finding in severe]) if severe else ""
    if not others:
        return table
    title = f"{format_count(len(others), 'finding')} without a warning or an alarm"
    other_table = html_page.render_table(HEADERS, [_row(finding, last) for finding in others])
    return table + html_page.collapse_html(title, other_table)


def _row(finding: JsonObject, last: JsonObject) -> list[object]:
    """Return the cells of a finding. An alarm that too few windows show is "alarm, not confirmed"."""
    has_interval = finding["low"] is not None and finding["high"] is not None
    interval = f"[{format_number(finding['low'])}, {format_number(finding['high'])}]" if has_interval else ""
    name = f"{finding['kind']}: {finding['subject']}" if finding["subject"] else finding["kind"]
    is_pending = finding["verdict"] == "alarm" and name not in last["alarms"]
    badge = html_page.render_badge("alarm, not confirmed" if is_pending else finding["verdict"])
    thresholds = ["" if finding[key] is None else format_number(finding[key]) for key in ("warning", "alarm")]
    return [name, badge, format_number(finding["value"]), *thresholds, interval, finding["words"]]


def _build_distributions(monitoring: JsonObject, last: JsonObject) -> list[PageFigure]:
    """Return the distributions in training and now: first the predictions, then the columns, most severe first."""
    reference, seen = monitoring["reference"], last["seen"]
    if reference is None or not _is_about_serving(monitoring, last):
        return []
    drift = {finding["subject"]: finding for finding in last["findings"] if finding["kind"] == "data drift"}
    names = [name for name in reference["columns"] if name in seen["columns"]]
    names.sort(key=lambda name: severity(drift[name]) if name in drift else (-1, 0.0), reverse=True)
    figures = [build_distribution("prediction", "Predictions", reference["prediction"], seen["prediction"])]
    figures += [
        build_distribution(
            f"column-{index}", _column_title(name, drift.get(name)), reference["columns"][name], seen["columns"][name]
        )
        for index, name in enumerate(names)
    ]
    return [figure for figure in figures if figure]


def _column_title(name: str, finding: JsonObject | None) -> str:
    if finding is None or finding["value"] is None:
        return name
    return f"{name}: {finding['verdict']}, {format_number(finding['value'])}"


def _render_other_columns(figures: list[PageFigure]) -> str:
    return "".join(["<h3>Other columns</h3>\n", *map(_collapse_figure, figures)]) if figures else ""


def _collapse_figure(figure: PageFigure) -> str:
    # The title is escaped already, because plotly would interpret tags in it.
    return f"<details><summary>{figure.title}</summary>\n{html_page.render_figure(figure)}</details>\n"


def _format_time(text: str) -> str:
    return text[:16].replace("T", " ")
