"""Records and ledger facts of versions, which tests identify by a number."""

from datetime import UTC, datetime, timedelta

from gitops_ml.config import SplitConfig
from gitops_ml.registry.ledger import (
    Expired,
    Held,
    Override,
    Verified,
)
from gitops_ml.registry.record import HistoryEntry, PromotionMetric, Record
from gitops_ml.run import Lineage

NOW = datetime(2026, 6, 1, tzinfo=UTC)


def record(number: int) -> Record:
    """Return a record of version `number`, whose digest repeats the number."""
    lineage = Lineage(
        commit=None, dirty=False, data="d", rows=2, holdout="h", holdout_rows=1,
        split=SplitConfig(method="hash", column="id", holdout=0.5), training="t", configuration="c", lock=None,
        python="3.11", libraries={},
    )  # fmt: skip
    return Record(
        environment="production",
        model="sample",
        version=str(number),
        release="1.0.0",
        digest=str(number) * 4,
        image=None,
        run="r",
        columns={},
        classes=(),
        figure=PromotionMetric(metric="r2", value=1, baseline=0, champion=None),
        lineage=lineage,
    )


def entry(number: int, days: int = 0) -> HistoryEntry:
    """Return the history entry for a merge of version `number`, some days after the facts."""
    return HistoryEntry("c", (NOW + timedelta(days=days)).isoformat(timespec="seconds"), "Ada", record(number))


def verified(number: int, environment: str = "production") -> Verified:
    """Return the fact that version `number` passed its smoke test."""
    return Verified(environment=environment, digest=str(number) * 4, at=NOW, by="t")


def held(number: int, environment: str = "production") -> Held:
    """Return the fact that version `number` is held."""
    return Held(environment=environment, digest=str(number) * 4, at=NOW, by="t", why="it failed")


def override(number: int, hours: int) -> Override:
    """Return an override by version `number` that ends some hours from now."""
    until = NOW + timedelta(hours=hours)
    return Override(environment="production", digest=str(number) * 4, at=NOW, by="t", until=until, why="an incident")


def expired(commit: str) -> Expired:
    """Return the fact that the evidence of a merge expired."""
    return Expired(environment="production", digest="3" * 4, at=NOW, by="t", commit=commit, why="the gates changed")
