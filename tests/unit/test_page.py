"""The page of a comparison: one file that asks no network, in which text from data is text."""

import base64
import hashlib
import html
import json
import re
from typing import Any

import pytest

from gitops_ml.forge.figures import pictures
from gitops_ml.forge.page import page
from gitops_ml.training.points import Dot, Drawn, Line, Points
from unit.browser import Browser, texts
from unit.reports import BAD, REPORTS, comparison, hostile, side, tame
from unit.reports import WON as GATE

CURVE = Line(x=(0.0, 0.5, 1.0), y=(0.0, 0.75, 1.0))
BARS = (3, 1)


def points(text: str = "word", *, task: str = "classification", champion: bool = True) -> Points:
    """What a comparison draws, with this text wherever one comes from data."""
    number = task == "regression"
    drawn = Drawn(roc=None if number else CURVE, calibration=CURVE, residuals=CURVE if number else None, bars=BARS)
    sides = {"challenger": drawn, **({"champion": drawn} if champion else {})}
    dots = tuple(Dot(key=text, truth=text, champion=0.25, challenger=0.75, way=way)
                 for way in ("better", "worse", "neither", "same")) if champion else ()  # fmt: skip
    return Points(
        watched=text, bins=(1.5, 2.5) if number else (text, f"{text} "), sides=sides, truth=BARS, axis=text, dots=dots
    )


def names(found: Any, drawn: Points) -> list[str]:
    """The pictures that a comparison has."""
    return [each.name for each in pictures(found.model_dump(mode="json"), drawn.model_dump(mode="json"))]


def test_each_comparison_has_its_pictures() -> None:
    """Labels have curves, numbers residuals; only against a champion do rows flip."""
    assert names(REPORTS["better"], points()) == ["roc", "calibration", "slices", "flips", "distribution"]
    assert names(REPORTS["first"], points(champion=False)) == ["roc", "calibration", "slices", "distribution"]
    assert names(REPORTS["regression"], points(task="regression")) == [
        "residuals", "calibration", "slices", "flips", "distribution",
    ]  # fmt: skip
    empty = comparison(GATE, side("1", 0.9), side("2", 0.95), slices=())
    assert "slices" not in names(empty, points())


@pytest.mark.parametrize("name", REPORTS)
def test_a_page_is_whole_and_asks_no_network(name: str) -> None:
    """Two scripts, by their hashes; nothing that is fetched, and a policy that would forbid it."""
    found = REPORTS[name]
    drawn = points(champion=found.champion is not None)
    text = page(found.model_dump(mode="json"), drawn.model_dump(mode="json"))
    seen = Browser(text)
    hashes = [base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in seen.scripts]
    assert seen.policy.startswith(f"default-src 'none'; script-src 'sha256-{hashes[0]}' 'sha256-{hashes[1]}';")
    assert (len(seen.scripts), seen.wanted, seen.seen["link"]) == (2, [], 0)
    assert seen.seen["section"] == len(names(found, drawn)) == len(json.loads(seen.data))
    assert f'<div id="{names(found, drawn)[0]}"></div>' in text


def test_hostile_text_is_text_in_the_page() -> None:
    """Not one element more than harmless text makes, and no tag that plotly would read in a figure."""
    bad = Browser(page(hostile().model_dump(mode="json"), points(BAD).model_dump(mode="json")))
    good = Browser(page(tame(hostile()), points().model_dump(mode="json")))
    assert bad.seen == good.seen
    assert (bad.seen["comment"], bad.seen["a"], bad.wanted) == (0, 0, [])
    assert "<" not in bad.data
    every = texts(json.loads(bad.data))
    assert any("script" in text for text in every)
    tags = {tag for text in every for tag in re.findall(r"<[^>]*>", text)}
    assert tags <= {"<br>", "<extra>", "</extra>"}
    assert any(html.unescape(text).startswith("|</summary>") for text in every)


def test_intervals_of_slices_are_drawn_where_they_are_known() -> None:
    """The gain is the loss, turned round; so are the ends of its interval."""
    found = REPORTS["better"].model_dump(mode="json")
    found["slices"][0].update(low=0.01, high=0.06)
    drawn = next(each for each in pictures(found, points().model_dump(mode="json")) if each.name == "slices")
    trace = json.loads(drawn.figure.to_json())["data"][0]
    assert trace["x"][-1] == -0.04
    assert trace["error_x"]["array"] == pytest.approx([0, 0.03])
    assert trace["error_x"]["arrayminus"] == pytest.approx([0, 0.02])
