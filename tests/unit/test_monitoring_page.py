"""The HTML report of monitoring: order of findings and figures, and the escaping of text from data."""

import json
import re
from typing import Any

import pytest

from gitops_ml.forge.monitoring_page import render_monitoring_page
from gitops_ml.monitoring.window import Verdict, Window
from unit.example_comparisons import BAD
from unit.monitoring_windows import DIGEST, finding, reference, window
from unit.page_parser import PageParser, find_texts


def render(*windows: Window, text: str = "kind", **changes: Any) -> str:
    """Return the page of these windows, while version 1 serves."""
    monitoring = {"environment": "production", "version": "1", "release": "1.0.0", "reference": reference(text),
                  "digest": DIGEST, "alarms": windows[-1].alarms if windows else []} | changes  # fmt: skip
    return render_monitoring_page({**monitoring, "windows": [it.model_dump(mode="json") for it in windows]})


def parse_figures(page: str) -> dict[str, Any]:
    """Return the figures of a page by name."""
    figures: dict[str, Any] = json.loads(PageParser(page).data)
    return figures


def test_page_without_windows_has_a_sentence() -> None:
    """It has no script and no figure."""
    page = render()
    assert "No data from production yet" in page
    assert "No window was judged yet" in page
    assert PageParser(page).scripts == []


@pytest.mark.parametrize(("verdict", "headline"), [
    ("ok", "No problem found in production"), ("warning", "Warning in production"),
    ("alarm", "Alarm in production"), ("insufficient data", "Not enough rows in production for a verdict"),
])  # fmt: skip
def test_verdict_is_in_title_and_heading(verdict: Verdict, headline: str) -> None:
    """The heading is followed by period and size of the last window."""
    page = render(window(verdict=verdict))
    assert f"<title>{headline}</title>" in page
    assert f'<h2>{headline} <span class="badge' in page
    assert "Last window: 2026-01-01 00:00 to 2026-01-02 00:00 UTC, 100 rows in 42 requests, version 1." in page


def test_severe_findings_and_columns_come_first() -> None:
    """Findings that are ok are collapsed, and so are the distributions of columns that did not drift."""
    findings = [finding(subject=f"x{number}", value=0.01 * number) for number in range(5)]
    alarm = finding(subject="x5", value=0.2, verdict="alarm", words="It moved.")
    page = render(window(verdict="alarm", findings=[*findings, alarm], alarms=["data drift: x5"]))
    assert "Current alarms: data drift: x5." in page
    message = findings[0].words
    assert page.index("It moved.") < page.index("5 findings without a warning or an alarm") < page.index(message)
    collapsed = page[page.index("Other columns") :]
    assert [name for name in parse_figures(page) if f'id="{name}"' not in collapsed][:4] == [
        "prediction", "column-0", "column-1", "column-2"
    ]  # fmt: skip
    assert "<h3>x5: alarm, 0.2000</h3>" in page.split("Other columns")[0]
    assert collapsed.count("<details>") == 5


def test_distribution_has_names_of_bins() -> None:
    """It shows the shares of both samples."""
    figure = parse_figures(render(window()))["prediction"]
    assert figure["layout"]["xaxis"]["ticktext"] == ["&lt; 0", "in [0, 1)", "≥ 1", "is missing"]
    assert [bar["name"] for bar in figure["data"]] == ["training", "now"]
    assert figure["data"][1]["y"] == [0.3, 0.4, 0.3, 0.0]


def test_windows_of_another_version_give_no_verdict() -> None:
    """The page says that the version was not judged yet, and draws no distribution."""
    page = render(window(version="0", digest="other", verdict="alarm", alarms=["data drift: x0"]), alarms=[])
    assert "The version that serves in production was not judged yet" in page
    assert "Alarm in production" not in page
    assert "There is no current alarm." in page
    assert "The findings below are about the previous version." in page
    assert "prediction" not in parse_figures(page)
    assert "prediction" not in parse_figures(render(window(), reference=None))


def test_alarm_lasts_until_it_is_over() -> None:
    """The current alarms decide, not the verdict of the last window."""
    page = render(window(), alarms=["data drift: x0"])
    assert "<title>Alarm in production</title>" in page
    assert "Current alarms: data drift: x0." in page


def test_findings_are_drawn_over_time() -> None:
    """There is a line for each column, with thresholds, intervals and changes of the version."""
    decay = finding("performance decay", "roc_auc", 0.9, low=0.85, high=0.94, warning=None, alarm=0.8)
    figures = parse_figures(render(window(0, version="0"), window(1, findings=[finding(), decay])))
    assert {"drift", "performance", "slow", "traffic"} < set(figures)
    drift, performance = figures["drift"], figures["performance"]
    assert drift["data"][0]["x"] == ["2026-01-02T00:00:00", "2026-01-03T00:00:00"]
    assert [it["text"] for it in drift["layout"]["annotations"]] == ["warning", "alarm", "version 1"]
    error_bars = performance["data"][0]["error_y"]
    assert error_bars["array"] == pytest.approx([0.04])
    assert error_bars["arrayminus"] == pytest.approx([0.05])


def test_most_severe_of_many_columns_are_drawn() -> None:
    """Six more are in the legend, and the others only in the table."""
    findings = [finding(subject=f"column {number}", value=number / 1000) for number in range(40)]
    lines = parse_figures(render(window(findings=findings)))["drift"]["data"]
    assert [line["name"] for line in lines[:2]] == ["column 39", "column 38"]
    assert [line["visible"] for line in lines] == [True] * 6 + ["legendonly"] * 6


def test_hostile_text_is_escaped() -> None:
    """Hostile text produces the same elements as harmless text, and no tag that plotly would interpret."""
    hostile_finding, harmless_finding = (
        finding(subject=BAD, verdict="alarm", words=BAD), finding(subject="kind", verdict="alarm"),
    )  # fmt: skip
    hostile_page = render(
        window(text=BAD, findings=[hostile_finding], alarms=[BAD], version=BAD),
        window(1, text=BAD, findings=[hostile_finding], alarms=[BAD]),
        text=BAD, release=BAD,
    )  # fmt: skip
    harmless_page = render(
        window(findings=[harmless_finding], alarms=["kind"], version="0"),
        window(1, findings=[harmless_finding], alarms=["kind"]),
    )
    hostile = PageParser(hostile_page)
    assert hostile.elements == PageParser(harmless_page).elements
    assert (hostile.references, hostile.elements["link"], hostile.elements["img"], len(hostile.scripts)) == (
        [],
        0,
        0,
        2,
    )
    assert hostile.policy.startswith("default-src 'none'; script-src 'sha256-")
    tags = {tag for text in find_texts(json.loads(hostile.data)) for tag in re.findall(r"<[^>]*>", text)}
    assert tags <= {"<br>", "<extra>", "</extra>"}


def test_drift_that_is_left_out_is_shown() -> None:
    """It is neither a warning nor an alarm, and its message says why."""
    words = "Drift of this column raises no alarm ([monitoring] left_out in model.toml)."
    page = render(window(findings=[finding(subject="month", value=3.0, verdict="left out", words=words)]))
    assert "No problem found in production" in page
    assert "1 finding without a warning or an alarm" in page
    assert '<span class="badge ">left out</span>' in page
    assert words in page
