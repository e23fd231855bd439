"""The words of the promotion pull request: read back, word for word, and within GitHub's limits."""

from pathlib import Path

import pytest

from gitops_ml.forge import proposal
from gitops_ml.forge.proposal import Offer
from gitops_ml.training.compare import Comparison
from unit.reports import LINEAGE, NONE, OLDER, RIVAL, WON, comparison, hostile, side

GOLDEN = Path(__file__).parent / "golden"
DIGEST = "sha256:0123456789ab" + "c" * 52
PAGE = "https://github.example/ada/tumour-screening"


def offer(found: Comparison, **changes: object) -> Offer:
    """Version 2, as a run would offer it."""
    given = {
        "environment": "production", "model": "tumour-screening", "version": "2", "release": "1.1.0", "digest": DIGEST,
        "branch": "promote/production", "comparison": found.model_dump(mode="json"), "run": f"{PAGE}/actions/runs/7",
        "plots": {"roc curve": f"{PAGE}/blob/{'a' * 40}/artifacts/1/roc_curve.png"}, "unsaid": ("owner", "licence"),
        **changes,
    }  # fmt: skip
    return Offer(**given)  # type: ignore[arg-type]


BETTER = offer(comparison(WON, side("1", 0.92, OLDER), side("2", 0.95)), main="3f2a1b0c")
FIRST = offer(comparison(NONE, None, side("1", 0.95)), version="1", release="1.0.0", run="", plots={}, unsaid=())


@pytest.mark.parametrize(("name", "offered"), {"better": BETTER, "first": FIRST}.items())
def test_the_body_is_word_for_word_what_a_reviewer_reads(name: str, offered: Offer) -> None:
    """The verdict first; then what decides; then how to try, to take and to refuse it."""
    assert proposal.body(offered, "0123456789ab") == (GOLDEN / f"body-{name}.md").read_text(encoding="utf-8")


def test_the_title_is_read_back() -> None:
    """It carries the version and the digest, and nothing else has to be remembered."""
    assert BETTER.title == "Promote tumour-screening version 2 to production (0123456789ab)"
    assert proposal.offered(BETTER.title) == BETTER.short == "0123456789ab"
    assert proposal.offered(f"🎉 {BETTER.title}!") == BETTER.short


@pytest.mark.parametrize("title", ["Fix a bug", "Promote x version 1 to production", "Promote x (0123456789ab)", ""])
def test_a_title_of_a_person_offers_nothing(title: str) -> None:
    """Only our own form counts."""
    assert proposal.offered(title) is None


def test_the_body_remembers_what_the_pull_request_was_opened_with() -> None:
    """In a comment that nobody sees; a refresh is told of only where something else is offered."""
    assert proposal.first_offered(proposal.body(BETTER, "ffffffffffff")) == "ffffffffffff"
    assert proposal.first_offered("a person's own words") is None


def test_the_body_remembers_which_main_it_speaks_of() -> None:
    """A refresh that was cut off is found by it."""
    assert proposal.compared_on(proposal.body(BETTER, "ffffffffffff")) == "3f2a1b0c"
    assert proposal.compared_on(proposal.body(FIRST, "ffffffffffff")) is None
    assert proposal.compared_on("a person's own words") is None


def test_the_comment_says_what_changed_and_is_found_again() -> None:
    """Text from data is escaped in it."""
    said = proposal.refreshed(BETTER, "The gain of @ada lies in [0.01, 0.03].")
    assert said.startswith("This pull request now offers version 2 (`0123456789ab`), release 1.1.0. The gain of @")
    assert "@ada" not in said
    assert proposal.mark_of_comment(BETTER) in said


@pytest.mark.parametrize("repeat", [1, 10, pytest.param(300, marks=pytest.mark.slow)])
def test_the_body_stays_under_githubs_limit(repeat: int) -> None:
    """However much the data has to say, the head and the tail are there."""
    body = proposal.body(offer(hostile(repeat)), "0123456789ab")
    assert len(body) <= 60_000
    assert body.startswith("## ")
    assert "**Close** to refuse it" in body
    assert body.count("<details>") == body.count("</details>")


def test_a_rival_that_is_beaten_is_named_in_the_body() -> None:
    """The reviewer sees what the version was measured against."""
    found = comparison(WON, side("1", 0.92, OLDER), side("3", 0.95, LINEAGE), rival=RIVAL)
    assert "Version 2, which the open proposal names, is beaten" in proposal.body(offer(found), "0123456789ab")
