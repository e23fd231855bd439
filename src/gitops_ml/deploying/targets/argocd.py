"""Target of kind "argocd": the promotion writes the image's digest to Git, and Argo CD deploys it.

This target waits until the new version serves, and tests it.
"""

import requests
from tenacity import Retrying, retry_if_result, stop_after_delay, wait_fixed

from gitops_ml.config import Repository
from gitops_ml.deploying.target import Rollout, RunningVersion
from gitops_ml.deploying.targets.kustomization import FILE, kustomization_base, render_kustomization
from gitops_ml.errors import ConfigError, ContainerError

FOLDER = "registry/argocd"
TIMEOUT = 10
# Number of consecutive responses that must name the same version, because old pods still respond during a rollout.
CONFIRMATIONS = 5
# Content of the file if no version may serve. Without the file, Argo CD would keep the old resources.
EMPTY_KUSTOMIZATION = '{"apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization", "resources": []}\n'


def argocd_kustomization_path(environment: str) -> str:
    """Return the path of the file that a promotion writes beside the record.

    The Application in deploy/argocd points at the file's folder.

    Args:
        environment: Name of the environment.
    """
    return f"{FOLDER}/{environment}/{FILE}"


def render_argocd_kustomization(rollout: Rollout, repository: Repository) -> str:
    """Return the content of the file for a version.

    Args:
        rollout: The version; the folder of its files may be missing.
        repository: The clone.
    """
    up = "../" * argocd_kustomization_path(rollout.environment).count("/")
    return render_kustomization(
        rollout, repository.config, up + kustomization_base(repository.root, rollout.environment)
    )


class ArgoCD:
    """Target in a cluster that Argo CD syncs with Git."""

    def __init__(self, repository: Repository, environment: str) -> None:
        """Prepare the target; no server is asked yet.

        Args:
            repository: The clone.
            environment: Name of the environment.

        Raises:
            ConfigError: model.toml has no URL of the server.
        """
        self._config = repository.config.target(environment)
        if self._config.url is None:
            raise ConfigError(
                f"[targets.{environment}] has no `url`.",
                "Set it to the URL of the server: Argo CD deploys, and the smoke test needs the URL.",
            )
        self._url = self._config.url.rstrip("/")

    def running(self) -> RunningVersion | None:
        """Return the version that serves alone at the URL; None if there is none, or pods are being replaced."""
        digest = self._digest()
        return RunningVersion(digest, None, self._url) if digest and self._confirm(digest) == digest else None

    def start(self, rollout: Rollout) -> str:
        """Wait until Argo CD has synced the version, and no other version answers at the URL.

        Raises:
            ContainerError: The version does not serve within `ready_seconds`.
        """
        retrying = Retrying(
            stop=stop_after_delay(self._config.ready_seconds), wait=wait_fixed(2),
            retry=retry_if_result(lambda digest: digest != rollout.digest),
            retry_error_callback=lambda state: state.outcome and state.outcome.result(),
        )  # fmt: skip
        digest = retrying(self._confirm, rollout.digest)
        if digest != rollout.digest:
            answers = f"answers with {digest[:19]}" if digest else "does not answer"
            raise ContainerError(
                f"{self._url} {answers}, not with {rollout.digest[:19]} (version {rollout.version}), after "
                f"{self._config.ready_seconds} s.",
                "Look at the Application in Argo CD: it has not synced, or the pods do not become ready. "
                "If the cluster needs longer, raise `ready_seconds` in model.toml.",
            )
        return self._url

    def is_alive(self) -> bool:
        """Return True, because a missing response may be a fault of the network."""
        return True

    def is_ready(self) -> bool:
        """Return False, because the smoke test uses the URL of the callers."""
        return False

    def switch(self, rollout: Rollout) -> None:
        """Do nothing, because Kubernetes sends callers to the version as soon as it is ready."""

    def logs(self) -> str:
        """Return an empty text, because the logs are in the cluster."""
        return ""

    def stop(self) -> None:
        """Do nothing, because Argo CD follows main."""

    def discard(self) -> str:
        """Return a sentence that says how the version is stopped; it cannot be stopped from here."""
        return "Argo CD runs what main says: merging the pull request that reverts the record stops this version."

    def _confirm(self, expected: str) -> str | None:
        """Return the digest that the server names; the expected one only after several consecutive responses."""
        digest = None
        for _ in range(CONFIRMATIONS):
            digest = self._digest()
            if digest != expected:
                break
        return digest

    def _digest(self) -> str | None:
        try:
            response = requests.get(f"{self._url}/metadata", timeout=TIMEOUT)
            digest = response.json().get("digest") if response.ok else None
        except (requests.RequestException, ValueError, AttributeError):  # no response, or from another server
            return None
        return str(digest) if digest else None
