"""Tests of the text of the rollback pull request."""

from pathlib import Path

import pytest

from gitops_ml.forge import promotion_text
from gitops_ml.forge.rollback_text import EXPIRED_MARKER, Rollback, RollbackVersion

GOLDEN = Path(__file__).parent / "golden"
FAILED = RollbackVersion("4", "1.1.0", "sha256:" + "4" * 64)
RESTORED = RollbackVersion("1", "1.0.0", "sha256:" + "1" * 64)
REASON = "Between the comparison of version 4 and its merge, the data and the gates changed."
BODIES = {
    "failed": Rollback(
        "production", "sample", FAILED, RESTORED, "It made other predictions for 3 of 20 recorded rows."
    ),
    "expired": Rollback("production", "sample", FAILED, RESTORED, REASON, is_expired=True),
    "expired-first": Rollback("production", "sample", FAILED, None, REASON, is_expired=True),
}


@pytest.mark.parametrize(("name", "rollback"), BODIES.items(), ids=BODIES)
def test_body_equals_golden_file(name: str, rollback: Rollback) -> None:
    """The body says what failed and why, which version serves, and what a merge or a close does."""
    assert rollback.body == (GOLDEN / f"rollback-{name}.md").read_text(encoding="utf-8")


def test_rollback_of_expired_version_is_marked() -> None:
    """The mark lets a merge on newer evidence close the pull request."""
    assert [EXPIRED_MARKER in rollback.body for rollback in BODIES.values()] == [False, True, True]


def test_title_names_replaced_version() -> None:
    """The digest is read back from the title."""
    assert BODIES["expired"].title == "Roll back sample from version 4 to version 1 in production (444444444444)"
    assert promotion_text.parse_digest(BODIES["expired"].title) == FAILED.short_digest
