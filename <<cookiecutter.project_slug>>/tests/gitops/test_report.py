# machinery
"""Reports in Markdown: what people read, word for word, and nothing of it is markup that came from data."""

from pathlib import Path

import pytest
from markdown_it import MarkdownIt

from gitops.forge.comparison import headline, render
from gitops.forge.report import escape, number, table
from gitops.training.compare import Comparison, Side
from gitops.training.gates import Outcome, Verdict

GOLDEN = Path(__file__).parent / "golden"


def side(version: str, roc_auc: float | None, *, own_code: bool = False) -> Side:
    """A version with its metrics."""
    metrics = {"roc_auc": roc_auc, "log_loss": 0.25}
    return Side(version=version, digest="sha256:1", training="sha256:2", metrics=metrics, own_code=own_code)


def outcome(gate: str, verdict: Verdict, message: str, *figures: float) -> Outcome:
    """What a gate said."""
    named = dict(zip(("value", "threshold", "low", "high"), figures, strict=False))
    return Outcome(id=gate, title=f"Promise of {gate}", verdict=verdict, message=message, **named)


PASSED = outcome("FLOOR", "passed", "roc_auc is 0.9500 and must be at least 0.9.", 0.95, 0.9)
WON = outcome("CHAMPION", "passed", "The gain lies in [0.01, 0.04].", 0.0251, 0.0, 0.01, 0.04)
LOST = outcome("CHAMPION", "refused", "The gain lies in [-0.04, -0.01]; ask @ada | <b>", -0.0251, 0.0, -0.04, -0.01)
NONE = outcome("CHAMPION", "not applicable", "There is no champion yet.")


def comparison(gate: Outcome, champion: Side | None, challenger: Side, *, same: bool = False) -> Comparison:
    """A verdict by two gates."""
    verdict = "champion" if same else "refuse" if gate.verdict == "refused" else "promote"
    return Comparison(
        verdict=verdict, metric="roc_auc", rows=171, holdout="sha256:3", challenger=challenger, champion=champion,
        baseline={"roc_auc": 0.5, "log_loss": 0.6931}, gates=(PASSED, gate),
    )  # fmt: skip


REPORTS = {
    "first": comparison(NONE, None, side("1", 0.95)),
    "better": comparison(WON, side("1", 0.925), side("2", 0.95)),
    "worse": comparison(LOST, side("2", 0.95), side("3", 0.925)),
    "not-a-number": comparison(LOST, side("2", 0.95, own_code=True), side("3", None)),
    "already": comparison(WON, side("2", 0.95), side("2", 0.95), same=True),
}
HEADLINES = {
    "first": "Version 1 can be promoted (roc_auc 0.9500; no champion yet)",
    "better": "Version 2 can be promoted (roc_auc 0.9500; champion version 1: 0.9250)",
    "worse": "Version 3 is refused by CHAMPION (roc_auc 0.9250; champion version 2: 0.9500)",
    "not-a-number": "Version 3 is refused by CHAMPION (roc_auc –; champion version 2: 0.9500)",
    "already": "Version 2 is the champion already (roc_auc 0.9500)",
}

TEXTS = {
    "pipe": "a|b",
    "backslash before a pipe": r"a\|b",
    "mention": "thanks @ada and @org/team",
    "issue": "fixes #1",
    "script": "<script>alert(1)</script>",
    "comment": "<!-- hidden -->",
    "code": "`rm -rf`",
    "bold": "**b** __b__ *i* _i_ ~~s~~",
    "link": "[text](https://example.com)",
    "image": "![text](https://example.com/a.png)",
    "entity": "&lt;b&gt; &amp;",
    "formula": "$x$",
    "backslash": "a\\",
    "columns": "snake_case_name",
}


@pytest.mark.parametrize("name", REPORTS)
def test_the_report_of_a_comparison(name: str) -> None:
    """Word for word; the file in golden/ is what a person reads."""
    golden = GOLDEN / f"comparison-{name}.md"
    assert render(REPORTS[name].model_dump(mode="json")) == golden.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", REPORTS)
def test_the_headline_of_a_comparison(name: str) -> None:
    """The verdict in one line, which is also the last one on the terminal."""
    assert headline(REPORTS[name].model_dump(mode="json")) == HEADLINES[name]


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_text_from_data_is_shown_as_it_is(text: str) -> None:
    """In one cell, without a tag, with every character, and without a mention that GitHub would send."""
    html = MarkdownIt("commonmark").enable(["table", "strikethrough"]).render(table(["column"], [[text]]))
    shown = html.partition("<td>")[2].partition("</td>")[0]
    plain = shown.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", '"').replace("&amp;", "&")
    assert html.count("<td>") == 1
    assert plain.replace("\u200b", "") == text
    assert "@a" not in plain
    assert "#1" not in plain


def test_a_text_is_one_line() -> None:
    """A line's end would end the table."""
    assert escape("a\nb\r\n\tc") == "a b c"


def test_a_number_that_is_none_is_a_dash() -> None:
    """Everything else has four decimals."""
    assert [number(None), number(0.5), number(-1)] == ["–", "0.5000", "-1.0000"]


def test_a_cell_that_looks_like_a_number_stays_as_it_is() -> None:
    """Keys keep their zeros here too."""
    assert "| 007" in table(["key"], [["007"]])
