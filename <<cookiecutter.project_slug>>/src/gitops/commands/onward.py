# machinery
"""From one environment to the next: what was verified, and has soaked, is compared and proposed there."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from gitops import git
from gitops.registry import ledger, record
from gitops.registry.propose import proposed

if TYPE_CHECKING:
    from gitops.commands.site import Site
    from gitops.registry.record import Entry, Record

TRAIN = "train.yml"


def advance(site: "Site", entries: "Sequence[Entry]", facts: Sequence[ledger.AnyFact]) -> None:
    """Have Train compare the version that serves here with the next environment's champion, once it may go there."""
    names = site.repository.config.deploy.environments
    place = names.index(site.environment) + 1
    wanted = ledger.wanted(entries, facts)
    if place == len(names) or wanted is None or not ledger.is_verified(facts, wanted):
        return
    ready = _since(facts, wanted) + timedelta(hours=site.repository.config.target(site.environment).soak_hours)
    if ready > datetime.now(UTC):
        site.say(f"Version {wanted.version} may go on to {names[place]} from {ready:%Y-%m-%d %H:%M} UTC on.")
    elif not _is_there(site, facts, names[place], wanted.digest):
        _dispatch(site, names[place], wanted)


def _since(facts: Sequence[ledger.AnyFact], wanted: "Record") -> datetime:
    """When the version was verified here first."""
    return next(
        fact.at for fact in facts
        if isinstance(fact, ledger.Verified) and (fact.environment, fact.digest) == (wanted.environment, wanted.digest)
    )  # fmt: skip


def _is_there(site: "Site", facts: Sequence[ledger.AnyFact], environment: str, digest: str) -> bool:
    """Whether the version serves there, was promoted there before, is proposed, or is held there."""
    root = site.repository.root
    past = record.history(root, environment, git.main_ref(root))
    offered = proposed(root, environment)
    known = [entry.record.digest for entry in past if entry.record] + ([offered.digest] if offered else [])
    return digest in known or ledger.is_held(facts, environment, digest)


def _dispatch(site: "Site", environment: str, wanted: "Record") -> None:
    if site.github is None:
        pinned = f"--environment {environment} --version {wanted.version} --digest {wanted.digest}"
        site.say(f"Next: `gitops compare {pinned}`, then `gitops promote --local --environment {environment}`.")
        return
    inputs = {"version": wanted.version, "digest": wanted.digest, "environment": environment}
    site.github.send("POST", f"/actions/workflows/{TRAIN}/dispatches", {"ref": "main", "inputs": inputs})
    site.say(f"Version {wanted.version} will be compared with the champion of {environment}, in a run of its own.")
