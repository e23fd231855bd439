"""The issue about an alarm, as people read it, and how little is done to it."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import pytest

from gitops_ml.forge.alarm import Alarm, Before, Bin, Part, clear, keep
from gitops_ml.forge.github import GitHub
from unit.issues import NOW, Issues

GOLDEN = Path(__file__).parent / "golden"
WINDOWS = tuple(
    Before(NOW - timedelta(days=day), verdict, value, 0.15, 900 + day)
    for day, (verdict, value) in enumerate([("alarm", 0.41), ("alarm", 0.3), ("ok", 0.02)])
)
BINS = (Bin("< 1", 0.5, 0.1), Bin("≥ 1", 0.45, 0.8), Bin("is missing", 0.05, 0.1))
WORDS = "Index 0.410 (Jensen-Shannon distance 0.240) over 2 bins of 900 rows; chance alone: up to 0.011."
ALARM = Alarm(
    environment="production", model="sample", version="3", kind="data drift", since=NOW - timedelta(days=1),
    parts=(Part("worst_radius", WORDS, WINDOWS, BINS),), together=False,
    next="A training was asked for at 2026-06-01 12:00 UTC.", run="https://github.com/o/r/actions/runs/7",
)  # fmt: skip
MANY = replace(ALARM, together=True, parts=tuple(replace(ALARM.parts[0], subject=f"column_{n}") for n in range(60)))


def kept(issues: Issues, alarm: Alarm = ALARM) -> str:
    """What is said of keeping it."""
    return keep(cast("GitHub", issues), alarm)


def cleared(issues: Issues, *titles: str) -> list[str]:
    """What is closed but these."""
    return clear(cast("GitHub", issues), "production", set(titles))


def test_the_issue_is_word_for_word_what_people_read() -> None:
    """What, since when, how much, then and now, and what happens next."""
    assert ALARM.title == "Data drift in production: worst_radius"
    assert ALARM.body("https://github.com/o/r") == (GOLDEN / "alarm.md").read_text(encoding="utf-8")


def test_the_same_is_not_said_twice() -> None:
    """Opened once; rewritten only when there is something new, and without a comment."""
    issues = Issues()
    assert kept(issues).startswith("Opened")
    assert "says it already" in kept(issues)
    assert kept(issues, replace(ALARM, next="Something else.")).startswith("Refreshed")
    assert issues.writes == ["POST", "PATCH"]


def test_it_is_closed_once_it_is_over() -> None:
    """As completed; those of other environments and of people are left alone."""
    issues = Issues()
    kept(issues)
    kept(issues, replace(ALARM, environment="staging"))
    issues.send("POST", "/issues", {"title": "Data drift in production is annoying", "body": ""})
    assert cleared(issues, ALARM.title) == []
    assert cleared(issues) == ["https://github.com/o/r/issues/1"]
    assert issues.there[0]["state_reason"] == "completed"


@pytest.mark.parametrize("who", [{"login": "stranger", "type": "User"}, None])
def test_an_issue_of_a_stranger_is_neither_adopted_nor_closed(who: Any) -> None:
    """Whatever its title: ours is beside it, and theirs stays as it is."""
    issues = Issues(login="ada", who=who)
    issues.send("POST", "/issues", {"title": ALARM.title, "body": "Mine."})
    assert cleared(issues) == []
    issues.close(1, "User")
    issues.who = {"login": "ada", "type": "User"}
    assert kept(issues).startswith("Opened")
    assert issues.there[0]["body"] == "Mine."
    assert "says it already" in kept(issues)
    assert cleared(issues) == ["https://github.com/o/r/issues/2"]


def test_a_persons_no_counts_until_the_alarm_has_cleared() -> None:
    """It is not opened again; an alarm that begins later is another one."""
    issues = Issues()
    kept(issues)
    issues.close(1, "User")
    assert "was closed by a person" in kept(issues)
    assert len(issues.there) == 1
    assert kept(issues, replace(ALARM, since=NOW + timedelta(days=1))).startswith("Opened")


def test_what_we_closed_ourselves_is_opened_again() -> None:
    """Nobody said no."""
    issues = Issues()
    kept(issues)
    issues.close(1, "Bot")
    assert kept(issues).startswith("Opened")


def test_many_columns_are_one_issue_that_fits() -> None:
    """A table of them, and the distributions of the furthest; within GitHub's limit."""
    assert MANY.title == "Data drift in production: many columns"
    wide = replace(MANY, parts=tuple(replace(part, bins=BINS * 17, windows=WINDOWS * 3) for part in MANY.parts))
    body = wide.body("https://github.com/o/r")
    assert "60 columns" in body
    assert "and 20 more" in body
    assert body.count("```mermaid") == 3
    assert len(body) < 60_000
    assert body.endswith("until then.\n")


@pytest.mark.parametrize("name", ["@someone", "`x` ](http://evil) <img src=x>", "a\n## b", "x" * 500])
def test_names_from_data_are_shown_as_they_are(name: str) -> None:
    """No mention, no link, no markup, no heading, and no endless title."""
    alarm = replace(ALARM, parts=(replace(ALARM.parts[0], subject=name, bins=(Bin(f"= {name}", 1, 1),)),))
    body = alarm.body("https://github.com/o/r")
    for wrong in ("@someone", "](http://evil", "<img", "\n## b"):
        assert wrong not in body
    assert len(alarm.title) < 256


def test_a_secret_is_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever a column is called."""
    monkeypatch.setenv("GITOPS_TOKEN", "worst_radius")
    assert "worst_radius" not in ALARM.body("https://github.com/o/r") + ALARM.title
