"""Keep the one promotion pull request as it should be: compute what differs, and do only that.

The order of effects is branch, pull request, comment, CI, aliases: whatever is cut off in between, the next run finds
what is missing and does no more.
"""

from typing import TYPE_CHECKING

from gitops_ml import console, git
from gitops_ml.commands.anew import again
from gitops_ml.commands.promote import beside, outdated, record_of
from gitops_ml.commands.withdraw import withdraw
from gitops_ml.errors import ConfigError, ForgeError, PullRequestsForbidden
from gitops_ml.forge import checks, proposal, pull_request
from gitops_ml.forge.card import missing
from gitops_ml.forge.github import GitHub, connect
from gitops_ml.forge.proposal import Offer, linked
from gitops_ml.registry.admission import barred
from gitops_ml.registry.pictures import pictures
from gitops_ml.registry.propose import Raced, Standing, branch_name, promotion, publish, standing
from gitops_ml.registry.reconcile import reconcile
from gitops_ml.registry.store import Store
from gitops_ml.registry.store import connect as open_store

if TYPE_CHECKING:
    from gitops_ml.config import Repository
    from gitops_ml.forge.pull_request import PullRequest
    from gitops_ml.registry.record import Built, Record
    from gitops_ml.training.compare import Comparison

NEED_IMAGE = {"none", "compose", "kubernetes", "argocd"}


def keep(repository: "Repository", found: "Comparison", environment: str, built: "Built") -> None:
    """Open, refresh, supersede or leave the pull request; then let MLflow's aliases follow.

    Raises:
        ForgeError: GitHub, or somebody's commits on the branch, are in the way.
        PullRequestsForbidden: The repository's settings are; an issue says so.
    """
    github, store = connect(repository.root), open_store(repository)
    for sentence in again(withdraw, github, repository, store):
        console.say(sentence)
    told = again(_converge, github, repository, store, found, environment, built)
    console.say(told)
    console.summarise(f"### Promotion\n\n{linked(told, github.page)}")
    # The challenger is what an open pull request offers; a branch that stayed behind offers nothing.
    open_now = pull_request.find(github, branch_name(environment)) is not None
    for move in reconcile(repository, environment, store=store, offered=open_now):
        console.say(move.sentence)


def _converge(
    github: GitHub, repository: "Repository", store: Store, found: "Comparison", environment: str, built: "Built"
) -> str:
    """One look at the state, and what has to be done about it; what was done, in words."""
    root, challenger = repository.root, found.challenger
    git.refresh(root)
    if found.verdict == "champion":
        return f"Nothing to promote: version {challenger.version} is the champion already."
    changed = outdated(repository, store, found, environment, git.main_ref(root))
    if changed:
        return _again(github, challenger.version, challenger.digest, environment, f"{changed} changed since")
    wanted = record_of(repository, store, found, environment, built)
    kind = repository.config.target(environment).kind
    if wanted.image is None and kind in NEED_IMAGE and git.in_actions():
        why = f'it has no image, which a target of the kind "{kind}" needs'
        return _again(github, challenger.version, challenger.digest, environment, why)
    offer = _offer(github, repository, store, found, wanted)
    there, open_now = standing(root, environment), pull_request.find(github, offer.branch)
    why_not = barred(repository, store, environment, wanted.digest)
    if why_not:
        return f"Version {wanted.version} is not proposed: {why_not}."
    if open_now is None:
        return _first(github, repository, offer, wanted, there)
    if there is None:
        raise Raced(f"The branch {offer.branch} is gone.", "Run the same command again.")
    return _next(github, repository, offer, wanted, there, open_now)


def _first(github: GitHub, repository: "Repository", offer: Offer, wanted: "Record", there: Standing | None) -> str:
    """No pull request is open: open one, unless a person has refused this very version."""
    page = pull_request.closed_by_a_person(github, offer.branch, offer.short)
    if page:
        return f"Version {wanted.version} is not proposed: a person closed {page}. A later version may be."
    head = _push(repository, offer, wanted, there)
    return _open(github, offer, head)


def _next(
    github: GitHub, repository: "Repository", offer: Offer, wanted: "Record", there: Standing, open_now: "PullRequest"
) -> str:
    """A pull request is open: keep it, refresh it, supersede it, or leave it to the better version that it has."""
    if there.record is None or there.record.digest != wanted.digest:
        stays = _against_rival(github, offer, there, open_now)
        if stays is not None:
            return stays
        _stop_at_foreign(offer.branch, there)
        if pull_request.approved(github, open_now):
            pull_request.close(github, open_now, proposal.superseded(offer))
            return _first(github, repository, offer, wanted, there)
    elif _expired(there.record, wanted):
        _stop_at_foreign(offer.branch, there)
        if pull_request.approved(github, open_now):
            pull_request.close(github, open_now, proposal.renewed(offer, _expired(there.record, wanted)))
            return _first(github, repository, offer, wanted, there)
    elif there.current and open_now.digest == offer.short and _says(open_now, there.record):
        done = _finish(github, offer, open_now, there.tip)
        return f"Nothing to do: {open_now.page} offers version {wanted.version} already." + done
    head = _push(repository, offer, wanted, there)
    first = proposal.first_offered(open_now.body) or open_now.digest or offer.short
    changed = pull_request.rewrite(github, open_now, offer.title, proposal.body(offer, first))
    done = _finish(github, offer, changed, head)
    return f"Refreshed {changed.page}: it offers version {wanted.version} now." + done


def _expired(offered: "Record", wanted: "Record") -> str:
    """What changed since the evidence of the offer was gathered; empty where it holds, or nobody knows."""
    return offered.evidence.changed(wanted.evidence) if offered.evidence and wanted.evidence else ""


def _says(open_now: "PullRequest", offered: "Record") -> bool:
    """Whether the text speaks of the evidence of the record; a kill may have come between the two."""
    return offered.evidence is None or proposal.compared_on(open_now.body) in (None, offered.evidence.key)


def _against_rival(github: GitHub, offer: Offer, there: Standing, open_now: "PullRequest") -> str | None:
    """Why the version that the pull request has stays; None where the new one beats it on the same holdout."""
    champion, rival = offer.comparison["champion"], offer.comparison["rival"]
    if there.record is None or (champion and champion["digest"] == there.record.digest):
        return None  # what it offers is the champion by now, and that one was beaten
    if rival is None or rival["side"]["digest"] != there.record.digest:
        return _again(github, offer.version, offer.digest, offer.environment, f"{open_now.page} has changed since")
    if rival["beaten"]:
        return None
    return f"Left {open_now.page} as it is, with version {there.record.version}. {rival['message']}"


def _push(repository: "Repository", offer: Offer, wanted: "Record", there: Standing | None) -> str:
    """Bring the branch to the wanted record; its tip."""
    if there and there.record == wanted and there.current and not there.foreign:
        return there.tip
    _stop_at_foreign(branch_name(wanted.environment), there)
    change = promotion(wanted, beside(repository, wanted, offer.comparison))
    return publish(repository.root, change, there.tip if there else None)


def _stop_at_foreign(name: str, there: Standing | None) -> None:
    """What others put on the branch is never overwritten."""
    if there and there.foreign:
        raise ForgeError(
            f"The branch {name} holds what gitops did not put there: {'; '.join(there.foreign)}. It was left alone.",
            f"Bring that to main by a pull request of its own, delete the branch (`git push origin :{name}`), and run "
            "Train again.",
        )


def _open(github: GitHub, offer: Offer, head: str) -> str:
    """Open the pull request; where the settings forbid it, leave an issue that says so."""
    try:
        opened = pull_request.create(github, offer.branch, offer.title, proposal.body(offer, offer.short))
    except PullRequestsForbidden as refusal:
        page = pull_request.ask_for_permission(github, offer, refusal)
        console.summarise(f"### Promotion\n\nVersion {offer.version} waits: {page}")
        raise PullRequestsForbidden(f"{refusal.what} See {page}.", refusal.next, refusal.status) from refusal
    pull_request.label(github, opened)
    done = _finish(github, offer, opened, head)
    return f"Opened {opened.page}: it offers version {offer.version} as release {offer.release}." + done


def _finish(github: GitHub, offer: Offer, pull: "PullRequest", head: str) -> str:
    """What must be true of an open pull request, whichever way it came about; what was done, in words."""
    rival = offer.comparison["rival"]
    pull_request.tell(github, pull, offer, rival["message"] if rival else "")
    asked = checks.request(github, offer.branch, head)
    pull_request.permission_was_given(github)
    return " CI was asked to check it." if asked else ""


def _offer(github: GitHub, repository: "Repository", store: Store, found: "Comparison", wanted: "Record") -> Offer:
    return Offer(
        environment=wanted.environment, model=wanted.model, version=wanted.version, release=wanted.release,
        digest=wanted.digest, branch=branch_name(wanted.environment), comparison=found.model_dump(mode="json"),
        run=checks.run_page(github), plots=pictures(store, wanted.run, github.page),
        unsaid=tuple(missing(repository.config.card)), main=found.bound.key if found.bound else "",
    )  # fmt: skip


def _again(github: GitHub, version: str, digest: str, environment: str, why: str) -> str:
    """What was compared is no longer what is: in a workflow, have it compared again; here, say so."""
    if not git.in_actions():
        raise ConfigError(f"The comparison is out of date: {why}.", "Run `gitops compare` again.")
    checks.compare(github, version, digest, environment)
    return f"The comparison is out of date: {why}. Version {version} will be compared again, in a run of its own."
