"""The pictures of monitoring: what was found over time, and how a column is distributed then and now."""

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from gitops_ml.bins import bins, counted
from gitops_ml.forge.figures import DOTTED, Picture, empty, plain

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

Found = dict[str, Any]
THEN, NOW = "#999999", "#0072b2"
VERDICTS = {"ok": NOW, "warning": "#e69f00", "alarm": "#d55e00", "insufficient data": "#bbbbbb"}
# More lines than these nobody can tell apart: the others are a click on their names away, or left to the table.
SHOWN, LINES = 6, 12


@dataclass(frozen=True)
class Course:
    """What belongs together over time.

    Attributes:
        name: Of the picture.
        title: Of its section.
        axis: What is measured.
        words: How to read it.
        kinds: The findings in it.
    """

    name: str
    title: str
    axis: str
    words: str
    kinds: tuple[str, ...]


COURSES = (
    Course("drift", "Drift over time", "population stability index",
           "How far each column, and what is predicted, lies from training: at 0, exactly as then.",
           ("data drift", "prediction drift")),
    Course("performance", "Performance over time", "measured", "What the truth says, told later, with its interval.",
           ("performance decay",)),
    Course("missing", "Missing values over time", "more missing than in training, of all rows",
           "A column that is suddenly empty is mostly somebody else's mistake.", ("missing values",)),
    Course("refused", "Refused requests over time", "of all requests", "Rows that break the schema are not predicted.",
           ("refused requests",)),
    Course("failed", "Failed requests over time", "of all requests", "Requests that had no answer, by our fault.",
           ("failed requests",)),
    Course("slow", "Latency over time", "seconds", "95 of 100 requests were answered within this.",
           ("slow requests",)),
)  # fmt: skip


def courses(windows: list[Found]) -> list[Picture]:
    """What was found, window after window; what no window has measured is left out.

    Args:
        windows: As their JSON documents say, oldest first.
    """
    made = (_course(each, windows) for each in COURSES)
    return [picture for picture in made if picture]


def traffic(windows: list[Found]) -> Picture:
    """Rows of each window, coloured by its verdict."""
    figure = empty("", "rows")
    figure.update_layout(height=360, legend={"y": -0.18})
    for verdict, colour in VERDICTS.items():
        some = [window for window in windows if window["verdict"] == verdict]
        if some:
            figure.add_bar(
                x=[_moment(each) for each in some], y=[each["seen"]["rows"] for each in some], name=verdict,
                marker={"color": colour}, hovertemplate="until %{x} UTC<br>%{y} rows",
            )  # fmt: skip
    _versions(figure, windows)
    return Picture(
        "traffic", "Traffic over time", "Rows predicted in each window, in the colour of its verdict.", figure
    )


def distribution(name: str, title: str, described: Found, now: list[int]) -> Picture | None:
    """How a column was distributed in training, and is now; None where the counts are of other bins, or of nothing.

    Args:
        name: Of the picture.
        title: The column, or what is predicted.
        described: What the reference says of it.
        now: Rows by bin.
    """
    labels, then = [plain(each, 30) for each in bins(described)], counted(described)
    if len(now) != len(labels) or len(then) != len(labels) or not sum(now) or not sum(then):
        return None
    # Names may be cut to the same text, and would then share a bar.
    places = list(range(len(labels)))
    figure = empty("", "of all rows")
    for side, counts, colour in (("then", then, THEN), ("now", now, NOW)):
        figure.add_bar(
            x=places, y=[count / sum(counts) for count in counts], name=side, marker={"color": colour},
            customdata=[[label, count] for label, count in zip(labels, counts, strict=True)],
            hovertemplate="%{customdata[0]}<br>%{y:.1%} (%{customdata[1]} rows)",
        )  # fmt: skip
    figure.update_xaxes(tickmode="array", tickvals=places, ticktext=labels, tickangle=-40)
    figure.update_yaxes(tickformat=".0%")
    figure.update_layout(height=340, legend={"orientation": "h", "y": 1.12, "yanchor": "bottom", "x": 0})
    return Picture(name, plain(title), "", figure)


def badness(finding: Found) -> tuple[int, float]:
    """What makes one finding worse than another: its verdict, then how near it is to an alarm."""
    value, alarm = finding["value"], finding["alarm"]
    near = 0.0 if value is None else value / alarm if alarm else value
    return ("ok", "insufficient data", "warning", "alarm").index(finding["verdict"]), near


def _course(course: Course, windows: list[Found]) -> Picture | None:
    lines: dict[str, list[tuple[str, Found]]] = {}
    for window in windows:
        for finding in window["findings"]:
            if finding["kind"] in course.kinds and finding["value"] is not None:
                lines.setdefault(_named(finding), []).append((_moment(window), finding))
    if not lines:
        return None
    figure = empty("", course.axis)
    ranked = sorted(lines.items(), key=lambda line: badness(line[1][-1][1]), reverse=True)
    for place, (name, points) in enumerate(ranked[:LINES]):
        _line(figure, name, points, shown=place < SHOWN)
    rows = (min(len(lines), LINES) + 1) // 2 if len(lines) > 1 else 0
    figure.update_layout(height=360 + 20 * rows, legend={"y": -0.18}, showlegend=rows > 0)
    _limits(figure, ranked[0][1][-1][1])
    _versions(figure, windows)
    left = len(lines) - SHOWN
    more = f" The worst {SHOWN} now are drawn; a click on another name draws it, too." if left > 0 else ""
    return Picture(course.name, course.title, course.words + more, figure)


def _line(figure: "Figure", name: str, points: list[tuple[str, Found]], *, shown: bool) -> None:
    values = [each["value"] for _, each in points]
    ends = [(each["low"], each["high"]) for _, each in points]
    known = any(low is not None and high is not None for low, high in ends)
    reach = {
        "type": "data", "symmetric": False, "thickness": 1.5,
        "array": [0 if high is None else high - value for (_, high), value in zip(ends, values, strict=True)],
        "arrayminus": [0 if low is None else value - low for (low, _), value in zip(ends, values, strict=True)],
    }  # fmt: skip
    figure.add_scatter(
        x=[when for when, _ in points], y=values, name=plain(name, 40), mode="lines+markers",
        error_y=reach if known else None, visible=True if shown else "legendonly",
        hovertemplate="until %{x} UTC<br>%{y:.4~g}",
    )  # fmt: skip


def _limits(figure: "Figure", finding: Found) -> None:
    """From where it is a warning, and from where an alarm, of what is worst now."""
    for verdict, place in (("warning", "top left"), ("alarm", "top right")):
        if finding[verdict] is not None:
            figure.add_hline(
                y=finding[verdict], line={"color": VERDICTS[verdict], "width": 1.5, "dash": "dash"},
                annotation={"text": verdict, "font": {"color": VERDICTS[verdict]}}, annotation_position=place,
            )  # fmt: skip


def _versions(figure: "Figure", windows: list[Found]) -> None:
    """Where another version began to serve."""
    for before, window in pairwise(windows):
        if window["version"] != before["version"]:
            when = _moment(window, "start")
            figure.add_shape(type="line", x0=when, x1=when, y0=0, y1=1, yref="paper", line=DOTTED)
            figure.add_annotation(
                x=when, y=1, yref="paper", yanchor="bottom", showarrow=False,
                text=f"version {plain(window['version'], 12)}",
            )  # fmt: skip


def _named(finding: Found) -> str:
    """What a line is called: its column, or what was looked for where there is only one of its kind."""
    return str(finding["subject"] or finding["kind"])


def _moment(window: Found, end: str = "until") -> str:
    """In UTC, as plotly reads it."""
    return str(window[end])[:19]
