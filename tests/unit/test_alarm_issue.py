"""The issue about an alarm: its text, and when it is opened, updated and closed."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import pytest

from gitops_ml.forge.alarm_issue import AlarmIssue, AlarmPart, AlarmWindow, BinShares, close_other_issues, update_issue
from gitops_ml.forge.github import GitHub
from unit.fake_issues import NOW, FakeIssues

GOLDEN = Path(__file__).parent / "golden"
REPOSITORY_URL = "https://github.com/o/r"
WINDOWS = tuple(
    AlarmWindow(NOW - timedelta(days=day), verdict, value, 0.15, 900 + day)
    for day, (verdict, value) in enumerate([("alarm", 0.41), ("alarm", 0.3), ("ok", 0.02)])
)
BINS = (BinShares("< 1", 0.5, 0.1), BinShares("≥ 1", 0.45, 0.8), BinShares("is missing", 0.05, 0.1))
MESSAGE = "PSI 0.410 (Jensen-Shannon distance 0.240) over 2 bins of 900 rows; by chance up to 0.011."
ALARM = AlarmIssue(
    environment="production", model="sample", version="3", kind="data drift", since=NOW - timedelta(days=1),
    parts=(AlarmPart("worst_radius", MESSAGE, WINDOWS, BINS),), is_grouped=False,
    next_step="A training was started at 2026-06-01 12:00 UTC.", run_url="https://github.com/o/r/actions/runs/7",
)  # fmt: skip
MANY = replace(ALARM, is_grouped=True, parts=tuple(replace(ALARM.parts[0], subject=f"column_{n}") for n in range(60)))


def update(issues: FakeIssues, alarm: AlarmIssue = ALARM) -> str:
    """Open or update the issue, and return the sentence about it."""
    return update_issue(cast("GitHub", issues), alarm)


def close_others(issues: FakeIssues, *titles: str) -> list[str]:
    """Close the issues with other titles, and return their URLs."""
    return close_other_issues(cast("GitHub", issues), "production", set(titles))


def test_body_equals_golden_file() -> None:
    """It contains the finding, the start, the last windows, the distribution, and what happens next."""
    assert ALARM.title == "Data drift in production: worst_radius"
    assert ALARM.render_body(REPOSITORY_URL) == (GOLDEN / "alarm.md").read_text(encoding="utf-8")


def test_issue_is_updated_only_if_its_text_changes() -> None:
    """It is opened once, updated in place, and gets no comment."""
    issues = FakeIssues()
    assert update(issues).startswith("Opened")
    assert "is up to date" in update(issues)
    assert update(issues, replace(ALARM, next_step="Something else.")).startswith("Updated")
    assert issues.writes == ["POST", "PATCH"]


def test_issue_is_closed_when_the_alarm_is_over() -> None:
    """It is closed as completed; issues of other environments and of users are not changed."""
    issues = FakeIssues()
    update(issues)
    update(issues, replace(ALARM, environment="staging"))
    issues.send("POST", "/issues", {"title": "Data drift in production is annoying", "body": ""})
    assert close_others(issues, ALARM.title) == []
    assert close_others(issues) == ["https://github.com/o/r/issues/1"]
    assert issues.issues[0]["state_reason"] == "completed"


@pytest.mark.parametrize("author", [{"login": "other", "type": "User"}, None])
def test_issue_of_another_author_is_not_changed(author: Any) -> None:
    """An issue of another user with the same title is neither updated nor closed; a new one is opened beside it."""
    issues = FakeIssues(login="ada", author=author)
    issues.send("POST", "/issues", {"title": ALARM.title, "body": "Mine."})
    assert close_others(issues) == []
    issues.close(1, "User")
    issues.author = {"login": "ada", "type": "User"}
    assert update(issues).startswith("Opened")
    assert issues.issues[0]["body"] == "Mine."
    assert "is up to date" in update(issues)
    assert close_others(issues) == ["https://github.com/o/r/issues/2"]


def test_issue_that_a_person_closed_stays_closed() -> None:
    """It is not opened again during the same alarm; a later alarm opens a new issue."""
    issues = FakeIssues()
    update(issues)
    issues.close(1, "User")
    assert "was closed by a person" in update(issues)
    assert len(issues.issues) == 1
    assert update(issues, replace(ALARM, since=NOW + timedelta(days=1))).startswith("Opened")


def test_issue_that_a_bot_closed_is_opened_again() -> None:
    """No person refused it."""
    issues = FakeIssues()
    update(issues)
    issues.close(1, "Bot")
    assert update(issues).startswith("Opened")


def test_issue_about_many_columns_stays_within_the_limit() -> None:
    """It has a table of the columns, and the distributions of the first three."""
    assert MANY.title == "Data drift in production: many columns"
    wide = replace(MANY, parts=tuple(replace(part, bins=BINS * 17, windows=WINDOWS * 3) for part in MANY.parts))
    body = wide.render_body(REPOSITORY_URL)
    assert "60 columns" in body
    assert "and 20 more" in body
    assert body.count("```mermaid") == 3
    assert len(body) < 60_000
    assert body.endswith("a new alarm opens a new issue.\n")


@pytest.mark.parametrize("name", ["@someone", "`x` ](http://evil) <img src=x>", "a\n## b", "x" * 500])
def test_names_from_data_are_escaped(name: str) -> None:
    """The body has no mention, link, markup or heading from data, and the title is not too long."""
    alarm = replace(ALARM, parts=(replace(ALARM.parts[0], subject=name, bins=(BinShares(f"= {name}", 1, 1),)),))
    body = alarm.render_body(REPOSITORY_URL)
    for markup in ("@someone", "](http://evil", "<img", "\n## b"):
        assert markup not in body
    assert len(alarm.title) < 256


def test_secrets_are_masked(monkeypatch: pytest.MonkeyPatch) -> None:
    """A column with the value of a secret as its name is masked in title and body."""
    monkeypatch.setenv("GITOPS_TOKEN", "worst_radius")
    assert "worst_radius" not in ALARM.render_body(REPOSITORY_URL) + ALARM.title
