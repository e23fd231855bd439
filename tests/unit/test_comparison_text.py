"""The Markdown report of a comparison: the golden files, the escaping of text from data, and the length limit."""

import html
import re
from pathlib import Path

import pytest

from gitops_ml.forge.comparison_text import headline, render_comparison
from gitops_ml.forge.markdown import escape, escape_html, format_count, format_number, format_table
from unit.example_comparisons import (
    MARKDOWN,
    PASSED_CHAMPION,
    REPORTS,
    SAME_DATA,
    compare,
    count_elements,
    hostile_comparison,
    make_version,
    with_harmless_text,
)

GOLDEN = Path(__file__).parent / "golden"


HEADLINES = {
    "first": "Version 1 can be promoted (roc_auc 0.9500; no champion yet)",
    "better": "Version 2 can be promoted (roc_auc 0.9500; champion version 1: 0.9250)",
    "worse": "Version 3 is refused by the gate CHAMPION (roc_auc 0.9250; champion version 2: 0.9500)",
    "not-a-number": "Version 3 is refused by the gate CHAMPION (roc_auc –; champion version 2: 0.9500)",
    "already": "Version 2 is the champion already; it was compared with itself (roc_auc 0.9500)",
    "proposed-worse": "Version 3 can be promoted (roc_auc 0.9500; champion version 1: 0.9000)",
    "proposed-stays": (
        "Version 3 is refused by no gate, but version 2 stays proposed (roc_auc 0.9500; champion version 1: 0.9000)"
    ),
    "regression": "Version 2 can be promoted (r2 0.4200; champion version 1: 0.3500)",
    "hostile": "Version 2 is refused by the gate CHAMPION (roc_auc 0.8000; champion version 1: 0.9000)",
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
def test_report_equals_golden_file(name: str) -> None:
    """The file in golden/ is the report as people read it."""
    golden = GOLDEN / f"comparison-{name}.md"
    assert render_comparison(REPORTS[name].model_dump(mode="json")) == golden.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", REPORTS)
def test_headline(name: str) -> None:
    """It is the verdict in one line, which is also the last line on the terminal."""
    assert headline(REPORTS[name].model_dump(mode="json")) == HEADLINES[name]


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_table_cell_shows_text_literally(text: str) -> None:
    """The text is in one cell, without tags, mentions and links, and with every character."""
    page = MARKDOWN.render(format_table(["column"], [[text]]))
    cell = page.partition("<td>")[2].partition("</td>")[0]
    plain = cell.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", '"').replace("&amp;", "&")
    assert page.count("<td>") == 1
    assert plain.replace("\u200b", "") == text
    assert "@a" not in plain
    assert "#1" not in plain
    assert "://" not in plain
    assert "www." not in plain


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_summary_shows_text_literally(text: str) -> None:
    """Inside of HTML, GitHub interprets no Markdown, so a backslash would be visible."""
    assert html.unescape(escape_html(text)).replace("\u200b", "") == text
    assert not re.search(r"[<>]|@\w|#\w|://|www\.", escape_html(text).replace("&#8203;", "\u200b"))


def test_escaped_text_is_one_line() -> None:
    """A line end would end the table."""
    assert escape("a\nb\r\n\tc") == "a b c"


def test_missing_number_is_a_dash() -> None:
    """Other numbers have four decimals."""
    assert [format_number(None), format_number(0.5), format_number(-1)] == ["–", "0.5000", "-1.0000"]


def test_table_cell_that_looks_like_a_number_is_not_changed() -> None:
    """Keys keep their leading zeros."""
    assert "| 007" in format_table(["key"], [["007"]])


def test_hostile_text_is_escaped() -> None:
    """Hostile text produces the same elements as harmless text, and no mention, link or comment."""
    comparison = hostile_comparison()
    markdown = render_comparison(comparison.model_dump(mode="json"))
    elements = count_elements(markdown)
    assert elements == count_elements(render_comparison(with_harmless_text(comparison)))
    assert elements["comment"] == elements["a"] == elements["script"] == 0
    assert elements["details"] == elements["/details"] == elements["summary"] == 5
    plain = html.unescape(MARKDOWN.render(markdown))
    assert not re.search(r"@ada|#1|https://|www\.|\u202e", plain)


@pytest.mark.parametrize("limit", [50_000, 20_000, 8_000, 4_000])
@pytest.mark.parametrize("repeat", [1, 50])
def test_report_stays_within_its_limit(limit: int, repeat: int) -> None:
    """Tables are cut first, then sections; every section is closed, and the report says how much is missing."""
    markdown = render_comparison(hostile_comparison(repeat).model_dump(mode="json"), limit)
    assert len(markdown) <= limit
    assert markdown.count("<details>") == markdown.count("</details>")
    assert markdown.startswith("## ❌ Version 2 is refused by the gate CHAMPION")
    if limit < 20_000:
        assert re.search(r"… \d+ more in the run's summary", markdown)


def test_tables_are_cut_one_after_the_other() -> None:
    """Slices are cut first; the other tables stay complete as long as there is space."""
    document = hostile_comparison().model_dump(mode="json")
    complete = render_comparison(document)
    cut = render_comparison(document, len(complete) - 1)
    assert cut.count("… 5 more in the run's summary") == 1
    assert cut.index("… 5 more") < cut.index("Predictions flip")
    assert len(cut) < len(complete)


def test_report_names_ten_of_many_columns() -> None:
    """The others are counted."""
    data = SAME_DATA.model_copy(update={"added": tuple(f"c{n}" for n in range(1000))})
    comparison = compare(PASSED_CHAMPION, make_version("1", 0.9), make_version("2", 0.95), data=data)
    markdown = render_comparison(comparison.model_dump(mode="json"))
    assert "- Added columns: c0, c1, c2, c3, c4, c5, c6, c7, c8, c9 and 990 more" in markdown


def test_count_has_the_noun_in_singular_or_plural() -> None:
    """A noun that ends with -y gets the plural -ies."""
    assert [format_count(1, "column"), format_count(2, "column"), format_count(2, "library")] == [
        "1 column",
        "2 columns",
        "2 libraries",
    ]
