"""What evidence is bound to on main: as it is, for a proposal; as it was, for a merge."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from gitops_ml import git
from gitops_ml.bound import SCHEME, Bound, bound
from gitops_ml.errors import ConfigError
from gitops_ml.registry import ledger, record
from gitops_ml.registry.ledger import AnyFact
from gitops_ml.registry.record import Entry


def today(root: Path, environment: str, facts: Sequence[AnyFact], scheme: int = SCHEME) -> Bound:
    """What evidence would be bound to that is gathered on main now.

    Args:
        root: Of the clone, refreshed.
        environment: Whose champion.
        facts: The ledger without lifted holds.
        scheme: How digests are made; that of the evidence that the result is compared with.
    """
    main = git.main_ref(root)
    champion = ledger.wanted(record.history(root, environment, main), facts)
    return bound(root, main, champion.digest if champion else None, scheme)


def at_merge(root: Path, entries: Sequence[Entry], facts: Sequence[AnyFact]) -> str:
    """What changed between the newest record's evidence and its merge, in words; empty where it held, or has none.

    The files count as the merge left them; the champion is the one before it, by the ledger of then.

    Args:
        root: Of the clone.
        entries: What main said and says, newest first.
        facts: The whole ledger, also holds that were lifted since.
    """
    entry = entries[0]
    evidence = entry.record.evidence if entry.record else None
    if evidence is None:
        return ""
    # Git keeps whole seconds, the ledger parts of them.
    when = datetime.fromisoformat(entry.when).replace(microsecond=999_999)
    known = ledger.in_force([fact for fact in facts if fact.at <= when], ledger.lifted(root, f"{entry.commit}^"))
    champion = ledger.wanted(entries[1:], known, when)
    try:
        then = bound(root, entry.commit, champion.digest if champion else None, evidence.scheme)
        return evidence.changed(then)
    except ConfigError:
        return "model.toml, which cannot be read there,"
