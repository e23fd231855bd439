"""From one environment to the next: what was verified, and has soaked, is compared and proposed there."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from gitops_ml import git
from gitops_ml.commands.withdraw import withdraw
from gitops_ml.forge import checks, pull_request, trains
from gitops_ml.forge.github import GitHub
from gitops_ml.registry import ledger, record
from gitops_ml.registry.admission import held_in, ready_at
from gitops_ml.registry.propose import branch_name, proposed
from gitops_ml.registry.reconcile import ledger_of

if TYPE_CHECKING:
    from gitops_ml.commands.site import Site
    from gitops_ml.registry.record import Entry, Record

# What a comparison does not depend on; of registry/ it does on the record of its own environment alone.
BESIDE_THE_POINT = (":(exclude)registry", ":(exclude)docs", ":(exclude,glob)**/*.md")


def advance(site: "Site", entries: "Sequence[Entry]", facts: Sequence[ledger.AnyFact]) -> None:
    """Have Train compare the version that serves here with the next environment's champion, once it may go there.

    What is offered anywhere, and is held by now, is withdrawn first.
    """
    if site.github:
        for sentence in site.again(withdraw, site.github, site.repository, site.store):
            site.say(sentence)
    names = site.repository.config.deploy.environments
    place = names.index(site.environment) + 1
    wanted = ledger.wanted(entries, facts)
    if place == len(names) or wanted is None:
        return
    ready = ready_at(site.repository, site.store, site.environment, wanted.digest)
    if ready is None:
        return
    if ready > datetime.now(UTC):
        site.say(f"Version {wanted.version} may go on to {names[place]} from {ready:%Y-%m-%d %H:%M} UTC on.")
    elif not _is_there(site, facts, names[place], wanted.digest):
        _go(site, facts, names[place], wanted)


def _is_there(site: "Site", facts: Sequence[ledger.AnyFact], environment: str, digest: str) -> bool:
    """Whether the version serves there, was promoted there before, is proposed, or is held anywhere."""
    root = site.repository.root
    past = record.history(root, environment, git.main_ref(root))
    offered = proposed(root, environment)
    known = [entry.record.digest for entry in past if entry.record] + ([offered.digest] if offered else [])
    return digest in known or held_in(site.repository, facts, digest) is not None


def _go(site: "Site", facts: Sequence[ledger.AnyFact], environment: str, wanted: "Record") -> None:
    """Have it compared there, unless a person or the gates said no to it already."""
    version, github = wanted.version, site.github
    if github is None:
        pinned = f"--environment {environment} --version {version} --digest {wanted.digest}"
        site.say(f"Next: `gitops compare {pinned}`, then `gitops promote --local --environment {environment}`.")
        return
    short = wanted.digest.removeprefix("sha256:")[:12]
    refused = pull_request.closed_by_a_person(github, branch_name(environment), short)
    if refused:
        site.say(f"Version {version} does not go on to {environment}: a person closed {refused}.")
    elif _was_asked(site, github, facts, environment, wanted.digest):
        site.say(f"Version {version} was compared with the champion of {environment}; nothing has changed since.")
    else:
        _dispatch(site, github, environment, wanted)


def _was_asked(
    site: "Site", github: GitHub, facts: Sequence[ledger.AnyFact], environment: str, digest: str
) -> bool:  # fmt: skip
    """Whether Train was asked for this very comparison, and found it out, or is about to."""
    last = ledger.asked_of(facts, environment, digest)
    if last is None or trains.failed_since(github, last.at):
        return False
    root, main = site.repository.root, git.main_ref(site.repository.root)
    within = (("--", ".", *BESIDE_THE_POINT), ("--", record.path(environment)))
    return all(git.succeeds(root, "diff", "--quiet", last.commit, main, *paths) for paths in within)


def _dispatch(site: "Site", github: GitHub, environment: str, wanted: "Record") -> None:
    """Ask Train, and then write down that it was asked: cut off in between, it is asked twice, which does no harm."""
    root, now = site.repository.root, datetime.now(UTC)
    checks.compare(github, wanted.version, wanted.digest, environment)
    asked = ledger.Asked(
        environment=environment, digest=wanted.digest, at=now, by=site.who,
        commit=git.resolve(root, git.main_ref(root)) or "",
    )  # fmt: skip
    ledger.append(ledger_of(site.repository, site.store), asked)
    site.say(f"Version {wanted.version} will be compared with the champion of {environment}, in a run of its own.")
