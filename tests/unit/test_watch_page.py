"""The report of monitoring: the worst first, then and now, over time; one file in which text from data is text."""

import json
import re
from typing import Any

import pytest

from gitops_ml.forge.watch_page import watch_page
from gitops_ml.monitoring.window import Verdict, Window
from unit.browser import Browser, texts
from unit.reports import BAD
from unit.windows import DIGEST, finding, reference, window


def page(*windows: Window, text: str = "kind", **more: Any) -> str:
    """The page of these windows, while version 1 serves."""
    found = {"environment": "production", "version": "1", "release": "1.0.0", "reference": reference(text),
             "digest": DIGEST, "alarms": windows[-1].alarms if windows else []} | more  # fmt: skip
    return watch_page({**found, "windows": [each.model_dump(mode="json") for each in windows]})


def drawn(text: str) -> dict[str, Any]:
    """The figures of a page, by name."""
    figures: dict[str, Any] = json.loads(Browser(text).data)
    return figures


def test_before_the_first_window_a_sentence_says_so() -> None:
    """There is a page, without scripts and pictures."""
    text = page()
    assert "Nothing was seen in production yet" in text
    assert "No window was judged yet" in text
    assert Browser(text).scripts == []


@pytest.mark.parametrize(("verdict", "words"), [
    ("ok", "Production sees what training saw"), ("warning", "Something has moved in production"),
    ("alarm", "Alarm in production"), ("insufficient data", "Too little was seen in production to say anything"),
])  # fmt: skip
def test_the_verdict_comes_first_in_words(verdict: Verdict, words: str) -> None:
    """In the tab, in the heading, and when it was."""
    text = page(window(verdict=verdict))
    assert f"<title>{words}</title>" in text
    assert f'<h2>{words} <span class="badge' in text
    assert "From 2026-01-01 00:00 to 2026-01-02 00:00 UTC: 100 rows in 42 requests, answered by version 1." in text


def test_what_is_worst_is_open_and_comes_first() -> None:
    """Findings that are ok are folded away, and so are the distributions of columns that did not move."""
    found = [finding(subject=f"x{place}", value=0.01 * place) for place in range(5)]
    bad = finding(subject="x5", value=0.2, verdict="alarm", words="It moved.")
    text = page(window(verdict="alarm", findings=[*found, bad], alarms=["data drift: x5"]))
    assert "Alarms: data drift: x5." in text
    assert text.index("It moved.") < text.index("5 findings without anything to worry about") < text.index("So it is.")
    folded = text[text.index("Other columns") :]
    assert [name for name in drawn(text) if f'id="{name}"' not in folded][:4] == [
        "prediction", "column-0", "column-1", "column-2"
    ]  # fmt: skip
    assert "<h3>x5: alarm, 0.2000</h3>" in text.split("Other columns")[0]
    assert folded.count("<details>") == 5


def test_a_distribution_names_its_bins() -> None:
    """Shares of both sides, by the names that people read."""
    figure = drawn(page(window()))["prediction"]
    assert figure["layout"]["xaxis"]["ticktext"] == ["&lt; 0", "in [0, 1)", "≥ 1", "is missing"]
    assert [bar["name"] for bar in figure["data"]] == ["then", "now"]
    assert figure["data"][1]["y"] == [0.3, 0.4, 0.3, 0.0]


def test_counts_of_another_version_are_not_laid_over_its_reference() -> None:
    """While what serves has not been judged yet, the page says so and draws no distribution."""
    text = page(window(version="0", digest="other", verdict="alarm", alarms=["data drift: x0"]), alarms=[])
    assert "Nothing that serves in production was judged yet" in text
    assert "Alarm in production" not in text
    assert "No alarm stands." in text
    assert "Below is what was seen of the version before." in text
    assert "prediction" not in drawn(text)
    assert "prediction" not in drawn(page(window(), reference=None))


def test_an_alarm_stands_until_it_is_over() -> None:
    """Whatever the last window says of itself, what is remembered counts."""
    text = page(window(), alarms=["data drift: x0"])
    assert "<title>Alarm in production</title>" in text
    assert "Alarms: data drift: x0." in text


def test_what_was_found_is_drawn_over_time() -> None:
    """A line for each column, its limits, its interval, and where another version began to serve."""
    decay = finding("performance decay", "roc_auc", 0.9, low=0.85, high=0.94, warning=None, alarm=0.8)
    figures = drawn(page(window(0, version="0"), window(1, findings=[finding(), decay])))
    assert {"drift", "performance", "slow", "traffic"} < set(figures)
    drift, performance = figures["drift"], figures["performance"]
    assert drift["data"][0]["x"] == ["2026-01-02T00:00:00", "2026-01-03T00:00:00"]
    assert [each["text"] for each in drift["layout"]["annotations"]] == ["warning", "alarm", "version 1"]
    reach = performance["data"][0]["error_y"]
    assert reach["array"] == pytest.approx([0.04])
    assert reach["arrayminus"] == pytest.approx([0.05])


def test_of_many_columns_the_worst_are_drawn() -> None:
    """The others are a click away, or left to the table."""
    found = [finding(subject=f"column {place}", value=place / 1000) for place in range(40)]
    lines = drawn(page(window(findings=found)))["drift"]["data"]
    assert [line["name"] for line in lines[:2]] == ["column 39", "column 38"]
    assert [line["visible"] for line in lines] == [True] * 6 + ["legendonly"] * 6


def test_hostile_text_is_text() -> None:
    """Not one element more than harmless text makes, no tag that plotly would read; nothing is fetched."""
    bad = page(window(text=BAD, findings=[finding(subject=BAD, verdict="alarm", words=BAD)], alarms=[BAD], version=BAD),
               window(1, text=BAD, findings=[finding(subject=BAD, verdict="alarm", words=BAD)], alarms=[BAD]),
               text=BAD, release=BAD)  # fmt: skip
    good = page(window(findings=[finding(subject="kind", verdict="alarm")], alarms=["kind"], version="0"),
                window(1, findings=[finding(subject="kind", verdict="alarm")], alarms=["kind"]))  # fmt: skip
    seen = Browser(bad)
    assert seen.seen == Browser(good).seen
    assert (seen.wanted, seen.seen["link"], seen.seen["img"], len(seen.scripts)) == ([], 0, 0, 2)
    assert seen.policy.startswith("default-src 'none'; script-src 'sha256-")
    tags = {tag for text in texts(json.loads(seen.data)) for tag in re.findall(r"<[^>]*>", text)}
    assert tags <= {"<br>", "<extra>", "</extra>"}
