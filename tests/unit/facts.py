"""Records, and facts of the ledger, of versions that a figure names."""

from datetime import UTC, datetime, timedelta

from gitops_ml.config import Split
from gitops_ml.registry.ledger import (
    Expired,
    Held,
    Override,
    Verified,
)
from gitops_ml.registry.record import Entry, Figure, Record
from gitops_ml.run import Lineage

NOW = datetime(2026, 6, 1, tzinfo=UTC)


def record(number: int) -> Record:
    """A record of version `number`, whose digest repeats that figure."""
    lineage = Lineage(
        commit=None, dirty=False, data="d", rows=2, holdout="h", holdout_rows=1,
        split=Split(method="hash", column="id", holdout=0.5), training="t", configuration="c", lock=None,
        python="3.11", libraries={},
    )  # fmt: skip
    return Record(
        environment="production",
        model="m",
        version=str(number),
        release="1.0.0",
        digest=str(number) * 4,
        image=None,
        run="r",
        columns={},
        classes=(),
        figure=Figure(metric="r2", value=1, baseline=0, champion=None),
        lineage=lineage,
    )


def entry(number: int, days: int = 0) -> Entry:
    """Main took version `number` on some days after the facts were written."""
    return Entry("c", (NOW + timedelta(days=days)).isoformat(timespec="seconds"), "Ada", record(number))


def verified(number: int, environment: str = "production") -> Verified:
    """Version `number` passed its smoke test."""
    return Verified(environment=environment, digest=str(number) * 4, at=NOW, by="t")


def held(number: int, environment: str = "production") -> Held:
    """Version `number` may not run."""
    return Held(environment=environment, digest=str(number) * 4, at=NOW, by="t", why="it failed")


def override(number: int, hours: int) -> Override:
    """Version `number` runs until some hours from now."""
    until = NOW + timedelta(hours=hours)
    return Override(environment="production", digest=str(number) * 4, at=NOW, by="t", until=until, why="an incident")


def expired(commit: str) -> Expired:
    """The evidence behind a merge no longer held."""
    return Expired(environment="production", digest="3" * 4, at=NOW, by="t", commit=commit, why="the gates changed")
