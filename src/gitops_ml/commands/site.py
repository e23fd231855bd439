"""What the commands that change an environment work with: the clone, the store, the place, and GitHub where it is."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from gitops_ml import console, git
from gitops_ml.commands import anew
from gitops_ml.deploying import signature, smoke
from gitops_ml.deploying.target import Rollout
from gitops_ml.deploying.targets.choose import choose
from gitops_ml.errors import ConfigError, ContainerError
from gitops_ml.forge import checks
from gitops_ml.forge.github import GitHub, connect
from gitops_ml.forge.proposal import linked
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
class Site:
    """One environment, and everything that it takes to change it.

    Attributes:
        repository: The clone.
        environment: Its name.
        store: Where versions and ledger lie.
        github: Where pull requests and issues are opened; None on a machine that deploys without GitHub.
        who: Who is at work: the workflow run, or a person.
    """

    repository: "Repository"
    environment: str
    store: Store
    github: GitHub | None
    who: str

    @property
    def stays_up(self) -> bool:
        """Whether anything serves here after the command has ended."""
        return self.repository.config.target(self.environment).kind != "none"

    @property
    def follows_main(self) -> bool:
        """Whether somebody else brings up what main says, so that only a merge changes what serves."""
        return self.repository.config.target(self.environment).kind == "argocd"

    def insist_on_a_lasting_machine(self) -> None:
        """What stays up must not be brought up where everything ends with the job.

        Raises:
            ConfigError: It would be: this is a runner of GitHub's.
        """
        kind = self.repository.config.target(self.environment).kind
        if kind in {"process", "compose"} and os.environ.get("RUNNER_ENVIRONMENT") == "github-hosted":
            raise ConfigError(
                f'The target of {self.environment} is "{kind}", and this machine of GitHub\'s is gone after the job.',
                "Register a runner of yours, and name its label in the variable DEPLOY_RUNNER: `gitops docs targets`.",
            )

    def refresh(self) -> None:
        """Bring what the clone knows of main and of proposals up to date."""
        git.catch_up(self.repository.root)

    def newer(self) -> str | None:
        """In a workflow run of an older main: the newer main, if that one wants something else here."""
        root = self.repository.root
        self.refresh()
        main = git.resolve(root, git.main_ref(root))
        if not git.in_actions() or main is None:
            return None
        here, there = (record.read(root, self.environment, revision) for revision in ("HEAD", main))
        return None if here == there else main

    def target(self, wanted: "Record") -> "Target":
        """The place, as model.toml describes it."""
        return choose(self.repository, self.environment, wanted.image)

    def rollout(self, wanted: "Record") -> Rollout:
        """A version on its way here; its signature is verified, its files are fetched and verified."""
        signers = signature.required(self.repository)
        # Only a process runs from commit, lock and manifest, so that its record may name no image.
        if signers and (wanted.image or self.repository.config.target(self.environment).kind != "process"):
            signature.verify(wanted.image, wanted.digest, wanted.signature, signers)
        model = self.repository.config.project.name
        folder = versions.place(self.repository, wanted.version, wanted.digest)
        versions.fetch(self.store, model, wanted.version, wanted.digest, folder)
        return Rollout(
            environment=self.environment, model=model, version=wanted.version, release=wanted.release,
            digest=wanted.digest, image=wanted.image, commit=wanted.lineage.commit, files=folder,
        )  # fmt: skip

    def ask(
        self, address: str, rollout: Rollout, alive: Callable[[], bool], well: Callable[[], bool] = lambda: False, *,
        shared: bool = False,
    ) -> list[str]:  # fmt: skip
        """What is wrong with the version at this address, in sentences; nothing when it says what it said in training.

        Args:
            address: Where it answers.
            rollout: The version.
            alive: Whether it is up at all.
            well: Whether a check from beside it passes.
            shared: Callers ask there too, so that others may answer.

        Raises:
            ContainerError: It could not be asked: by the target's own check it is ready, and from here it is not; or
                something else answered.
        """
        seconds = self.repository.config.target(self.environment).ready_seconds
        wrong = smoke.wait_ready(address, seconds, alive, shared=shared)
        if wrong and well():
            raise ContainerError(
                f"Version {rollout.version} is ready by its own check, and cannot be asked at {address}: {wrong[0]}",
                "Look at what lies between: the engine's network, a firewall, a proxy. Nothing was held.",
            )
        token = os.environ.get("GITOPS_TOKEN") or None
        return wrong or smoke.replay(address, rollout.files, rollout.digest, token, shared=shared)

    def again(self, what: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Do something that looks at the state first, and anew when nobody knows whether it was done."""
        return anew.again(what, *args, **kwargs)

    def say(self, text: str) -> None:
        """To the person, and into the step's summary, where addresses on GitHub are links."""
        console.say(text)
        console.summarise(f"- {linked(text, self.github.page)}" if self.github else f"- {text}")


def open_site(repository: "Repository", environment: str) -> Site:
    """Everything about one environment; GitHub counts where GITHUB_TOKEN is set.

    Raises:
        ConfigError: model.toml names no such environment.
    """
    if environment not in repository.config.deploy.environments:
        known = ", ".join(repository.config.deploy.environments)
        raise ConfigError(f"There is no environment {environment!r}.", f"[deploy] in model.toml names: {known}.")
    github = connect(repository.root) if os.environ.get("GITHUB_TOKEN") else None
    run = checks.run_page(github) if github else ""
    return Site(repository, environment, open_store(repository), github, run or _person(repository))


def _person(repository: "Repository") -> str:
    """The person at the keyboard, as Git knows them."""
    root = repository.root
    return git.run(root, "config", "user.name") if git.succeeds(root, "config", "user.name") else "a person"
