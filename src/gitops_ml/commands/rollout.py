"""Make the place of an environment match record and ledger: compute what differs, and do only that.

The order of effects: the version beside the old one, its smoke test, the switch, ledger `verified`, alias, tag and
release. Where the smoke test says no: ledger `held`, the last verified version, pull request, issue. Whatever is cut
off in between, the next run finds what is missing and does no more.
"""

from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from gitops_ml import console, git
from gitops_ml.commands.expire import expire, pass_over
from gitops_ml.commands.onward import advance
from gitops_ml.commands.reversal import mend
from gitops_ml.commands.site import Site, open_site
from gitops_ml.errors import ContainerError, GitopsError, VerificationFailed
from gitops_ml.forge import releases
from gitops_ml.forge.reversal import CONTROL
from gitops_ml.registry import ledger, record
from gitops_ml.registry.propose import CARD
from gitops_ml.registry.reconcile import facts_of, ledger_of, reconcile

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gitops_ml.config import Repository
    from gitops_ml.deploying.target import Rollout, Running, Target
    from gitops_ml.registry.record import Entry, Record


@dataclass(frozen=True)
class State:
    """What main and the ledger say of one environment.

    Attributes:
        entries: What main said and says, newest first.
        facts: The ledger without lifted holds, oldest first.
        wanted: What should serve; None where nothing may.
    """

    entries: "list[Entry]"
    facts: list[ledger.AnyFact]
    wanted: "Record | None"


@dataclass(frozen=True)
class Failure:
    """A definite bad answer.

    Attributes:
        record: Whose.
        why: What was wrong, in sentences.
        logs: What it printed.
    """

    record: "Record"
    why: str
    logs: str


def deploy(repository: "Repository", environment: str) -> None:
    """Converge one environment, and say what was done.

    Raises:
        VerificationFailed: The wanted version gave a definite bad answer; another one serves.
        ContainerError: It could not be found out, or not be done; what served, serves.
        IntegrityError: What is wanted is not what was reviewed, or nobody signed it.
        ConfigError: There is no such environment.
    """
    site = open_site(repository, environment)
    site.insist_on_a_lasting_machine()
    newer = site.newer()
    if newer:
        site.say(f"Nothing was deployed: main has moved on to {newer[:9]}, whose own run deploys it.")
        return
    settle(site)


def settle(site: Site) -> None:
    """Converge, and end as it ended.

    Raises:
        VerificationFailed: The wanted version gave a definite bad answer; another one serves.
        ContainerError: It could not be found out, or not be done; what served, serves.
    """
    failure = converge(site)
    if failure:
        served = look(site).wanted
        instead = f"version {served.version} serves" if served else "nothing serves"
        if site.follows_main:
            instead = "what main says is taken back by merging that pull request"
        raise VerificationFailed(
            f"Version {failure.record.version} failed in {site.environment}: {failure.why} It is held; {instead}.",
            "The issue and the pull request that were opened say what to do.",
        )


def look(site: Site) -> State:
    """Read main and the ledger anew."""
    site.refresh()
    root = site.repository.root
    entries = record.history(root, site.environment, git.main_ref(root))
    facts = facts_of(site.repository, site.store)
    return State(entries, facts, ledger.wanted(entries, facts))


def converge(site: Site) -> Failure | None:
    """Bring the wanted version into service, or else the last verified one; then let everything else follow."""
    state = look(site)
    if pass_over(site, state.entries, state.facts):
        state = look(site)
    failure = _attempt(site, state)
    if failure:
        _hold(site, failure)
        state = look(site)
        _attempt(site, state, failure.logs)
    state = look(site)
    for move in reconcile(site.repository, site.environment, store=site.store):
        site.say(move.sentence)
    _release(site, state)
    mend(site, state.entries, state.facts, failure.logs if failure else "")
    advance(site, state.entries, state.facts)
    # What was held, or passed over, is champion no more: what was compared with it is out of date.
    told = site.github and site.again(expire, site.repository, site.github, site.environment)
    if told:
        site.say(told)
    return failure


def _attempt(site: Site, state: State, logs: str = "") -> Failure | None:
    """Let the wanted version serve; where it cannot, and main's must not, people learn of main's all the same."""
    try:
        failure = _bring(site, state)
        if failure:
            console.quote(f"Version {failure.record.version} printed:", CONTROL.sub("", failure.logs))
            _blame_the_place(state, failure)
    except GitopsError:
        if state.entries and state.entries[0].record != state.wanted:
            _tell(site, state, logs)
        raise
    return failure


def _tell(site: Site, state: State, logs: str) -> None:
    """Mend what can be mended while something else has gone wrong, which is what the command ends with."""
    try:
        mend(site, state.entries, state.facts, logs)
    except GitopsError as error:
        console.complain(f"{error.title}: {error.what}\n  {error.next}")


def _blame_the_place(state: State, failure: Failure) -> None:
    """A version that was verified here, in this very image, and fails now, is not what has changed.

    Raises:
        ContainerError: It was.
    """
    if ledger.is_verified(state.facts, failure.record):
        raise ContainerError(
            f"Version {failure.record.version}, which was verified here before, fails now: {failure.why}",
            "The place itself is to blame, or a library below the image; it was not held. Mend it, and run Deploy "
            "again.",
        )


def _bring(site: Site, state: State) -> Failure | None:
    """Let the wanted version serve, verified; None where it does, or where none may."""
    wanted = state.wanted
    if wanted is None:
        site.say(f"Nothing may serve in {site.environment}." if state.entries else "Nothing was promoted yet.")
        _end(site, state)
        return None
    verified = ledger.is_verified(state.facts, wanted)
    if verified and not site.stays_up and (wanted.image is None or ledger.is_newest(state.facts, wanted)):
        site.say(f"Nothing to do: version {wanted.version} is verified in {site.environment}.")
        return None
    if site.follows_main and state.entries[0].record != wanted:
        site.say(f"Version {wanted.version} is to serve, and main names another: merge what takes that back.")
        return None
    target = site.target(wanted)
    running = target.running()
    # Where somebody else keeps the cluster, the image is theirs to know.
    there = running is not None and running.digest == wanted.digest and running.image in (wanted.image, None)
    if running and there and running.drift:
        site.say(f"Version {wanted.version} is brought up again: {running.drift}.")
    elif running and there and (verified or running.url):
        return _confirm(site, state, wanted, target, running, verified)
    return _roll_out(site, state, wanted, target)


def _end(site: Site, state: State) -> None:
    """What serves although nothing may, ends."""
    last = next((entry.record for entry in state.entries if entry.record), None)
    target = site.target(last) if last and site.stays_up and not site.follows_main else None
    running = target.running() if target else None
    if target and running:
        target.end()
        site.say(f"{running.url or site.environment} answered with {running.digest[:19]}; it was ended.")


def _confirm(
    site: Site, state: State, wanted: "Record", target: "Target", running: "Running", verified: bool
) -> Failure | None:
    """It serves; hear it out if nobody did, and end what an earlier run that was killed left beside it."""
    target.abandon()
    if verified:
        site.say(f"Nothing to do: version {wanted.version} serves in {site.environment}, verified.")
        console.output("url", running.url or "")
        return None
    rollout = site.rollout(wanted)
    wrong = site.ask(running.url or "", rollout, lambda: True, shared=True)
    if wrong:
        # What replaces it takes it away, or `_end` does.
        return Failure(wanted, " ".join(wrong), target.logs())
    _verified(site, state, wanted, rollout, running)
    return None


def _roll_out(site: Site, state: State, wanted: "Record", target: "Target") -> Failure | None:
    """Bring it up beside the one that serves, hear it out, and let it take callers."""
    rollout = site.rollout(wanted)
    address = target.start(rollout)
    with _taken_away(target):
        wrong = site.ask(address, rollout, target.alive, target.well, shared=site.follows_main)
        if wrong:
            return Failure(wanted, " ".join(wrong), target.abandon())
        if _moved_on(site, wanted):
            target.abandon()
            site.say("Main moved on in the meantime; its own run deploys it.")
            return None
        target.switch(rollout)
    _verified(site, state, wanted, rollout, target.running() if site.stays_up else None)
    return None


@contextmanager
def _taken_away(target: "Target") -> "Iterator[None]":
    """Whatever goes wrong meanwhile, nothing that was only tried is left running."""
    try:
        yield
    except BaseException:
        with suppress(GitopsError):
            target.abandon()
        raise


def _moved_on(site: Site, wanted: "Record") -> bool:
    now = look(site).wanted
    return now is None or now.digest != wanted.digest


def _verified(site: Site, state: State, wanted: "Record", rollout: "Rollout", running: "Running | None") -> None:
    """Write it into the ledger, and say so: once, or where nothing stays up each time that it is published again."""
    known = ledger.is_verified if site.stays_up else ledger.is_newest
    if not known(state.facts, wanted):
        fact = ledger.Verified(
            environment=site.environment, digest=wanted.digest, at=datetime.now(UTC), by=site.who, image=wanted.image
        )
        ledger.append(ledger_of(site.repository, site.store), fact)
    url = running.url if running else None
    where = f"{url} answers" if url else "Nothing stays up: it was run, tested and ended"
    what = rollout.image or "no image: from commit, lock and manifest"
    named = f"Version {rollout.version} (release {rollout.release})"
    site.say(f"{named} is verified in {site.environment}. {where} ({what}).")
    console.output("url", url or "")
    console.output("version", rollout.version)


def _hold(site: Site, failure: Failure) -> None:
    """Before anything else is done about it: this digest may not run here."""
    fact = ledger.Held(
        environment=site.environment, digest=failure.record.digest, at=datetime.now(UTC), by=site.who,
        why=failure.why, failed=True,
    )  # fmt: skip
    ledger.append(ledger_of(site.repository, site.store), fact)
    site.say(f"Version {failure.record.version} is held: {failure.why}")


def _release(site: Site, state: State) -> None:
    """Tag and release of what serves where promotion ends."""
    wanted = state.wanted
    last = site.environment == site.repository.config.deploy.environments[-1]
    if not (wanted and last and site.github and ledger.is_verified(state.facts, wanted)):
        return
    entry = next(entry for entry in state.entries if entry.record == wanted)
    card = git.show(site.repository.root, entry.commit, CARD) or ""
    title = f"{wanted.model} {wanted.release}: version {wanted.version}"
    made = site.again(releases.ensure, site.github, wanted.release, entry.commit, title, card or title)
    if made:
        site.say(f"Released {made}.")
