"""The pictures of a comparison, by plotly; text that came from data is escaped, for plotly reads tags in it."""

import html
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gitops_ml.forge.report import short

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

COLOURS = {"challenger": "#0072b2", "champion": "#d55e00", "truth": "#999999"}
WAYS = {"same": "#cccccc", "neither": "#666666", "worse": "#d55e00", "better": "#009e73"}
DOTTED = {"color": "#444444", "width": 1, "dash": "dot"}
HEIGHT = 440
Found = dict[str, Any]


@dataclass(frozen=True)
class Picture:
    """A figure with its title, and how to read it.

    Attributes:
        name: In the page.
        title: Of the section.
        words: How to read it.
        figure: plotly's own.
    """

    name: str
    title: str
    words: str
    figure: "Figure"


def pictures(found: Found, points: Found) -> list[Picture]:
    """All that can be drawn of a comparison.

    Args:
        found: A comparison, as its JSON document says.
        points: What belongs to it, the same.
    """
    made = (each(found, points) for each in DRAWN)
    return [picture for picture in made if picture]


def _roc(found: Found, points: Found) -> Picture | None:
    lines = {name: side["roc"] for name, side in points["sides"].items() if side["roc"]}
    if not lines:
        return None
    figure = empty("false positives, of all negatives", "true positives, of all positives")
    _diagonal(figure, 0, 1)
    for name, line in lines.items():
        figure.add_scatter(x=line["x"], y=line["y"], name=_named(found, name), mode="lines", line=_stroke(name))
    words = "Every threshold at once: the nearer to the upper left corner, the better; the dotted line is chance."
    return Picture("roc", "ROC", words, figure)


def _residuals(found: Found, points: Found) -> Picture | None:
    lines = {name: side["residuals"] for name, side in points["sides"].items() if side["residuals"]}
    if not lines:
        return None
    figure = empty("prediction", "truth less prediction")
    figure.add_hline(y=0, line=DOTTED)
    for name, line in lines.items():
        dots = {"color": COLOURS[name], "size": 6, "opacity": 0.5, "symbol": SYMBOLS[name]}
        figure.add_scatter(x=line["x"], y=line["y"], name=_named(found, name), mode="markers", marker=dots)
    words = "What each version misses: the nearer to the dotted line, the better; a bow is a pattern that it missed."
    return Picture("residuals", "Residuals", words, figure)


def _calibration(found: Found, points: Found) -> Picture | None:
    lines = {name: side["calibration"] for name, side in points["sides"].items() if side["calibration"]}
    if not lines:
        return None
    figure = empty("said, on average", "true, on average")
    every = [value for line in lines.values() for value in (*line["x"], *line["y"])]
    _diagonal(figure, min(every), max(every))
    for name, line in lines.items():
        figure.add_scatter(x=line["x"], y=line["y"], name=_named(found, name), mode="lines+markers",
                           line=_stroke(name), marker={"symbol": SYMBOLS[name], "size": 8})  # fmt: skip
    words = "A point is a tenth of the rows: on the dotted line, what is said is what is true."
    return Picture("calibration", "Calibration", words, figure)


def _slices(found: Found, points: Found) -> Picture | None:
    parts = list(reversed(found["slices"]))
    if not parts:
        return None
    against = all(each["loss"] is not None for each in parts)
    values = [-each["loss"] if against else each["challenger"] for each in parts]
    metric = plain(found["metric"])
    figure = empty(f"gain in {metric}" if against else metric, "")
    hover = [f"{plain(each['name'])}<br>{each['rows']} rows<br>challenger {each['challenger']:.4f}"
             + (f"<br>champion {each['champion']:.4f}" if against else "") for each in parts]  # fmt: skip
    # Names may be cut to the same text, and would then share a line.
    places = list(range(len(parts)))
    figure.add_scatter(
        x=values, y=places, mode="markers", hovertext=hover, hoverinfo="text", showlegend=False,
        marker={"color": COLOURS["challenger"], "size": 11}, error_x=_intervals(parts, values) if against else None,
    )  # fmt: skip
    names = [plain(each["name"], 36) for each in parts]
    figure.update_yaxes(tickmode="array", tickvals=places, ticktext=names, range=[-0.7, len(parts) - 0.3])
    whole = 0.0 if against else found["challenger"]["metrics"][found["metric"]]
    if whole is not None:
        figure.add_vline(x=whole, line=DOTTED)
    known = [-each[end] for each in parts for end in ("low", "high") if against and each.get(end) is not None]
    _widen(figure, [*values, *known, *([] if whole is None else [whole])])
    words = (
        "The parts of the holdout where the challenger gains least: right of the dotted line it is better than the "
        "champion. Among so many, some are bad by chance alone."
        if against else "The parts of the holdout where the challenger is worst; the dotted line is the whole holdout."
    )  # fmt: skip
    return Picture("slices", "Slices", words, figure)


def _intervals(parts: list[Found], values: list[float]) -> dict[str, Any] | None:
    """How far the gain reaches either way, where the comparison knows an interval of the loss."""
    if not any(each.get("low") is not None and each.get("high") is not None for each in parts):
        return None
    ends = [(-each["high"], -each["low"]) if each.get("low") is not None and each.get("high") is not None
            else (value, value) for each, value in zip(parts, values, strict=True)]  # fmt: skip
    return {
        "type": "data", "symmetric": False, "thickness": 1.5,
        "array": [high - value for (_, high), value in zip(ends, values, strict=True)],
        "arrayminus": [value - low for (low, _), value in zip(ends, values, strict=True)],
    }  # fmt: skip


def _flips(found: Found, points: Found) -> Picture | None:
    dots = points["dots"]
    if not dots:
        return None
    axis = plain(points["axis"], 32)
    figure = empty(f"champion: {axis}", f"challenger: {axis}")
    every = [value for dot in dots for value in (dot["champion"], dot["challenger"])]
    _diagonal(figure, min(every), max(every))
    for way, colour in WAYS.items():
        some = [dot for dot in dots if dot["way"] == way]
        if not some:
            continue
        figure.add_scatter(
            x=[dot["champion"] for dot in some], y=[dot["challenger"] for dot in some], mode="markers",
            name=f"{NAMES[way]} ({len(some)})",
            customdata=[[plain(dot["key"], 40), plain(dot["truth"], 30)] for dot in some],
            hovertemplate="%{customdata[0]}<br>truth %{customdata[1]}<br>champion %{x:.4~g}<br>challenger %{y:.4~g}"
            "<extra></extra>",
            marker={"color": colour, "size": 6 if way == "same" else 10},
        )  # fmt: skip
    words = "A dot is a held-out row; on the dotted line both say the same. In colour: rows that flip."
    if len(dots) < found["rows"]:
        words += f" {len(dots)} of {found['rows']} rows are drawn, those that flip before others."
    return Picture("flips", "Flips", words, figure)


def _distribution(found: Found, points: Found) -> Picture:
    labels = [plain(each, 30) if isinstance(each, str) else each for each in points["bins"]]
    figure = empty(plain(points["watched"]), "rows")
    sides = {name: side["bars"] for name, side in points["sides"].items()}
    if points["truth"] is not None:
        sides["truth"] = points["truth"]
    for name, bars in sides.items():
        title = "truth" if name == "truth" else _named(found, name)
        figure.add_bar(x=labels, y=bars, name=title, marker={"color": COLOURS[name]})
    return Picture("distribution", "Distribution", "How often each answer is given on the holdout.", figure)


DRAWN: tuple[Callable[[Found, Found], Picture | None], ...] = (
    _roc, _residuals, _calibration, _slices, _flips, _distribution,
)  # fmt: skip
SYMBOLS = {"challenger": "circle", "champion": "diamond-open"}
NAMES = {"same": "no flip", "neither": "neither", "worse": "for the worse", "better": "for the better"}


def empty(x: str, y: str) -> "Figure":
    """A figure without anything in it yet, its axes named."""
    from plotly.graph_objects import Figure

    figure = Figure()
    figure.update_layout(
        template="plotly_white", height=HEIGHT, margin={"l": 60, "r": 20, "t": 34, "b": 60},
        legend={"orientation": "h", "y": -0.2, "yanchor": "top", "x": 0}, font={"size": 13}, hovermode="closest",
    )  # fmt: skip
    figure.update_xaxes(title_text=x, automargin=True)
    figure.update_yaxes(title_text=y, automargin=True)
    return figure


def _diagonal(figure: "Figure", low: float, high: float) -> None:
    ends = [low, high]
    figure.add_scatter(x=ends, y=ends, mode="lines", line=DOTTED, showlegend=False, hoverinfo="skip")


def _widen(figure: "Figure", values: list[float]) -> None:
    """Leave room at both sides, for a line at the edge would run through the names."""
    room = 0.08 * (max(values) - min(values)) or 0.01
    figure.update_xaxes(range=[min(values) - room, max(values) + room])


def _stroke(name: str) -> dict[str, Any]:
    """Told apart without colours too."""
    return {"color": COLOURS[name], "width": 2, "dash": "dash" if name == "champion" else "solid"}


def _named(found: Found, name: str) -> str:
    return f"{name}, version {plain(found[name]['version'], 20)}"


def plain(text: object, longest: int = 80) -> str:
    """Text from data, in which plotly sees no tag."""
    return html.escape(short(text, longest))
