"""The HTML report of a comparison: one file that needs no network, in which text from data is escaped."""

import base64
import hashlib
import html
import json
import re
from typing import Any

import pytest

from gitops_ml.forge.comparison_figures import build_figures
from gitops_ml.forge.comparison_page import render_comparison_page
from gitops_ml.training.plot_data import Curve, PlotData, RowPoint, VersionPlots
from unit.example_comparisons import (
    BAD,
    PASSED_CHAMPION,
    REPORTS,
    compare,
    hostile_comparison,
    make_version,
    with_harmless_text,
)
from unit.page_parser import PageParser, find_texts

CURVE = Curve(x=(0.0, 0.5, 1.0), y=(0.0, 0.75, 1.0))
BARS = (3, 1)


def plot_data(text: str = "word", *, task: str = "classification", has_champion: bool = True) -> PlotData:
    """Return the data of a comparison's figures, with the same text wherever one comes from data."""
    is_regression = task == "regression"
    plots = VersionPlots(
        roc=None if is_regression else CURVE, precision_recall=None if is_regression else CURVE,
        confusion=() if is_regression else ((3, 1), (0, 2)), calibration=CURVE,
        residuals=CURVE if is_regression else None, bars=BARS,
    )  # fmt: skip
    sides = {"challenger": plots, **({"champion": plots} if has_champion else {})}
    dots = tuple(RowPoint(key=text, truth=text, champion=0.25, challenger=0.75, way=way)
                 for way in ("better", "worse", "neither", "same")) if has_champion else ()  # fmt: skip
    bins = (1.5, 2.5) if is_regression else (text, f"{text} ")
    labels = () if is_regression else (text, f"{text} ")
    return PlotData(watched=text, bins=bins, labels=labels, sides=sides, truth=BARS, axis=text, dots=dots)


def figure_names(comparison: Any, plots: PlotData) -> list[str]:
    """Return the names of a comparison's figures."""
    figures = build_figures(comparison.model_dump(mode="json"), plots.model_dump(mode="json"))
    return [figure.name for figure in figures]


def test_figures_depend_on_task_and_champion() -> None:
    """Classification has curves and a confusion matrix, regression has residuals, and flips need a champion."""
    assert figure_names(REPORTS["better"], plot_data()) == [
        "roc", "precision-recall", "confusion", "calibration", "slices", "flips", "distribution",
    ]  # fmt: skip
    assert figure_names(REPORTS["first"], plot_data(has_champion=False)) == [
        "roc", "precision-recall", "confusion", "calibration", "slices", "distribution",
    ]  # fmt: skip
    assert figure_names(REPORTS["regression"], plot_data(task="regression")) == [
        "residuals", "calibration", "slices", "flips", "distribution",
    ]  # fmt: skip
    without_slices = compare(PASSED_CHAMPION, make_version("1", 0.9), make_version("2", 0.95), slices=())
    assert "slices" not in figure_names(without_slices, plot_data())


@pytest.mark.parametrize("name", REPORTS)
@pytest.mark.slow
def test_page_needs_no_network(name: str) -> None:
    """It runs two scripts, which the policy names by their hashes, and loads nothing."""
    comparison = REPORTS[name]
    plots = plot_data(has_champion=comparison.champion is not None)
    text = render_comparison_page(comparison.model_dump(mode="json"), plots.model_dump(mode="json"))
    page = PageParser(text)
    hashes = [base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in page.scripts]
    assert page.policy.startswith(f"default-src 'none'; script-src 'sha256-{hashes[0]}' 'sha256-{hashes[1]}';")
    assert (len(page.scripts), page.references, page.elements["link"]) == (2, [], 0)
    names = figure_names(comparison, plots)
    assert page.elements["section"] == len(names) == len(json.loads(page.data))
    assert f'<div id="{names[0]}"></div>' in text


def test_hostile_text_is_escaped() -> None:
    """Hostile text produces the same elements as harmless text, and no tag that plotly would interpret."""
    hostile_json, hostile_plots = hostile_comparison().model_dump(mode="json"), plot_data(BAD).model_dump(mode="json")
    hostile = PageParser(render_comparison_page(hostile_json, hostile_plots))
    harmless_json = with_harmless_text(hostile_comparison())
    harmless = PageParser(render_comparison_page(harmless_json, plot_data().model_dump(mode="json")))
    assert hostile.elements == harmless.elements
    assert (hostile.elements["comment"], hostile.elements["a"], hostile.references) == (0, 0, [])
    assert "<" not in hostile.data
    texts = find_texts(json.loads(hostile.data))
    assert any("script" in text for text in texts)
    tags = {tag for text in texts for tag in re.findall(r"<[^>]*>", text)}
    assert tags <= {"<br>", "<extra>", "</extra>"}
    assert any(html.unescape(text).startswith("|</summary>") for text in texts)


def test_slices_have_error_bars_if_there_are_intervals() -> None:
    """The gain is the negative loss, and its interval is mirrored, too."""
    comparison = REPORTS["better"].model_dump(mode="json")
    comparison["slices"][0].update(low=0.01, high=0.06)
    figures = build_figures(comparison, plot_data().model_dump(mode="json"))
    slices = next(figure for figure in figures if figure.name == "slices")
    trace = json.loads(slices.figure.to_json())["data"][0]
    assert trace["x"][-1] == -0.04
    assert trace["error_x"]["array"] == pytest.approx([0, 0.03])
    assert trace["error_x"]["arrayminus"] == pytest.approx([0, 0.02])
