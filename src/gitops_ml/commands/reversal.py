"""Let main say what serves: the pull request that restores an earlier record, and the issue about what failed."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from gitops_ml import git
from gitops_ml.commands.promote import restored
from gitops_ml.errors import ForgeError, GitopsError, PullRequestsForbidden
from gitops_ml.forge import checks, pull_request
from gitops_ml.forge.report import escape
from gitops_ml.forge.reversal import EXPIRED, Reversal, Side, report, settle
from gitops_ml.registry import ledger, record
from gitops_ml.registry.propose import publish, reversal, reversal_name, standing

if TYPE_CHECKING:
    from gitops_ml.commands.site import Site
    from gitops_ml.forge.github import GitHub
    from gitops_ml.registry.record import Entry, Record


def mend(site: "Site", entries: "Sequence[Entry]", facts: Sequence[ledger.AnyFact], logs: str = "") -> None:
    """Where main names what may not serve, or what an override replaced: propose what serves; else, tidy up.

    Args:
        site: The environment.
        entries: What main said and says, newest first.
        facts: The ledger without lifted holds.
        logs: What a version that has just failed printed.

    Raises:
        GitopsError: The pull request could not be opened; the issue was, all the same.
    """
    records = record.since_removal(entries)
    now = records[0] if records else None
    if site.github is None:
        return
    why = _why(entries, facts, now) if now else None
    if now is None or why is None:
        _tidy_up(site, site.github, now)
        return
    expired = _expired(entries, facts)
    back = words(site.environment, now, ledger.wanted(entries, facts), why, expired=expired)
    stopped: GitopsError | None = None
    try:
        page = site.again(offer, site, back, ledger.wanted(entries, facts), insist=False)
    except GitopsError as error:
        stopped, page = error, f"No pull request could be opened yet: {escape(error.what)} {escape(error.next)}"
    if expired:
        site.say(page)  # no issue speaks of it
    hold = ledger.hold_of(facts, site.environment, now.digest)
    if hold and hold.failed:
        seen = site.again(report, site.github, back, page, logs, checks.run_page(site.github), hold.at)
        site.say(f"The issue about it is {seen}.")
    if stopped:
        raise stopped


def words(environment: str, now: "Record", to: "Record | None", why: str, *, expired: bool = False) -> Reversal:
    """What the pull request and the issue speak of."""
    good = Side(to.version, to.release, to.digest) if to else None
    return Reversal(environment, now.model, Side(now.version, now.release, now.digest), good, why, expired)


def offer(site: "Site", back: Reversal, to: "Record | None", *, insist: bool) -> str:
    """Open or refresh the pull request that restores a record; where it is, for a person.

    Args:
        site: The environment; its GitHub must be there.
        back: What the pull request says.
        to: The record to restore; None removes the record.
        insist: A person asks for it, so an earlier no of a person does not count.
    """
    github, branch = site.github, reversal_name(site.environment)
    assert github is not None  # noqa: S101 (callers ask)
    site.refresh()
    open_now = pull_request.find(github, branch)
    refused = None if open_now or insist else pull_request.closed_by_a_person(github, branch, back.bad.short)
    if refused:
        return f"A person closed {refused}; main still names version {back.bad.version}, which does not serve."
    head = _push(site, back, to)
    if open_now and (open_now.title, open_now.body) != (back.title, back.body):
        open_now = pull_request.rewrite(github, open_now, back.title, back.body)
    if open_now is None:
        try:
            open_now = pull_request.create(github, branch, back.title, back.body)
        except PullRequestsForbidden:
            link = f"{github.page}/compare/main...{branch}?expand=1"
            return f"Workflows may not open pull requests here: [open it]({link}), so that main says what serves."
        site.say(f"Opened {open_now.page}: {back.title}.")
    checks.request(github, branch, head)
    return f"Merge {open_now.page}, so that main says what serves."


def _push(site: "Site", back: Reversal, to: "Record | None") -> str:
    """Bring the branch to the record; its tip."""
    root, branch = site.repository.root, reversal_name(site.environment)
    there = standing(root, site.environment, branch)
    if there and there.foreign:
        raise ForgeError(
            f"The branch {branch} holds what gitops did not put there: {'; '.join(there.foreign)}. It was left alone.",
            f"Delete it (`git push origin :{branch}`), and run Deploy again.",
        )
    if there and there.record == to and there.current:
        return there.tip
    now = record.read(root, site.environment, git.main_ref(root))
    assert now is not None  # noqa: S101 (there is something to go back from)
    change = reversal(site.environment, now, to, back.why, restored(site.repository, site.environment, to))
    return publish(root, change, there.tip if there else None)


def _why(entries: "Sequence[Entry]", facts: Sequence[ledger.AnyFact], now: "Record") -> str | None:
    """Why what main names does not serve; None where it does."""
    override = ledger.override_of(entries, facts)
    if override and override.digest != now.digest:
        return override.why
    reason = ledger.hold_of(facts, now.environment, now.digest) or ledger.expired_of(facts, entries[0])
    return reason.why if reason else None


def _expired(entries: "Sequence[Entry]", facts: Sequence[ledger.AnyFact]) -> bool:
    """Whether what main names is passed over for its evidence alone."""
    held = ledger.hold_of(facts, entries[0].record.environment, entries[0].record.digest) if entries[0].record else None
    override = ledger.override_of(entries, facts)
    return ledger.expired_of(facts, entries[0]) is not None and held is None and override is None


def _tidy_up(site: "Site", github: "GitHub", now: "Record | None") -> None:
    """Main names what serves: what is open about another version is done; what a person asked for stays open."""
    short = now.digest.removeprefix("sha256:")[:12] if now else None
    left = pull_request.find(github, reversal_name(site.environment))
    if left and (left.digest != short or EXPIRED in left.body):
        pull_request.close(github, left, "Main names another version by now; there is nothing to roll back.")
    settle(github, site.environment)
