"""Pull request that restores an earlier record on main, and the issue about the version that failed."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from gitops_ml import git
from gitops_ml.commands.promote import rollback_files
from gitops_ml.errors import ForgeError, GitopsError, PullRequestsForbidden
from gitops_ml.forge import pull_request, workflow_dispatch
from gitops_ml.forge.markdown import escape
from gitops_ml.forge.rollback_text import (
    EXPIRED_MARKER,
    Rollback,
    RollbackVersion,
    close_failure_issues,
    open_failure_issue,
)
from gitops_ml.registry import ledger, record
from gitops_ml.registry.propose import load_branch_state, push_proposal, rollback_branch, rollback_change

if TYPE_CHECKING:
    from gitops_ml.commands.deploy_context import DeployContext
    from gitops_ml.forge.github import GitHub
    from gitops_ml.registry.record import HistoryEntry, Record


def reconcile_main(
    context: "DeployContext", entries: "Sequence[HistoryEntry]", facts: Sequence[ledger.AnyFact], logs: str = ""
) -> None:
    """Propose the served version if main names another one; otherwise close what is obsolete.

    Main names another version when its version is held or expired, or when an override replaces it.

    Args:
        context: The environment.
        entries: Versions of the record on main, newest first.
        facts: Ledger facts without lifted holds.
        logs: Output of the version that has just failed its smoke test.

    Raises:
        GitopsError: The pull request could not be opened. The issue is opened before this is raised.
    """
    records = record.records_since_removal(entries)
    main_record = records[0] if records else None
    if context.github is None:
        return
    reason = _reason(entries, facts, main_record) if main_record else None
    if main_record is None or reason is None:
        _close_obsolete(context, context.github, main_record)
        return
    expired = _is_expired(entries, facts)
    rollback = describe_rollback(
        context.environment, main_record, ledger.desired_record(entries, facts), reason, expired=expired
    )
    failure: GitopsError | None = None
    try:
        page = context.retry(open_rollback, context, rollback, ledger.desired_record(entries, facts), insist=False)
    except GitopsError as error:
        failure, page = error, f"No pull request could be opened yet: {escape(error.problem)} {escape(error.next_step)}"
    if expired:
        context.announce(page)  # an expired version has no issue
    hold = ledger.find_hold(facts, context.environment, main_record.digest)
    if hold and hold.failed:
        issue = context.retry(
            open_failure_issue, context.github, rollback, page, logs, workflow_dispatch.run_url(context.github), hold.at
        )
        context.announce(f"Issue about the failed version: {issue}.")
    if failure:
        raise failure


def describe_rollback(
    environment: str,
    main_record: "Record",
    to: "Record | None",
    reason: str,
    *,
    expired: bool = False,
    serving: "Record | None" = None,
    overridden: bool = False,
) -> Rollback:
    """Return the facts of a rollback, from which pull request and issue are written.

    Args:
        environment: Name of the environment.
        main_record: Record on main.
        to: Record to restore; None removes the record.
        reason: Reason as a sentence.
        expired: True if the only reason is that the evidence of the merge had expired.
        serving: Record of the version that serves until the merge; None if the version to restore serves already.
        overridden: True if that version serves by an override, which the merge does not end.
    """
    return Rollback(
        environment,
        main_record.model,
        _describe_version(main_record),
        _describe_version(to) if to else None,
        reason,
        expired,
        _describe_version(serving) if serving else None,
        overridden,
    )


def _describe_version(version: "Record") -> RollbackVersion:
    return RollbackVersion(version.version, version.release, version.digest)


def open_rollback(context: "DeployContext", rollback: Rollback, to: "Record | None", *, insist: bool) -> str:
    """Open or refresh the pull request that restores a record.

    Args:
        context: The environment; its GitHub client must not be None.
        rollback: Facts from which title and body are written.
        to: Record to restore; None removes the record.
        insist: True if a user asked for it, so that a pull request that a user closed earlier is opened again.

    Returns:
        A sentence with the address of the pull request.

    Raises:
        ForgeError: The branch has commits that gitops did not make, or GitHub failed.
    """
    github, branch = context.github, rollback_branch(context.environment)
    assert github is not None  # noqa: S101 (callers check it)
    context.refresh()
    open_pull = pull_request.find_open(github, branch)
    closed_page = (
        None
        if open_pull or insist
        else pull_request.find_closed_by_person(github, branch, rollback.removed.short_digest)
    )
    if closed_page:
        return (
            f"The pull request was not opened again, because a user closed {closed_page}. Main still names version "
            f"{rollback.removed.version}, which does not serve."
        )
    head = _push(context, rollback, to)
    if open_pull and (open_pull.title, open_pull.body) != (rollback.title, rollback.body):
        open_pull = pull_request.update(github, open_pull, rollback.title, rollback.body)
    if open_pull is None:
        try:
            open_pull = pull_request.create(github, branch, rollback.title, rollback.body)
        except PullRequestsForbidden:
            link = f"{github.page}/compare/main...{branch}?expand=1"
            return (
                "The settings of this repository do not let workflows open pull requests: "
                f"[open it]({link}){_purpose(rollback)}"
            )
        context.announce(f"Opened {open_pull.page}: {rollback.title}.")
    workflow_dispatch.request_ci(github, branch, head)
    return f"Merge {open_pull.page}{_purpose(rollback)}"


def _purpose(rollback: Rollback) -> str:
    """Return the end of a sentence: what the pull request is for."""
    if rollback.serving and rollback.restored:
        return f" to roll back. Until the merge, version {rollback.serving.version} serves."
    return ", so that main names the version that serves."


def _push(context: "DeployContext", rollback: Rollback, to: "Record | None") -> str:
    """Bring the branch to the record, and return its tip."""
    root, branch = context.repository.root, rollback_branch(context.environment)
    state = load_branch_state(root, context.environment, branch)
    if state and state.foreign_changes:
        raise ForgeError(
            f"The branch {branch} has changes that gitops did not make: {'; '.join(state.foreign_changes)}. It was not "
            "changed.",
            f"Delete the branch (`git push origin :{branch}`), then run Deploy again.",
        )
    if state and state.record == to and state.is_current:
        return state.tip
    main_record = record.load_record(root, context.environment, git.main_ref(root))
    assert main_record is not None  # noqa: S101 (only a record on main can be rolled back)
    files = rollback_files(context.repository, context.environment, to)
    change = rollback_change(context.environment, main_record, to, rollback.reason, files)
    return push_proposal(root, change, state.tip if state else None)


def _reason(entries: "Sequence[HistoryEntry]", facts: Sequence[ledger.AnyFact], main_record: "Record") -> str | None:
    """Return why the version that main names does not serve, or None if it serves."""
    override = ledger.find_override(entries, facts)
    if override and override.digest != main_record.digest:
        return override.why
    fact = ledger.find_hold(facts, main_record.environment, main_record.digest) or ledger.find_expiry(facts, entries[0])
    return fact.why if fact else None


def _is_expired(entries: "Sequence[HistoryEntry]", facts: Sequence[ledger.AnyFact]) -> bool:
    """Return whether expired evidence is the only reason why the version that main names does not serve."""
    held = (
        ledger.find_hold(facts, entries[0].record.environment, entries[0].record.digest) if entries[0].record else None
    )
    override = ledger.find_override(entries, facts)
    return ledger.find_expiry(facts, entries[0]) is not None and held is None and override is None


def _close_obsolete(context: "DeployContext", github: "GitHub", main_record: "Record | None") -> None:
    """Close the rollback pull request of another version, and the issue; a rollback that a user asked for stays."""
    short = main_record.digest.removeprefix("sha256:")[:12] if main_record else None
    open_pull = pull_request.find_open(github, rollback_branch(context.environment))
    if open_pull and (open_pull.digest != short or EXPIRED_MARKER in open_pull.body):
        pull_request.close(github, open_pull, "Main names another version now, so there is nothing to roll back.")
    close_failure_issues(github, context.environment)
