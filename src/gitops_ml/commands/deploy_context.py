"""Context of the commands that change an environment: repository, model store, deployment target and GitHub."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from gitops_ml import console, git
from gitops_ml.commands import retries
from gitops_ml.deploying import image_signature, smoke
from gitops_ml.deploying.target import Rollout
from gitops_ml.deploying.targets.choose import choose_target
from gitops_ml.errors import ConfigError, ContainerError
from gitops_ml.forge import workflow_dispatch
from gitops_ml.forge.github import GitHub, connect
from gitops_ml.forge.promotion_text import escape_except_links
from gitops_ml.registry import record, versions
from gitops_ml.registry.store import Store
from gitops_ml.registry.store import connect as open_store

if TYPE_CHECKING:
    from gitops_ml.config import Repository
    from gitops_ml.deploying.target import Target
    from gitops_ml.registry.record import Record

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True)
class DeployContext:
    """One environment and the services that are needed to change it.

    Attributes:
        repository: The local clone.
        environment: Name of the environment.
        store: Model store with the versions and the ledger.
        github: Client for pull requests and issues; None on a machine that deploys without GitHub.
        actor: Address of the workflow run, or the name of the user, as the ledger records it.
    """

    repository: "Repository"
    environment: str
    store: Store
    github: GitHub | None
    actor: str

    @property
    def keeps_serving(self) -> bool:
        """Return whether the target still serves after the command has ended."""
        return self.repository.config.target(self.environment).kind != "none"

    @property
    def follows_main(self) -> bool:
        """Return whether Argo CD deploys from main, so that only a merge changes the served version."""
        return self.repository.config.target(self.environment).kind == "argocd"

    def require_persistent_machine(self) -> None:
        """Refuse to start a long-running target on a GitHub-hosted runner, which is deleted after the job.

        Raises:
            ConfigError: The target keeps serving on this machine, and the machine is a GitHub-hosted runner.
        """
        kind = self.repository.config.target(self.environment).kind
        if kind in {"process", "compose"} and os.environ.get("RUNNER_ENVIRONMENT") == "github-hosted":
            raise ConfigError(
                f'The target of {self.environment} is "{kind}", but this job runs on a GitHub-hosted runner, which is '
                "deleted after the job.",
                "Register a self-hosted runner and set the repository variable DEPLOY_RUNNER to its label: "
                "`gitops docs targets`.",
            )

    def refresh(self) -> None:
        """Fetch main and the proposal branches from the remote."""
        git.fetch_branches_if_tracked(self.repository.root)

    def newer_main(self) -> str | None:
        """Return the commit of main if this workflow run has an older checkout with another record, else None."""
        root = self.repository.root
        self.refresh()
        main = git.resolve(root, git.main_ref(root))
        if not git.in_actions() or main is None:
            return None
        checked_out, newest = (record.load_record(root, self.environment, revision) for revision in ("HEAD", main))
        return None if checked_out == newest else main

    def choose_target(self, wanted: "Record") -> "Target":
        """Return the deployment target that model.toml configures.

        Args:
            wanted: Record of the version to deploy.
        """
        return choose_target(self.repository, self.environment, wanted.image)

    def prepare_rollout(self, wanted: "Record") -> Rollout:
        """Return the rollout of a version, after its signature and its files were verified.

        Args:
            wanted: Record of the version to deploy.

        Raises:
            IntegrityError: The image has no valid signature, or the files do not match the digest of the record.
        """
        signers = image_signature.find_signers(self.repository)
        # A process runs from commit, lock and manifest, so its record may name no image.
        if signers and (wanted.image or self.repository.config.target(self.environment).kind != "process"):
            image_signature.verify(wanted.image, wanted.digest, wanted.signature, signers)
        model = self.repository.config.project.name
        folder = versions.version_folder(self.repository, wanted.version, wanted.digest)
        versions.download_version(self.store, model, wanted.version, wanted.digest, folder)
        # A process runs no image, whatever the record names.
        image = None if self.repository.config.target(self.environment).kind == "process" else wanted.image
        return Rollout(
            environment=self.environment, model=model, version=wanted.version, release=wanted.release,
            digest=wanted.digest, image=image, commit=wanted.lineage.commit, files=folder,
        )  # fmt: skip

    def smoke_test(
        self, address: str, rollout: Rollout, is_alive: Callable[[], bool],
        is_ready: Callable[[], bool] = lambda: False, *, shared: bool = False,
    ) -> list[str]:  # fmt: skip
        """Compare predictions of the started version for recorded rows with the recorded predictions.

        Args:
            address: Base URL of the server.
            rollout: Version that was started there.
            is_alive: Function that returns whether the server process or container is running.
            is_ready: Function that returns whether the target's own health check passes.
            shared: True if other callers use the same address, so that another version may respond.

        Returns:
            Failures as sentences; empty when every prediction matches.

        Raises:
            ContainerError: The version could not be tested: the target's own health check passes but the address is
                not reachable from here, or another server responded.
        """
        seconds = self.repository.config.target(self.environment).ready_seconds
        failures = smoke.wait_until_ready(address, seconds, is_alive, shared=shared)
        if failures and is_ready():
            raise ContainerError(
                f"Version {rollout.version} passes its own health check but cannot be reached at {address}: "
                f"{failures[0]}",
                "Check the network between this machine and the server: the container engine's network, a firewall, "
                "a proxy. No version was held.",
            )
        token = os.environ.get("GITOPS_TOKEN") or None
        return failures or smoke.replay(address, rollout.files, rollout.digest, token, shared=shared)

    def retry(self, action: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call a repeatable action, and repeat it after a lost response or a concurrent push.

        Args:
            action: Function that reads the current state before it changes anything.
            *args: Positional arguments of the function.
            **kwargs: Keyword arguments of the function.

        Returns:
            The value that the function returns.
        """
        return retries.run_with_retries(action, *args, **kwargs)

    def announce(self, text: str) -> None:
        """Print a sentence and add it to the step summary, with links for GitHub addresses.

        Args:
            text: Sentence in plain text.
        """
        console.echo(text)
        console.append_summary(f"- {escape_except_links(text, self.github.page)}" if self.github else f"- {text}")


def open_deploy_context(repository: "Repository", environment: str) -> DeployContext:
    """Return the deploy context of an environment; it uses GitHub when GITHUB_TOKEN is set.

    Args:
        repository: The local clone.
        environment: Name of the environment.

    Raises:
        ConfigError: model.toml does not name the environment.
    """
    if environment not in repository.config.deploy.environments:
        known = ", ".join(repository.config.deploy.environments)
        raise ConfigError(
            f"There is no environment {environment!r}.", f"Use one that [deploy] in model.toml names: {known}."
        )
    github = connect(repository.root) if os.environ.get("GITHUB_TOKEN") else None
    run = workflow_dispatch.run_url(github) if github else ""
    return DeployContext(repository, environment, open_store(repository), github, run or user_name(repository))


def user_name(repository: "Repository") -> str:
    """Return the user name that Git is configured with.

    Args:
        repository: The local clone.
    """
    root = repository.root
    return git.run(root, "config", "user.name") if git.succeeds(root, "config", "user.name") else "a person"
