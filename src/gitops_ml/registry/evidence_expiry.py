"""Expiry of evidence: the evidence inputs on main now, and what changed in them before a merge."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from gitops_ml import git
from gitops_ml.errors import ConfigError
from gitops_ml.evidence_inputs import SCHEME, EvidenceInputs, collect_evidence_inputs
from gitops_ml.registry import ledger, lines, record
from gitops_ml.registry.ledger import AnyFact
from gitops_ml.registry.record import HistoryEntry, Record


def current_evidence_inputs(
    root: Path, environment: str, facts: Sequence[AnyFact], scheme: int = SCHEME
) -> EvidenceInputs:
    """Return the inputs of evidence that a comparison on main would have now.

    Args:
        root: Root folder of the clone, with main fetched.
        environment: Environment of the champion.
        facts: The ledger without lifted holds.
        scheme: Version of the digest scheme; use that of the evidence to compare the result with.
    """
    main = git.main_ref(root)
    champion = ledger.desired_record(record.load_history(root, environment, main), facts)
    return collect_evidence_inputs(root, main, _compared_digest(root, main, champion), scheme)


def changes_at_merge(root: Path, entries: Sequence[HistoryEntry], facts: Sequence[AnyFact]) -> str:
    """Return a phrase that lists what had changed between the newest record's evidence and its merge.

    The files are compared as the merge left them. The champion is the one before the merge, by the ledger of that
    time.

    Args:
        root: Root folder of the clone.
        entries: Records of main, newest first.
        facts: The whole ledger, with holds that were lifted since.

    Returns:
        A phrase such as "the data and the gates"; empty if nothing changed or the record has no evidence.
    """
    entry = entries[0]
    evidence = entry.record.evidence if entry.record else None
    if evidence is None:
        return ""
    # Git stores whole seconds, the ledger fractions of them.
    when = datetime.fromisoformat(entry.when).replace(microsecond=999_999)
    earlier = [fact for fact in facts if fact.at <= when]
    in_force = ledger.without_lifted_holds(earlier, ledger.load_lifted_holds(root, f"{entry.commit}^"))
    champion = ledger.desired_record(entries[1:], in_force, when)
    try:
        compared = _compared_digest(root, f"{entry.commit}^", champion)
        at_merge = collect_evidence_inputs(root, entry.commit, compared, evidence.scheme)
        return evidence.describe_changes(at_merge)
    except ConfigError:
        return "model.toml, which cannot be read there,"


def _compared_digest(root: Path, revision: str, champion: Record | None) -> str | None:
    """Return the digest of the version that challengers are compared with; None if the champion's line was ended."""
    if champion is None or champion.digest in lines.load_ended_digests(root, revision):
        return None
    return champion.digest
