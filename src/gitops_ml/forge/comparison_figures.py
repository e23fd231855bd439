"""Figures of a comparison, made with plotly. Text that came from data is escaped, because plotly interprets tags."""

import html
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gitops_ml.forge.markdown import shorten

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

COLOURS = {"challenger": "#0072b2", "champion": "#d55e00", "labels": "#999999"}
SYMBOLS = {"challenger": "circle", "champion": "diamond-open"}
FLIP_COLOURS = {"same": "#cccccc", "neither": "#666666", "worse": "#d55e00", "better": "#009e73"}
FLIP_NAMES = {
    "same": "no flip", "neither": "flip, neither better nor worse", "worse": "flip for the worse",
    "better": "flip for the better",
}  # fmt: skip
DOTTED = {"color": "#444444", "width": 1, "dash": "dot"}
HEIGHT = 440
JsonObject = dict[str, Any]


@dataclass(frozen=True)
class PageFigure:
    """A figure of a page, with its title and caption.

    Attributes:
        name: Id of the HTML element.
        title: Title of the section.
        caption: Explanation of how to read the figure.
        figure: The plotly figure.
    """

    name: str
    title: str
    caption: str
    figure: "Figure"


def build_figures(comparison: JsonObject, points: JsonObject) -> list[PageFigure]:
    """Return every figure that the comparison has data for.

    Args:
        comparison: JSON document of a comparison.
        points: JSON document with the data of its figures.
    """
    figures = (build(comparison, points) for build in BUILDERS)
    return [figure for figure in figures if figure]


def _build_roc(comparison: JsonObject, points: JsonObject) -> PageFigure | None:
    curves = {name: version["roc"] for name, version in points["sides"].items() if version["roc"]}
    if not curves:
        return None
    figure = empty_figure("false positive rate", "true positive rate")
    _add_diagonal(figure, 0, 1)
    _add_curves(figure, comparison, curves)
    caption = (
        "Each point of a curve is one decision threshold. A curve closer to the upper left corner is better. The "
        "dotted line is a random classifier."
    )
    return PageFigure("roc", "ROC", caption, figure)


def _build_precision_recall(comparison: JsonObject, points: JsonObject) -> PageFigure | None:
    curves = {name: it["precision_recall"] for name, it in points["sides"].items() if it["precision_recall"]}
    if not curves:
        return None
    figure = empty_figure("recall", "precision")
    # Each row counts as positive at the recall of 1, so that the precision is the share of positive rows.
    figure.add_hline(y=curves["challenger" if "challenger" in curves else "champion"]["y"][0], line=DOTTED)
    _add_curves(figure, comparison, curves)
    caption = (
        "Each point of a curve is one decision threshold. A curve closer to the upper right corner is better. The "
        "dotted line is a random classifier: the share of positive rows."
    )
    return PageFigure("precision-recall", "Precision and recall", caption, figure)


def _build_confusion(comparison: JsonObject, points: JsonObject) -> PageFigure | None:
    if not points["labels"]:
        return None
    from plotly.subplots import make_subplots

    sides, labels = points["sides"], [escape_tags(label, 30) for label in points["labels"]]
    # Positions instead of labels: two labels that are cut to the same text would share a row.
    positions = list(range(len(labels)))
    titles = [_version_label(comparison, name) for name in sides]
    figure = make_subplots(rows=1, cols=len(sides), subplot_titles=titles, shared_yaxes=True)
    for column, version in enumerate(sides.values(), 1):
        figure.add_heatmap(
            z=version["confusion"], x=positions, y=positions, colorscale="Blues", showscale=False, row=1, col=column,
            texttemplate="%{z}", hovertemplate="%{z} rows<extra></extra>",
        )  # fmt: skip
    figure.update_layout(template="plotly_white", height=HEIGHT, font={"size": 13}, margin={"t": 34, "r": 20})
    ticks = {"tickmode": "array", "tickvals": positions, "ticktext": labels, "automargin": True}
    figure.update_xaxes(title_text="predicted label", **ticks)
    figure.update_yaxes(autorange="reversed", **ticks)
    figure.update_yaxes(title_text="label", row=1, col=1)
    caption = "Number of held-out rows. On the diagonal from the upper left corner, the prediction is the label."
    return PageFigure("confusion", "Confusion matrix", caption, figure)


def _build_residuals(comparison: JsonObject, points: JsonObject) -> PageFigure | None:
    residuals = {name: version["residuals"] for name, version in points["sides"].items() if version["residuals"]}
    if not residuals:
        return None
    figure = empty_figure("prediction", "residual (label minus prediction)")
    figure.add_hline(y=0, line=DOTTED)
    for name, line in residuals.items():
        marker = {"color": COLOURS[name], "size": 6, "opacity": 0.5, "symbol": SYMBOLS[name]}
        label = _version_label(comparison, name)
        figure.add_scatter(x=line["x"], y=line["y"], name=label, mode="markers", marker=marker)
    caption = (
        "Points closer to the dotted line are better. A curve or a funnel means that the model misses a pattern in the "
        "data."
    )
    return PageFigure("residuals", "Residuals", caption, figure)


def _build_calibration(comparison: JsonObject, points: JsonObject) -> PageFigure | None:
    curves = {name: version["calibration"] for name, version in points["sides"].items() if version["calibration"]}
    if not curves:
        return None
    figure = empty_figure("mean predicted value", "mean observed value")
    values = [value for curve in curves.values() for value in (*curve["x"], *curve["y"])]
    _add_diagonal(figure, min(values), max(values))
    for name, curve in curves.items():
        figure.add_scatter(x=curve["x"], y=curve["y"], name=_version_label(comparison, name), mode="lines+markers",
                           line=_line_style(name), marker={"symbol": SYMBOLS[name], "size": 8})  # fmt: skip
    caption = "Each point is a tenth of the held-out rows. On the dotted line, both values agree on average."
    return PageFigure("calibration", "Calibration", caption, figure)


def _build_slices(comparison: JsonObject, points: JsonObject) -> PageFigure | None:
    slices = list(reversed(comparison["slices"]))
    if not slices:
        return None
    has_champion = all(it["loss"] is not None for it in slices)
    values = [-it["loss"] if has_champion else it["challenger"] for it in slices]
    metric = escape_tags(comparison["metric"])
    figure = empty_figure(f"gain in {metric}" if has_champion else metric, "")
    hover = [f"{escape_tags(it['name'])}<br>{it['rows']} rows<br>challenger {it['challenger']:.4f}"
             + (f"<br>champion {it['champion']:.4f}" if has_champion else "") for it in slices]  # fmt: skip
    # Positions instead of names: two names that are cut to the same text would share a line.
    positions = list(range(len(slices)))
    figure.add_scatter(
        x=values, y=positions, mode="markers", hovertext=hover, hoverinfo="text", showlegend=False,
        marker={"color": COLOURS["challenger"], "size": 11},
        error_x=_gain_intervals(slices, values) if has_champion else None,
    )  # fmt: skip
    names = [escape_tags(it["name"], 36) for it in slices]
    figure.update_yaxes(tickmode="array", tickvals=positions, ticktext=names, range=[-0.7, len(slices) - 0.3])
    holdout_value = 0.0 if has_champion else comparison["challenger"]["metrics"][comparison["metric"]]
    if holdout_value is not None:
        figure.add_vline(x=holdout_value, line=DOTTED)
    ends = [-it[end] for it in slices for end in ("low", "high") if has_champion and it.get(end) is not None]
    _set_range(figure, [*values, *ends, *([] if holdout_value is None else [holdout_value])])
    caption = (
        "The slices of the holdout with the smallest gain of the challenger. Right of the dotted line, the challenger "
        "is better than the champion. Among so many slices, some are worse by chance alone."
        if has_champion
        else "The slices of the holdout on which the challenger is worst. The dotted line is the whole holdout."
    )
    return PageFigure("slices", "Slices", caption, figure)


def _gain_intervals(slices: list[JsonObject], values: list[float]) -> dict[str, Any] | None:
    """Return plotly's error bars for the gains; None if no slice has an interval."""
    if not any(it.get("low") is not None and it.get("high") is not None for it in slices):
        return None
    ends = [(-it["high"], -it["low"]) if it.get("low") is not None and it.get("high") is not None
            else (value, value) for it, value in zip(slices, values, strict=True)]  # fmt: skip
    return {
        "type": "data", "symmetric": False, "thickness": 1.5,
        "array": [high - value for (_, high), value in zip(ends, values, strict=True)],
        "arrayminus": [value - low for (low, _), value in zip(ends, values, strict=True)],
    }  # fmt: skip


def _build_flips(comparison: JsonObject, points: JsonObject) -> PageFigure | None:
    dots = points["dots"]
    if not dots:
        return None
    axis = escape_tags(points["axis"], 32)
    figure = empty_figure(f"champion: {axis}", f"challenger: {axis}")
    values = [value for dot in dots for value in (dot["champion"], dot["challenger"])]
    _add_diagonal(figure, min(values), max(values))
    for way, colour in FLIP_COLOURS.items():
        rows = [dot for dot in dots if dot["way"] == way]
        if not rows:
            continue
        figure.add_scatter(
            x=[dot["champion"] for dot in rows], y=[dot["challenger"] for dot in rows], mode="markers",
            name=f"{FLIP_NAMES[way]} ({len(rows)})",
            customdata=[[escape_tags(dot["key"], 40), escape_tags(dot["truth"], 30)] for dot in rows],
            hovertemplate="%{customdata[0]}<br>label %{customdata[1]}<br>champion %{x:.4~g}<br>challenger %{y:.4~g}"
            "<extra></extra>",
            marker={"color": colour, "size": 6 if way == "same" else 10},
        )  # fmt: skip
    caption = "Each dot is a held-out row. On the dotted line, both versions predict the same. Larger dots: flips."
    if len(dots) < comparison["rows"]:
        caption += f" {len(dots)} of {comparison['rows']} rows are drawn, all flips first."
    return PageFigure("flips", "Flips", caption, figure)


def _build_distribution(comparison: JsonObject, points: JsonObject) -> PageFigure:
    labels = [escape_tags(it, 30) if isinstance(it, str) else it for it in points["bins"]]
    figure = empty_figure(escape_tags(points["watched"]), "rows")
    counts = {name: version["bars"] for name, version in points["sides"].items()}
    if points["truth"] is not None:
        counts["labels"] = points["truth"]
    for name, bars in counts.items():
        title = name if name == "labels" else _version_label(comparison, name)
        figure.add_bar(x=labels, y=bars, name=title, marker={"color": COLOURS[name]})
    return PageFigure("distribution", "Distribution of predictions", "Number of held-out rows in each bin.", figure)


BUILDERS: tuple[Callable[[JsonObject, JsonObject], PageFigure | None], ...] = (
    _build_roc, _build_precision_recall, _build_confusion, _build_residuals, _build_calibration,
    _build_slices, _build_flips, _build_distribution,
)  # fmt: skip


def empty_figure(x: str, y: str) -> "Figure":
    """Return a figure with named axes and without data.

    Args:
        x: Title of the x axis, escaped.
        y: Title of the y axis, escaped.
    """
    from plotly.graph_objects import Figure

    figure = Figure()
    figure.update_layout(
        template="plotly_white", height=HEIGHT, margin={"l": 60, "r": 20, "t": 34, "b": 60},
        legend={"orientation": "h", "y": -0.2, "yanchor": "top", "x": 0}, font={"size": 13}, hovermode="closest",
    )  # fmt: skip
    figure.update_xaxes(title_text=x, automargin=True)
    figure.update_yaxes(title_text=y, automargin=True)
    return figure


def escape_tags(text: object, length: int = 80) -> str:
    """Return text from data, cut and escaped, so that plotly finds no tag in it.

    Args:
        text: Any value; its string form is used.
        length: Maximum number of characters before escaping.
    """
    return html.escape(shorten(text, length))


def _add_curves(figure: "Figure", comparison: JsonObject, curves: dict[str, JsonObject]) -> None:
    for name, curve in curves.items():
        label = _version_label(comparison, name)
        figure.add_scatter(x=curve["x"], y=curve["y"], name=label, mode="lines", line=_line_style(name))


def _add_diagonal(figure: "Figure", low: float, high: float) -> None:
    ends = [low, high]
    figure.add_scatter(x=ends, y=ends, mode="lines", line=DOTTED, showlegend=False, hoverinfo="skip")


def _set_range(figure: "Figure", values: list[float]) -> None:
    """Leave a margin at both ends of the x axis, because a line at the edge would cross the names."""
    margin = 0.08 * (max(values) - min(values)) or 0.01
    figure.update_xaxes(range=[min(values) - margin, max(values) + margin])


def _line_style(name: str) -> dict[str, Any]:
    """Return a style that also differs without colours."""
    return {"color": COLOURS[name], "width": 2, "dash": "dash" if name == "champion" else "solid"}


def _version_label(comparison: JsonObject, name: str) -> str:
    return f"{name}, version {escape_tags(comparison[name]['version'], 20)}"
