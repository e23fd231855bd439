"""Reports in Markdown: what people read, word for word, and nothing of it is markup that came from data."""

import html
import re
from pathlib import Path

import pytest

from gitops_ml.forge.comparison import headline, render
from gitops_ml.forge.report import escape, escape_html, number, several, table
from unit.reports import MARKDOWN, REPORTS, SAME, WON, comparison, hostile, shape, side, tame

GOLDEN = Path(__file__).parent / "golden"


HEADLINES = {
    "first": "Version 1 can be promoted (roc_auc 0.9500; no champion yet)",
    "better": "Version 2 can be promoted (roc_auc 0.9500; champion version 1: 0.9250)",
    "worse": "Version 3 is refused by CHAMPION (roc_auc 0.9250; champion version 2: 0.9500)",
    "not-a-number": "Version 3 is refused by CHAMPION (roc_auc –; champion version 2: 0.9500)",
    "already": "Version 2 is the champion already (roc_auc 0.9500)",
    "rival-beaten": "Version 3 can be promoted (roc_auc 0.9500; champion version 1: 0.9000)",
    "rival-stays": "Version 3 can be promoted (roc_auc 0.9500; champion version 1: 0.9000)",
    "regression": "Version 2 can be promoted (r2 0.4200; champion version 1: 0.3500)",
    "hostile": "Version 2 is refused by CHAMPION (roc_auc 0.8000; champion version 1: 0.9000)",
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
    "address": "see https://example.com or www.example.com",
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
    page = MARKDOWN.render(table(["column"], [[text]]))
    shown = page.partition("<td>")[2].partition("</td>")[0]
    plain = shown.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", '"').replace("&amp;", "&")
    assert page.count("<td>") == 1
    assert plain.replace("\u200b", "") == text
    assert "@a" not in plain
    assert "#1" not in plain
    assert "://" not in plain
    assert "www." not in plain


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_text_from_data_is_shown_as_it_is_in_a_summary(text: str) -> None:
    """There GitHub reads HTML, and no Markdown: a backslash would be seen."""
    assert html.unescape(escape_html(text)).replace("\u200b", "") == text
    assert not re.search(r"[<>]|@\w|#\w|://|www\.", escape_html(text).replace("&#8203;", "\u200b"))


def test_a_text_is_one_line() -> None:
    """A line's end would end the table."""
    assert escape("a\nb\r\n\tc") == "a b c"


def test_a_number_that_is_none_is_a_dash() -> None:
    """Everything else has four decimals."""
    assert [number(None), number(0.5), number(-1)] == ["–", "0.5000", "-1.0000"]


def test_a_cell_that_looks_like_a_number_stays_as_it_is() -> None:
    """Keys keep their zeros here too."""
    assert "| 007" in table(["key"], [["007"]])


def test_hostile_text_changes_nothing_but_itself() -> None:
    """Not one element more or less than harmless text makes, no mention, no link, no comment."""
    found = hostile()
    markdown = render(found.model_dump(mode="json"))
    seen = shape(markdown)
    assert seen == shape(render(tame(found)))
    assert seen["comment"] == seen["a"] == seen["script"] == 0
    assert seen["details"] == seen["/details"] == seen["summary"] == 5
    plain = html.unescape(MARKDOWN.render(markdown))
    assert not re.search(r"@ada|#1|https://|www\.|\u202e", plain)


@pytest.mark.parametrize("limit", [50_000, 20_000, 8_000, 4_000])
@pytest.mark.parametrize("repeat", [1, 50])
def test_a_report_keeps_to_its_limit(limit: int, repeat: int) -> None:
    """Tables are cut before sections are, and nothing is left open; what is missing is counted."""
    markdown = render(hostile(repeat).model_dump(mode="json"), limit)
    assert len(markdown) <= limit
    assert markdown.count("<details>") == markdown.count("</details>")
    assert markdown.startswith("## ❌ Version 2 is refused by CHAMPION")
    if limit < 20_000:
        assert re.search(r"… \d+ more in the run's summary", markdown)


def test_tables_are_cut_one_after_the_other() -> None:
    """Slices first, then flips, then shifts: the others stay whole as long as there is room."""
    document = hostile().model_dump(mode="json")
    whole = render(document)
    cut = render(document, len(whole) - 1)
    assert cut.count("… 5 more in the run's summary") == 1
    assert cut.index("… 5 more") < cut.index("Predictions flip")
    assert len(cut) < len(whole)


def test_a_report_of_many_columns_names_a_few() -> None:
    """The rest is counted."""
    data = SAME.model_copy(update={"added": tuple(f"c{n}" for n in range(1000))})
    markdown = render(comparison(WON, side("1", 0.9), side("2", 0.95), data=data).model_dump(mode="json"))
    assert "- Added: c0, c1, c2, c3, c4, c5, c6, c7, c8, c9 and 990 more" in markdown


def test_one_and_several() -> None:
    """As people say it."""
    assert [several(1, "column"), several(2, "column"), several(2, "library")] == [
        "1 column",
        "2 columns",
        "2 libraries",
    ]
