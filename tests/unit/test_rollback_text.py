"""Tests of the text of the rollback pull request."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from gitops_ml.commands import rollback as rollback_command
from gitops_ml.commands import rollback_pull_request
from gitops_ml.forge import promotion_text
from gitops_ml.forge.rollback_text import EXPIRED_MARKER, Rollback, RollbackVersion
from unit import facts

GOLDEN = Path(__file__).parent / "golden"
FAILED = RollbackVersion("4", "1.1.0", "sha256:" + "4" * 64)
RESTORED = RollbackVersion("1", "1.0.0", "sha256:" + "1" * 64)
OTHER = RollbackVersion("3", "1.0.1", "sha256:" + "3" * 64)
REASON = "Between the comparison of version 4 and its merge, the data and the gates changed."
BODIES = {
    "failed": Rollback(
        "production", "sample", FAILED, RESTORED, "It made other predictions for 3 of 20 recorded rows."
    ),
    "planned": Rollback("production", "sample", FAILED, RESTORED, "Complaints since noon.", serving=FAILED),
    "planned-overridden": Rollback(
        "production", "sample", FAILED, RESTORED, "Complaints since noon.", serving=OTHER, is_overridden=True
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
    assert {name for name, rollback in BODIES.items() if EXPIRED_MARKER in rollback.body} == {
        "expired",
        "expired-first",
    }


def test_title_names_replaced_version() -> None:
    """The digest is read back from the title."""
    assert BODIES["expired"].title == "Roll back sample from version 4 to version 1 in production (444444444444)"
    assert promotion_text.parse_digest(BODIES["expired"].title) == FAILED.short_digest


@pytest.mark.parametrize(
    ("desired", "restored", "serving"),
    [(4, 1, 4), (3, 1, 3), (1, 1, 1)],
    ids=["planned", "planned while another version serves", "restored version serves already"],
)
def test_proposed_rollback_names_version_that_serves(
    monkeypatch: pytest.MonkeyPatch, desired: int, restored: int, serving: int
) -> None:
    """`gitops rollback` without --now changes only a pull request: the same version serves until the merge."""
    opened = list[Rollback]()

    def open_rollback(context: Any, rollback: Rollback, to: Any, *, insist: bool) -> str:
        opened.append(rollback)
        return ""

    monkeypatch.setattr(rollback_pull_request, "open_rollback", open_rollback)
    context: Any = SimpleNamespace(
        environment="production", github=object(), announce=lambda text: None,
        retry=lambda function, *args, **kwargs: function(*args, **kwargs),
    )  # fmt: skip
    state: Any = SimpleNamespace(entries=[facts.entry(4)], facts=[], desired=facts.record(desired))
    rollback_command._propose(context, state, facts.record(restored), "complaints")
    body = opened[0].body
    assert f"**Serving now**: version {serving} (" in body
    assert ("does not serve in production" in body) == (serving == restored)
    assert ("The merge does not change what serves" in body.replace("\n", " ")) == (serving == restored)
