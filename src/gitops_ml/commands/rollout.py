"""Deployment of an environment: make its target match the record and the ledger, and change only the difference.

The steps in order: start the version beside the old one, run its smoke test, switch, write `verified` to the ledger,
move the alias, create the tag and the release of the version unless they exist. When the smoke test fails: write `held`
to the ledger, deploy the last verified version, open a pull request and an issue. A run that is interrupted between two
steps is continued by the next run, which does only the missing steps.
"""

from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from gitops_ml import console, git
from gitops_ml.commands.deploy_context import DeployContext, open_deploy_context
from gitops_ml.commands.expire import expire_proposal, skip_expired_merge
from gitops_ml.commands.next_environment import compare_in_next_environment
from gitops_ml.commands.record_checks import require_served, require_true_record
from gitops_ml.commands.rollback_pull_request import reconcile_main
from gitops_ml.errors import ContainerError, GitopsError, VerificationFailed
from gitops_ml.forge import releases
from gitops_ml.forge.rollback_text import CONTROL_CHARACTERS
from gitops_ml.printable import show_addresses
from gitops_ml.registry import ledger, record
from gitops_ml.registry.propose import CARD
from gitops_ml.registry.reconcile import load_current_facts, open_ledger, reconcile

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gitops_ml.config import Repository
    from gitops_ml.deploying.target import Rollout, RunningVersion, Target
    from gitops_ml.registry.record import HistoryEntry, Record


@dataclass(frozen=True)
class EnvironmentState:
    """State of one environment by main and the ledger.

    Attributes:
        entries: Versions of the record on main, newest first.
        facts: Ledger facts without lifted holds, oldest first.
        desired: Record of the version that should serve; None when no version may serve.
    """

    entries: "list[HistoryEntry]"
    facts: list[ledger.AnyFact]
    desired: "Record | None"


@dataclass(frozen=True)
class FailedVersion:
    """Version that failed its smoke test.

    Attributes:
        record: Record of the version.
        reason: Failures of the smoke test, as sentences.
        logs: Output of the server.
    """

    record: "Record"
    reason: str
    logs: str


def deploy_environment(repository: "Repository", environment: str) -> None:
    """Deploy the version that main and the ledger name for an environment, and print the changes.

    Args:
        repository: The local clone.
        environment: Name of the environment.

    Raises:
        VerificationFailed: The version failed its smoke test; the last verified version serves.
        ContainerError: The version could not be tested or started; the served version was not changed.
        IntegrityError: The record contradicts its files, or the image has no valid signature.
        RecordRefused: No comparison earned the record.
        NothingServes: Main names a version, but no version may serve.
        ConfigError: model.toml does not name the environment.
    """
    context = open_deploy_context(repository, environment)
    context.require_persistent_machine()
    newer = context.newer_main()
    if newer:
        context.announce(f"Nothing was deployed: main is now at {newer[:9]}; the workflow run of that commit deploys.")
        return
    converge_or_fail(context)


def converge_or_fail(context: DeployContext) -> None:
    """Converge the environment, and raise an error if the version failed its smoke test.

    Args:
        context: The environment.

    Raises:
        VerificationFailed: The version failed its smoke test; the last verified version serves.
        ContainerError: The version could not be tested or started; the served version was not changed.
    """
    failure = converge(context)
    if failure:
        served = load_state(context).desired
        instead = f"version {served.version} serves" if served else "nothing serves"
        if context.follows_main:
            instead = "merge the rollback pull request to replace it"
        raise VerificationFailed(
            f"Version {failure.record.version} failed in {context.environment}: {failure.reason} It is held; "
            f"{instead}.",
            "Follow the issue and the pull request that were opened.",
        )


def load_state(context: DeployContext) -> EnvironmentState:
    """Fetch and read main and the ledger.

    Args:
        context: The environment.

    Returns:
        The current state of the environment.
    """
    context.refresh()
    root = context.repository.root
    entries = record.load_history(root, context.environment, git.main_ref(root))
    facts = load_current_facts(context.repository, context.store)
    return EnvironmentState(entries, facts, ledger.desired_record(entries, facts))


def converge(context: DeployContext) -> FailedVersion | None:
    """Deploy the desired version, or the last verified one if it fails; then update aliases, release and pull requests.

    Args:
        context: The environment.

    Returns:
        The version that failed its smoke test, or None.

    Raises:
        IntegrityError: The record contradicts the files that its digest pins.
        RecordRefused: No comparison earned the record.
        NothingServes: Main names a version, but no version may serve.
    """
    state = load_state(context)
    require_true_record(context, state)
    if skip_expired_merge(context, state.entries, state.facts):
        state = load_state(context)
        require_true_record(context, state)
    failure = _deploy_and_report(context, state)
    if failure:
        _hold(context, failure)
        state = load_state(context)
        require_true_record(context, state)
        _deploy_and_report(context, state, failure.logs)
    state = load_state(context)
    for move in reconcile(context.repository, context.environment, store=context.store):
        context.announce(move.sentence)
    _release(context, state)
    reconcile_main(context, state.entries, state.facts, failure.logs if failure else "")
    compare_in_next_environment(context, state.entries, state.facts)
    # A version that was held or passed over is no longer champion: comparisons with it are out of date.
    message = context.github and context.retry(expire_proposal, context.repository, context.github, context.environment)
    if message:
        context.announce(message)
    if failure is None:
        require_served(context, state)
    return failure


def _deploy_and_report(context: DeployContext, state: EnvironmentState, logs: str = "") -> FailedVersion | None:
    """Deploy the desired version; on an error, still open the pull request and the issue about main's version."""
    try:
        failure = _deploy_desired(context, state)
        if failure:
            console.echo_quoted(f"Version {failure.record.version} printed:", CONTROL_CHARACTERS.sub("", failure.logs))
            _require_unverified(state, failure)
    except GitopsError:
        if state.entries and state.entries[0].record != state.desired:
            _report_main(context, state, logs)
        raise
    return failure


def _report_main(context: DeployContext, state: EnvironmentState, logs: str) -> None:
    """Update pull request and issue after an error of the deployment; print errors, because that one is raised."""
    try:
        reconcile_main(context, state.entries, state.facts, logs)
    except GitopsError as error:
        console.echo_error(f"{error.title}: {error.problem}\n  {error.next_step}")


def _require_unverified(state: EnvironmentState, failure: FailedVersion) -> None:
    """Refuse to hold a version that was verified in this environment and image before.

    Raises:
        ContainerError: The version was verified before, so the cause is not the version.
    """
    if ledger.is_verified(state.facts, failure.record):
        raise ContainerError(
            f"Version {failure.record.version} was verified here before, but fails its smoke test now: "
            f"{failure.reason}",
            "The cause is the deployment target or a library below the image, so the version was not held. Fix the "
            "cause, then run Deploy again.",
        )


def _deploy_desired(context: DeployContext, state: EnvironmentState) -> FailedVersion | None:
    """Deploy and verify the desired version; return it if it failed its smoke test."""
    desired = state.desired
    if desired is None:
        context.announce(
            f"No version may serve in {context.environment}."
            if state.entries
            else "Nothing to deploy. No version was promoted yet."
        )
        _stop_serving(context, state)
        return None
    verified = ledger.is_verified(state.facts, desired)
    if (
        verified
        and not context.keeps_serving
        and (desired.image is None or ledger.is_latest_verification(state.facts, desired))
    ):
        context.announce(f"Nothing to do: version {desired.version} is verified in {context.environment}.")
        return None
    if context.follows_main and state.entries[0].record != desired:
        context.announce(
            f"Version {desired.version} should serve, but main names another version, and Argo CD follows main: merge "
            "the rollback pull request."
        )
        return None
    target = context.choose_target(desired)
    running = target.running()
    # With Argo CD the running image is not known here.
    serves_desired = running is not None and running.digest == desired.digest and running.image in (desired.image, None)
    if running and serves_desired and running.drift:
        context.announce(f"Version {desired.version} is started again: {running.drift}.")
    elif running and serves_desired and (verified or running.url):
        return _verify_running(context, state, desired, target, running, verified)
    return _roll_out(context, state, desired, target)


def _stop_serving(context: DeployContext, state: EnvironmentState) -> None:
    """Stop the version that serves although no version may serve."""
    last = next((entry.record for entry in state.entries if entry.record), None)
    target = context.choose_target(last) if last and context.keeps_serving and not context.follows_main else None
    running = target.running() if target else None
    if target and running:
        target.stop()
        context.announce(f"{running.url or context.environment} served {running.digest[:19]}; it was stopped.")


def _verify_running(
    context: DeployContext, state: EnvironmentState, desired: "Record", target: "Target", running: "RunningVersion",
    is_verified: bool,
) -> FailedVersion | None:  # fmt: skip
    """Run the smoke test of a version that serves but is not verified; remove the rest of an interrupted run."""
    target.discard()
    if is_verified:
        context.announce(f"Nothing to do: version {desired.version} serves in {context.environment} and is verified.")
        console.set_output("url", show_addresses(running.url or ""))
        return None
    rollout = context.prepare_rollout(desired)
    failures = context.smoke_test(running.url or "", rollout, lambda: True, shared=True)
    if failures:
        # The version that replaces it stops it, or `_stop_serving` does.
        return FailedVersion(desired, " ".join(failures), target.logs())
    _record_verified(context, state, desired, rollout, running)
    return None


def _roll_out(
    context: DeployContext, state: EnvironmentState, desired: "Record", target: "Target"
) -> FailedVersion | None:
    """Start the version beside the one that serves, run its smoke test, and switch to it."""
    rollout = context.prepare_rollout(desired)
    address = target.start(rollout)
    with _abandon_on_error(target):
        failures = context.smoke_test(address, rollout, target.is_alive, target.is_ready, shared=context.follows_main)
        if failures:
            return FailedVersion(desired, " ".join(failures), target.discard())
        if _is_superseded(context, desired):
            target.discard()
            context.announce("Main changed during this run; the workflow run of the newer commit deploys it.")
            return None
        target.switch(rollout)
    _record_verified(context, state, desired, rollout, target.running() if context.keeps_serving else None)
    return None


@contextmanager
def _abandon_on_error(target: "Target") -> "Iterator[None]":
    """Whatever goes failures meanwhile, nothing that was only tried is left running."""
    try:
        yield
    except BaseException:
        with suppress(GitopsError):
            target.discard()
        raise


def _is_superseded(context: DeployContext, desired: "Record") -> bool:
    """Return whether another version, or none, should serve by now."""
    now = load_state(context).desired
    return now is None or now.digest != desired.digest


def _record_verified(
    context: DeployContext,
    state: EnvironmentState,
    desired: "Record",
    rollout: "Rollout",
    running: "RunningVersion | None",
) -> None:
    """Write `verified` to the ledger: once, or, when the target does not keep serving, at each new publication."""
    is_recorded = ledger.is_verified if context.keeps_serving else ledger.is_latest_verification
    if not is_recorded(state.facts, desired):
        fact = ledger.Verified(
            environment=context.environment, digest=desired.digest, at=datetime.now(UTC), by=context.actor,
            image=rollout.image,
        )  # fmt: skip
        ledger.append_facts(open_ledger(context.repository, context.store), fact)
    url = running.url if running else None
    status = f"{url} serves it" if url else "It was started, tested and stopped"
    source = rollout.image or "no image: from commit, lock and manifest"
    version = f"Version {rollout.version} (release {rollout.release})"
    context.announce(f"{version} is verified in {context.environment}. {status} ({source}).")
    console.set_output("url", show_addresses(url or ""))
    console.set_output("version", rollout.version)


def _hold(context: DeployContext, failure: FailedVersion) -> None:
    """Write `held` to the ledger, before anything else: this digest may not serve here."""
    fact = ledger.Held(
        environment=context.environment, digest=failure.record.digest, at=datetime.now(UTC), by=context.actor,
        why=failure.reason, failed=True,
    )  # fmt: skip
    ledger.append_facts(open_ledger(context.repository, context.store), fact)
    context.announce(f"Version {failure.record.version} is held: {failure.reason}")


def _release(context: DeployContext, state: EnvironmentState) -> None:
    """Create the tag and the GitHub release of a version that is verified in the last environment."""
    desired = state.desired
    last = context.environment == context.repository.config.deploy.environments[-1]
    if not (desired and last and context.github and ledger.is_verified(state.facts, desired)):
        return
    entry = next(entry for entry in state.entries if entry.record == desired)
    card = git.read_file(context.repository.root, entry.commit, CARD) or ""
    title = f"{desired.model} {desired.release}: version {desired.version}"
    page = context.retry(releases.ensure_release, context.github, desired.release, entry.commit, title, card or title)
    if page:
        context.announce(f"Released {page}.")
