"""Argo CD: the digest in Git is all. Here a version is waited for and asked; the cluster follows main by itself."""

import requests
from tenacity import Retrying, retry_if_result, stop_after_delay, wait_fixed

from gitops_ml.config import Repository
from gitops_ml.deploying.target import Rollout, Running
from gitops_ml.deploying.targets.kustomization import FILE, kustomization, layer
from gitops_ml.errors import ConfigError, ContainerError

FOLDER = "registry/argocd"
TIMEOUT = 10
# While pods are replaced old ones answer too: so often in a row the address must say the same.
TIMES = 5
# What Argo CD is told where nothing may serve: without the file it would keep what it has.
NOTHING = '{"apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization", "resources": []}\n'


def path(environment: str) -> str:
    """The file that a promotion writes beside the record; the Application in deploy/argocd points at its folder."""
    return f"{FOLDER}/{environment}/{FILE}"


def content(wanted: Rollout, repository: Repository) -> str:
    """What the promotion of a version writes there; its files need not be at hand."""
    up = "../" * path(wanted.environment).count("/")
    return kustomization(wanted, repository.config, up + layer(repository.root, wanted.environment))


class ArgoCD:
    """One environment that Argo CD keeps; a Target."""

    def __init__(self, repository: Repository, environment: str) -> None:
        """Nothing is asked yet.

        Raises:
            ConfigError: model.toml does not say where callers find it.
        """
        self._settings = repository.config.target(environment)
        if self._settings.url is None:
            raise ConfigError(
                f"[targets.{environment}] has no `url`.", "Argo CD deploys; where callers find the result must be said."
            )
        self._url = self._settings.url.rstrip("/")

    def running(self) -> Running | None:
        """What alone answers at the address; None where nothing of ours does, or pods are just being replaced."""
        digest = self._digest()
        return Running(digest, None, self._url) if digest and self._heard(digest) == digest else None

    def start(self, wanted: Rollout) -> str:
        """Wait until Argo CD has synced it, and the address answers with it, and with nothing else.

        Raises:
            ContainerError: It has not, in the time that a version may take to become ready.
        """
        waiting = Retrying(
            stop=stop_after_delay(self._settings.ready_seconds), wait=wait_fixed(2),
            retry=retry_if_result(lambda digest: digest != wanted.digest),
            retry_error_callback=lambda state: state.outcome and state.outcome.result(),
        )  # fmt: skip
        found = waiting(self._heard, wanted.digest)
        if found != wanted.digest:
            answers = f"answers with {found[:19]}" if found else "does not answer"
            raise ContainerError(
                f"{self._url} {answers}, not with {wanted.digest[:19]} (version {wanted.version}), after "
                f"{self._settings.ready_seconds} s.",
                "Look at the Application in Argo CD: it has not synced, or the pods do not become ready. "
                "A cluster that needs longer gets more `ready_seconds` in model.toml.",
            )
        return self._url

    def alive(self) -> bool:
        """Nobody can tell from here that it has died: what does not answer may be the way to it."""
        return True

    def well(self) -> bool:
        """We ask at the address where callers ask."""
        return False

    def switch(self, wanted: Rollout) -> None:
        """Nothing to do: it serves already, for Kubernetes sent callers to it when it was ready."""

    def logs(self) -> str:
        """The cluster has them."""
        return ""

    def end(self) -> None:
        """Nothing can be stopped from here: Argo CD follows main."""

    def abandon(self) -> str:
        """Nothing to stop from here; what stops it, in words."""
        return "Argo CD runs what main says: merging the pull request that reverts the record stops this version."

    def _heard(self, wanted: str) -> str | None:
        """What it answers with; what is wanted only where it says so several times in a row."""
        found = None
        for _ in range(TIMES):
            found = self._digest()
            if found != wanted:
                break
        return found

    def _digest(self) -> str | None:
        try:
            answer = requests.get(f"{self._url}/metadata", timeout=TIMEOUT)
            digest = answer.json().get("digest") if answer.ok else None
        except (requests.RequestException, ValueError, AttributeError):  # nobody there, or somebody else
            return None
        return str(digest) if digest else None
