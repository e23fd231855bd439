"""The texts of the promotion pull request: what is parsed back, the golden files, and GitHub's limits."""

from pathlib import Path

import pytest

from gitops_ml.forge import promotion_text
from gitops_ml.forge.promotion_text import PromotionProposal
from gitops_ml.training.compare import Comparison
from unit.example_comparisons import (
    LINEAGE,
    NO_CHAMPION,
    OLDER,
    PASSED_CHAMPION,
    PROPOSED_WORSE,
    REPORTS,
    compare,
    hostile_comparison,
    make_version,
)

GOLDEN = Path(__file__).parent / "golden"
DIGEST = "sha256:0123456789ab" + "c" * 52
URL = "https://github.example/ada/tumour-screening"


def propose(comparison: Comparison, **changes: object) -> PromotionProposal:
    """Return a proposal of version 2."""
    fields = {
        "environment": "production", "model": "tumour-screening", "version": "2", "release": "1.1.0", "digest": DIGEST,
        "branch": "promote/production", "comparison": comparison.model_dump(mode="json"),
        "run_url": f"{URL}/actions/runs/7",
        "plot_urls": {"roc curve": f"{URL}/blob/{'a' * 40}/artifacts/1/roc_curve.png"},
        "empty_card_keys": ("owner", "licence"), **changes,
    }  # fmt: skip
    return PromotionProposal(**fields)  # type: ignore[arg-type]


BETTER = propose(
    compare(PASSED_CHAMPION, make_version("1", 0.92, OLDER), make_version("2", 0.95)), evidence_key="3f2a1b0c"
)
FIRST = propose(
    compare(NO_CHAMPION, None, make_version("1", 0.95)), version="1", release="1.0.0", run_url="", plot_urls={},
    empty_card_keys=(),
)  # fmt: skip


@pytest.mark.parametrize(("name", "proposal"), {"better": BETTER, "first": FIRST}.items())
def test_body_equals_golden_file(name: str, proposal: PromotionProposal) -> None:
    """The verdict comes first, then gates and figures, then how to try, merge and reject the version."""
    body = promotion_text.render_body(proposal, "0123456789ab")
    assert body == (GOLDEN / f"body-{name}.md").read_text(encoding="utf-8")


def test_digest_is_parsed_from_the_title() -> None:
    """The title contains the version and the digest; a person may add text around it."""
    assert BETTER.title == "Promote tumour-screening version 2 to production (0123456789ab)"
    assert promotion_text.parse_digest(BETTER.title) == BETTER.short_digest == "0123456789ab"
    assert promotion_text.parse_digest(f"🎉 {BETTER.title}!") == BETTER.short_digest


@pytest.mark.parametrize("title", ["Fix a bug", "Promote x version 1 to production", "Promote x (0123456789ab)", ""])
def test_other_titles_have_no_digest(title: str) -> None:
    """Only a title in the form of gitops has one."""
    assert promotion_text.parse_digest(title) is None


def test_first_digest_is_parsed_from_the_body() -> None:
    """It is in an invisible comment; a comment about an update is due only if another version is proposed."""
    assert promotion_text.parse_first_digest(promotion_text.render_body(BETTER, "ffffffffffff")) == "ffffffffffff"
    assert promotion_text.parse_first_digest("text of a person") is None


def test_evidence_key_is_parsed_from_the_body() -> None:
    """An interrupted update is detected by it."""
    assert promotion_text.parse_evidence_key(promotion_text.render_body(BETTER, "ffffffffffff")) == "3f2a1b0c"
    assert promotion_text.parse_evidence_key(promotion_text.render_body(FIRST, "ffffffffffff")) is None
    assert promotion_text.parse_evidence_key("text of a person") is None


def test_update_comment_names_the_version_and_has_a_marker() -> None:
    """Text from data is escaped in it."""
    comment = promotion_text.render_update_comment(BETTER, "The gain of @ada lies in [0.01, 0.03].")
    assert comment.startswith("This pull request now proposes version 2 (`0123456789ab`), release 1.1.0. The gain of @")
    assert "@ada" not in comment
    assert promotion_text.comment_marker(BETTER) in comment


@pytest.mark.parametrize("repeat", [1, 10, pytest.param(300, marks=pytest.mark.slow)])
def test_body_stays_within_githubs_limit(repeat: int) -> None:
    """Head and tail are complete, however long the texts from data are."""
    body = promotion_text.render_body(propose(hostile_comparison(repeat)), "0123456789ab")
    assert len(body) <= 60_000
    assert body.startswith("## ")
    assert "**Close** to reject it" in body
    assert body.count("<details>") == body.count("</details>")


def test_body_says_whether_the_merge_changes_a_server() -> None:
    """An environment without a server tests the version only."""
    assert "the model card, and deploys the version to production. " in promotion_text.render_body(
        BETTER, "ffffffffffff"
    )
    without_server = promotion_text.render_body(propose(REPORTS["better"], is_served=False), "ffffffffffff")
    assert "runs its smoke test; no server changes" in without_server
    assert "deploys the version" not in without_server


def test_body_names_the_proposed_version_that_is_replaced() -> None:
    """The reviewer sees which version of the open pull request the new version was compared with."""
    comparison = compare(
        PASSED_CHAMPION, make_version("1", 0.92, OLDER), make_version("3", 0.95, LINEAGE), rival=PROPOSED_WORSE
    )
    body = promotion_text.render_body(propose(comparison), "0123456789ab")
    assert "Version 3 replaces version 2 in the open pull request, because version 3 passed the gate CHAMPION" in body
