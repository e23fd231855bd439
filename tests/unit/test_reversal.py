"""The words of the pull request that makes main say what serves."""

from pathlib import Path

import pytest

from gitops_ml.forge import proposal
from gitops_ml.forge.reversal import EXPIRED, Reversal, Side

GOLDEN = Path(__file__).parent / "golden"
BAD, GOOD = Side("4", "1.1.0", "sha256:" + "4" * 64), Side("1", "1.0.0", "sha256:" + "1" * 64)
WHY = "Between the comparison of version 4 and its merge, the data and the gates changed."
BODIES = {
    "failed": Reversal("production", "sample", BAD, GOOD, "It answered 3 of 20 recorded rows otherwise."),
    "expired": Reversal("production", "sample", BAD, GOOD, WHY, expired=True),
    "expired-first": Reversal("production", "sample", BAD, None, WHY, expired=True),
}


@pytest.mark.parametrize(("name", "back"), BODIES.items(), ids=BODIES)
def test_the_body_is_word_for_word_what_a_reviewer_reads(name: str, back: Reversal) -> None:
    """What happened, why, what serves, what a merge does and what closing does."""
    assert back.body == (GOLDEN / f"reversal-{name}.md").read_text(encoding="utf-8")


def test_what_only_expired_is_marked() -> None:
    """A merge on newer evidence makes it pointless, and closes it."""
    assert [EXPIRED in back.body for back in BODIES.values()] == [False, True, True]


def test_the_title_names_the_version_that_goes() -> None:
    """It is read back by its digest."""
    assert BODIES["expired"].title == "Roll back sample from version 4 to version 1 in production (444444444444)"
    assert proposal.offered(BODIES["expired"].title) == BAD.short
