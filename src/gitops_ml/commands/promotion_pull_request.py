"""Update of the promotion pull request of an environment: change only what differs from the wanted state.

The steps in order: branch, pull request, comment, CI, aliases. A run that is interrupted between two steps is continued
by the next run, which does only the missing steps.
"""

from typing import TYPE_CHECKING

from gitops_ml import console, git
from gitops_ml.commands.deploy_context import user_name
from gitops_ml.commands.promote import build_record, changed_inputs, promotion_files
from gitops_ml.commands.retries import run_with_retries
from gitops_ml.commands.withdraw import withdraw_held
from gitops_ml.errors import ConfigError, ForgeError, PullRequestsForbidden
from gitops_ml.forge import promotion_text, pull_request, workflow_dispatch
from gitops_ml.forge.github import GitHub, connect
from gitops_ml.forge.model_card import find_empty_keys
from gitops_ml.forge.promotion_text import PromotionProposal, escape_except_links
from gitops_ml.registry.admission import find_blocker
from gitops_ml.registry.branch import Branch
from gitops_ml.registry.ledger import append_comparison, find_comparison, load_facts
from gitops_ml.registry.plot_urls import plot_urls
from gitops_ml.registry.propose import (
    BranchState,
    PushConflict,
    load_branch_state,
    promotion_branch,
    promotion_change,
    push_proposal,
)
from gitops_ml.registry.reconcile import reconcile
from gitops_ml.registry.store import Store
from gitops_ml.registry.store import connect as open_store

if TYPE_CHECKING:
    from gitops_ml.config import Repository
    from gitops_ml.forge.pull_request import PullRequest
    from gitops_ml.registry.record import BuiltImage, Record
    from gitops_ml.training.compare import Comparison

NEED_IMAGE = {"none", "compose", "kubernetes", "argocd"}


def update_pull_request(
    repository: "Repository", comparison: "Comparison", digest: str, environment: str, built_image: "BuiltImage"
) -> None:
    """Open, refresh, supersede or keep the promotion pull request, then update MLflow's aliases.

    Args:
        repository: The local clone.
        comparison: Comparison of challenger and champion.
        digest: Digest of the comparison.
        environment: Environment to promote to.
        built_image: Image of the version and its signature; both may be None.

    Raises:
        ForgeError: GitHub failed, or the branch has commits that gitops did not make.
        PullRequestsForbidden: The repository's settings forbid pull requests by workflows; an issue was opened.
    """
    github, store = connect(repository.root), open_store(repository)
    for sentence in run_with_retries(withdraw_held, github, repository, store):
        console.echo(sentence)
    message = run_with_retries(_converge, github, repository, store, comparison, digest, environment, built_image)
    console.echo(message)
    console.append_summary(f"### Promotion\n\n{escape_except_links(message, github.page)}")
    # The challenger is the version that an open pull request proposes; a branch without one proposes no version.
    is_open = pull_request.find_open(github, promotion_branch(environment)) is not None
    for move in reconcile(repository, environment, store=store, with_proposal=is_open):
        console.echo(move.sentence)


def _converge(
    github: GitHub,
    repository: "Repository",
    store: Store,
    comparison: "Comparison",
    digest: str,
    environment: str,
    built_image: "BuiltImage",
) -> str:
    """Compare the current state with the wanted one, make the next change, and return it as a sentence."""
    root, challenger = repository.root, comparison.challenger
    git.fetch_branches(root)
    if comparison.verdict == "champion":
        return f"Nothing to promote: version {challenger.version} is the champion already."
    changed = changed_inputs(repository, store, comparison, environment, git.main_ref(root))
    if changed:
        return _compare_again(github, challenger.version, challenger.digest, environment, f"{changed} changed since")
    wanted = build_record(repository, store, comparison, digest, environment, built_image)
    kind = repository.config.target(environment).kind
    if wanted.image is None and kind in NEED_IMAGE and git.in_actions():
        reason = f'the version has no image, which a target of kind "{kind}" needs'
        return _compare_again(github, challenger.version, challenger.digest, environment, reason)
    promotion = _describe_promotion(github, repository, store, comparison, wanted)
    branch_state, open_pull = load_branch_state(root, environment), pull_request.find_open(github, promotion.branch)
    blocker = find_blocker(repository, store, environment, wanted.digest)
    if blocker:
        return f"Version {wanted.version} was not proposed: {blocker}."
    if open_pull is None:
        return _open_first(github, repository, promotion, wanted, branch_state)
    if branch_state is None:
        raise PushConflict(f"The branch {promotion.branch} was deleted during this run.", "Run the same command again.")
    return _update_open(github, repository, promotion, wanted, branch_state, open_pull)


def _open_first(
    github: GitHub,
    repository: "Repository",
    promotion: PromotionProposal,
    wanted: "Record",
    branch_state: BranchState | None,
) -> str:
    """Open a pull request if none is open, unless a user closed one with the same version."""
    page = pull_request.find_closed_by_person(github, promotion.branch, promotion.short_digest)
    if page:
        return (
            f"Version {wanted.version} was not proposed, because a user closed {page} with the same version. A later "
            "version can still be proposed."
        )
    head = _push(repository, promotion, wanted, branch_state)
    return _open(github, promotion, head)


def _update_open(
    github: GitHub,
    repository: "Repository",
    promotion: PromotionProposal,
    wanted: "Record",
    branch_state: BranchState,
    open_pull: "PullRequest",
) -> str:
    """Keep, refresh or supersede the open pull request, or keep its version if that one is better."""
    if branch_state.record is None or branch_state.record.digest != wanted.digest:
        kept = _keep_proposed_version(github, promotion, branch_state, open_pull)
        if kept is not None:
            return kept
        _require_own_commits(promotion.branch, branch_state)
        if pull_request.is_approved(github, open_pull):
            pull_request.close(github, open_pull, promotion_text.render_superseded_comment(promotion))
            return _open_first(github, repository, promotion, wanted, branch_state)
    elif _changed_evidence(branch_state.record, wanted):
        _require_own_commits(promotion.branch, branch_state)
        if pull_request.is_approved(github, open_pull):
            pull_request.close(
                github,
                open_pull,
                promotion_text.render_renewed_comment(promotion, _changed_evidence(branch_state.record, wanted)),
            )
            return _open_first(github, repository, promotion, wanted, branch_state)
    elif (
        branch_state.is_current
        and _is_earned(repository, branch_state.record)
        and open_pull.digest == promotion.short_digest
        and _describes_evidence(open_pull, branch_state.record)
    ):
        done = _complete(github, promotion, open_pull, branch_state.tip)
        return f"Nothing to do: {open_pull.page} proposes version {wanted.version} already." + done
    head = _push(repository, promotion, wanted, branch_state)
    first = promotion_text.parse_first_digest(open_pull.body) or open_pull.digest or promotion.short_digest
    changed = pull_request.update(github, open_pull, promotion.title, promotion_text.render_body(promotion, first))
    done = _complete(github, promotion, changed, head)
    return f"Refreshed {changed.page}: it proposes version {wanted.version} now." + done


def _is_earned(repository: "Repository", proposed: "Record") -> bool:
    """Return whether the ledger has the comparison of the proposed record; a record of an older library has none."""
    branch = Branch(repository)
    branch.refresh()
    return find_comparison(load_facts(branch.root), proposed) is not None


def _changed_evidence(proposed: "Record", wanted: "Record") -> str:
    """Return the inputs that changed since the proposed version was compared; empty if none did, or if not known."""
    return proposed.evidence.describe_changes(wanted.evidence) if proposed.evidence and wanted.evidence else ""


def _describes_evidence(open_pull: "PullRequest", proposed: "Record") -> bool:
    """Return whether the text shows the evidence of the record; an interrupted run leaves them different."""
    return proposed.evidence is None or promotion_text.parse_evidence_key(open_pull.body) in (
        None,
        proposed.evidence.key,
    )


def _keep_proposed_version(
    github: GitHub, promotion: PromotionProposal, branch_state: BranchState, open_pull: "PullRequest"
) -> str | None:
    """Return a sentence if the pull request keeps its version; None if the challenger beats it on the same holdout."""
    champion, proposed = promotion.comparison["champion"], promotion.comparison["rival"]
    if branch_state.record is None or (champion and champion["digest"] == branch_state.record.digest):
        return None  # the proposed version is the champion now, and the challenger beats it
    if proposed is None or proposed["side"]["digest"] != branch_state.record.digest:
        return _compare_again(
            github, promotion.version, promotion.digest, promotion.environment, f"{open_pull.page} has changed since"
        )
    if proposed["beaten"]:
        return None
    return f"{open_pull.page} was not changed and proposes version {branch_state.record.version}. {proposed['message']}"


def _push(
    repository: "Repository", promotion: PromotionProposal, wanted: "Record", branch_state: BranchState | None
) -> str:
    """Bring the branch to the wanted record, and return its tip."""
    if branch_state and branch_state.record == wanted and branch_state.is_current and not branch_state.foreign_changes:
        return branch_state.tip
    _require_own_commits(promotion_branch(wanted.environment), branch_state)
    # Before the branch: CI of the proposal looks for it.
    append_comparison(Branch(repository), wanted, promotion.run_url or user_name(repository))
    change = promotion_change(wanted, promotion_files(repository, wanted, promotion.comparison))
    return push_proposal(repository.root, change, branch_state.tip if branch_state else None)


def _require_own_commits(name: str, branch_state: BranchState | None) -> None:
    """Refuse to overwrite changes on the branch that gitops did not make."""
    if branch_state and branch_state.foreign_changes:
        raise ForgeError(
            f"The branch {name} has changes that gitops did not make: "
            f"{'; '.join(branch_state.foreign_changes)}. It was not changed.",
            f"Merge these changes to main by another pull request, delete the branch (`git push origin :{name}`), then "
            "run Train again.",
        )


def _open(github: GitHub, promotion: PromotionProposal, head: str) -> str:
    """Open the pull request, or open an issue if the settings of the repository forbid pull requests by workflows."""
    try:
        opened = pull_request.create(
            github, promotion.branch, promotion.title, promotion_text.render_body(promotion, promotion.short_digest)
        )
    except PullRequestsForbidden as error:
        page = pull_request.open_permission_issue(github, promotion, error)
        console.append_summary(f"### Promotion\n\nVersion {promotion.version} is not proposed yet: {page}")
        raise PullRequestsForbidden(f"{error.problem} See {page}.", error.next_step, error.status) from error
    pull_request.add_label(github, opened)
    done = _complete(github, promotion, opened, head)
    return f"Opened {opened.page}: it proposes version {promotion.version} as release {promotion.release}." + done


def _complete(github: GitHub, promotion: PromotionProposal, pull: "PullRequest", head: str) -> str:
    """Add comment, CI run and permission notice to the open pull request; return the change as a sentence."""
    proposed = promotion.comparison["rival"]
    pull_request.comment_on_update(github, pull, promotion, proposed["message"] if proposed else "")
    requested = workflow_dispatch.request_ci(github, promotion.branch, head)
    pull_request.close_permission_issue(github)
    return " CI was started." if requested else ""


def _describe_promotion(
    github: GitHub, repository: "Repository", store: Store, comparison: "Comparison", wanted: "Record"
) -> PromotionProposal:
    """Return the facts from which the pull request is written."""
    return PromotionProposal(
        environment=wanted.environment, model=wanted.model, version=wanted.version, release=wanted.release,
        digest=wanted.digest, branch=promotion_branch(wanted.environment),
        comparison=comparison.model_dump(mode="json"), run_url=workflow_dispatch.run_url(github),
        plot_urls=plot_urls(store, wanted.run, github.page),
        empty_card_keys=tuple(find_empty_keys(repository.config.card)),
        evidence_key=comparison.bound.key if comparison.bound else "",
        is_served=repository.config.target(wanted.environment).kind != "none",
    )  # fmt: skip


def _compare_again(github: GitHub, version: str, digest: str, environment: str, reason: str) -> str:
    """Start a new comparison of a version in a workflow; elsewhere, ask the user to compare again."""
    if not git.in_actions():
        raise ConfigError(f"The comparison is out of date: {reason}.", "Run `gitops compare` again.")
    workflow_dispatch.dispatch_comparison(github, version, digest, environment)
    return (
        f"The comparison is out of date: {reason}. Version {version} will be compared again, in another workflow run."
    )
