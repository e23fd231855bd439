"""Figures of monitoring: findings over time, and the distribution of a column in training and now."""

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from gitops_ml.bins import bin_counts, bin_labels
from gitops_ml.forge.comparison_figures import DOTTED, PageFigure, empty_figure, escape_tags

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

JsonObject = dict[str, Any]
REFERENCE_COLOUR, CURRENT_COLOUR = "#999999", "#0072b2"
VERDICT_COLOURS = {
    "ok": CURRENT_COLOUR,
    "warning": "#e69f00",
    "alarm": "#d55e00",
    "insufficient data": "#bbbbbb",
    "left out": "#bbbbbb",
}
# A reader cannot distinguish more lines. The next ones are in the legend, and are drawn on a click; the rest is only in
# the table.
VISIBLE_LINES, MAX_LINES = 6, 12


@dataclass(frozen=True)
class TimeSeries:
    """A figure of findings over time.

    Attributes:
        name: Id of the HTML element.
        title: Title of the section.
        axis: Title of the y axis.
        caption: Explanation of how to read the figure.
        kinds: Kinds of the findings in the figure.
    """

    name: str
    title: str
    axis: str
    caption: str
    kinds: tuple[str, ...]


TIME_SERIES = (
    TimeSeries("drift", "Data drift and prediction drift over time", "population stability index",
               "Distance of each column, and of the predictions, from the training data. 0: the same distribution.",
               ("data drift", "prediction drift")),
    TimeSeries("performance", "Performance over time", "metric",
               "The metric on rows whose outcomes have arrived, with its confidence interval.",
               ("performance decay",)),
    TimeSeries("missing", "Missing values over time", "increase over training, share of rows",
               "A column that is suddenly empty usually means an error in the system that fills it.",
               ("missing values",)),
    TimeSeries("refused", "Refused requests over time", "share of requests",
               "Requests with rows that break the schema get no prediction.", ("refused requests",)),
    TimeSeries("failed", "Failed requests over time", "share of requests",
               "Requests that failed because of an error in the server.", ("failed requests",)),
    TimeSeries("slow", "Latency over time", "seconds", "95 % of the requests were faster than this.",
               ("slow requests",)),
)  # fmt: skip


def build_time_series(windows: list[JsonObject]) -> list[PageFigure]:
    """Return the figures of findings over time, without those that no window has values for.

    Args:
        windows: JSON documents of the windows, oldest first.
    """
    figures = (_build_series(series, windows) for series in TIME_SERIES)
    return [figure for figure in figures if figure]


def build_traffic(windows: list[JsonObject]) -> PageFigure:
    """Return the figure with the number of rows per window, coloured by verdict.

    Args:
        windows: JSON documents of the windows, oldest first.
    """
    figure = empty_figure("", "rows")
    figure.update_layout(height=360, legend={"y": -0.18})
    for verdict, colour in VERDICT_COLOURS.items():
        selected = [window for window in windows if window["verdict"] == verdict]
        if selected:
            figure.add_bar(
                x=[_time(window) for window in selected], y=[window["seen"]["rows"] for window in selected],
                name=verdict, marker={"color": colour}, hovertemplate="until %{x} UTC<br>%{y} rows",
            )  # fmt: skip
    _mark_versions(figure, windows)
    caption = "Number of predicted rows per window. The colour is the verdict of the window."
    return PageFigure("traffic", "Traffic over time", caption, figure)


def build_distribution(name: str, title: str, reference: JsonObject, counts: list[int]) -> PageFigure | None:
    """Return the figure of a distribution in training and now.

    Args:
        name: Id of the HTML element.
        title: Name of the column, or of the predictions.
        reference: JSON document of the column in the reference.
        counts: Current number of rows per bin, shape (n_bins,).

    Returns:
        The figure; None if the counts do not fit the bins, or if there are no rows.
    """
    labels, training_counts = [escape_tags(it, 30) for it in bin_labels(reference)], bin_counts(reference)
    if len(counts) != len(labels) or len(training_counts) != len(labels):
        return None
    if not sum(counts) or not sum(training_counts):
        return None
    # Positions instead of labels: two labels that are cut to the same text would share a bar.
    positions = list(range(len(labels)))
    figure = empty_figure("", "share of rows")
    samples = (("training", training_counts, REFERENCE_COLOUR), ("now", counts, CURRENT_COLOUR))
    for sample, rows, colour in samples:
        figure.add_bar(
            x=positions, y=[count / sum(rows) for count in rows], name=sample, marker={"color": colour},
            customdata=[[label, count] for label, count in zip(labels, rows, strict=True)],
            hovertemplate="%{customdata[0]}<br>%{y:.1%} (%{customdata[1]} rows)",
        )  # fmt: skip
    figure.update_xaxes(tickmode="array", tickvals=positions, ticktext=labels, tickangle=-40)
    figure.update_yaxes(tickformat=".0%")
    figure.update_layout(height=340, legend={"orientation": "h", "y": 1.12, "yanchor": "bottom", "x": 0})
    return PageFigure(name, escape_tags(title), "", figure)


def severity(finding: JsonObject) -> tuple[int, float]:
    """Return a sort key: first the verdict, then the ratio of the value to its alarm threshold.

    Args:
        finding: JSON document of a finding.
    """
    value, alarm = finding["value"], finding["alarm"]
    ratio = 0.0 if value is None else value / alarm if alarm else value
    return ("ok", "left out", "insufficient data", "warning", "alarm").index(finding["verdict"]), ratio


def _build_series(series: TimeSeries, windows: list[JsonObject]) -> PageFigure | None:
    lines: dict[str, list[tuple[str, JsonObject]]] = {}
    for window in windows:
        for finding in window["findings"]:
            if finding["kind"] in series.kinds and finding["value"] is not None:
                lines.setdefault(_line_name(finding), []).append((_time(window), finding))
    if not lines:
        return None
    figure = empty_figure("", series.axis)
    ranked = sorted(lines.items(), key=lambda line: severity(line[1][-1][1]), reverse=True)
    for index, (name, points) in enumerate(ranked[:MAX_LINES]):
        _add_line(figure, name, points, is_visible=index < VISIBLE_LINES)
    legend_rows = (min(len(lines), MAX_LINES) + 1) // 2 if len(lines) > 1 else 0
    figure.update_layout(height=360 + 20 * legend_rows, legend={"y": -0.18}, showlegend=legend_rows > 0)
    _add_thresholds(figure, ranked[0][1][-1][1])
    _mark_versions(figure, windows)
    more = f" The {VISIBLE_LINES} most severe are drawn. Click on a name in the legend to draw another one."
    return PageFigure(series.name, series.title, series.caption + (more if len(lines) > VISIBLE_LINES else ""), figure)


def _add_line(figure: "Figure", name: str, points: list[tuple[str, JsonObject]], *, is_visible: bool) -> None:
    values = [finding["value"] for _, finding in points]
    ends = [(finding["low"], finding["high"]) for _, finding in points]
    has_interval = any(low is not None and high is not None for low, high in ends)
    error_bars = {
        "type": "data", "symmetric": False, "thickness": 1.5,
        "array": [0 if high is None else high - value for (_, high), value in zip(ends, values, strict=True)],
        "arrayminus": [0 if low is None else value - low for (low, _), value in zip(ends, values, strict=True)],
    }  # fmt: skip
    figure.add_scatter(
        x=[time for time, _ in points], y=values, name=escape_tags(name, 40), mode="lines+markers",
        error_y=error_bars if has_interval else None, visible=True if is_visible else "legendonly",
        hovertemplate="until %{x} UTC<br>%{y:.4~g}",
    )  # fmt: skip


def _add_thresholds(figure: "Figure", finding: JsonObject) -> None:
    """Draw the warning and the alarm threshold of the most severe finding."""
    for verdict, position in (("warning", "top left"), ("alarm", "top right")):
        if finding[verdict] is not None:
            colour = VERDICT_COLOURS[verdict]
            figure.add_hline(
                y=finding[verdict], line={"color": colour, "width": 1.5, "dash": "dash"},
                annotation={"text": verdict, "font": {"color": colour}}, annotation_position=position,
            )  # fmt: skip


def _mark_versions(figure: "Figure", windows: list[JsonObject]) -> None:
    """Draw a vertical line where another version was deployed."""
    for previous, window in pairwise(windows):
        if window["version"] != previous["version"]:
            start = _time(window, "start")
            figure.add_shape(type="line", x0=start, x1=start, y0=0, y1=1, yref="paper", line=DOTTED)
            figure.add_annotation(
                x=start, y=1, yref="paper", yanchor="bottom", showarrow=False,
                text=f"version {escape_tags(window['version'], 12)}",
            )  # fmt: skip


def _line_name(finding: JsonObject) -> str:
    """Return the column of a finding, or its kind if it has no column."""
    return str(finding["subject"] or finding["kind"])


def _time(window: JsonObject, end: str = "until") -> str:
    """Return the start or end of a window in UTC, in plotly's format."""
    return str(window[end])[:19]
