"""Target of kind "kubernetes": a version is tested in a pod without a Service, then the Deployment gets its image."""

import subprocess
from pathlib import Path
from typing import Any

from tenacity import Retrying, retry_if_result, stop_after_delay, wait_fixed

from gitops_ml.config import Repository
from gitops_ml.deploying.container import PORT
from gitops_ml.deploying.settings_digest import settings_digest
from gitops_ml.deploying.target import Rollout, RunningVersion
from gitops_ml.deploying.targets.kubectl import QUICK, Kubectl
from gitops_ml.deploying.targets.kustomization import (
    BASE,
    DIGEST,
    FILE,
    INSTANCE,
    MANIFESTS,
    NEXT,
    SETTINGS,
    kustomization_base,
    render_kustomization,
    resource_prefix,
)
from gitops_ml.errors import ContainerError

UNREACHABLE = "http://127.0.0.1:9"  # URL of a pod that has ended, at which no server answers
# Condition of a pod that is evicted, preempted, or deleted with its node.
DISRUPTED = "DisruptionTarget"
# Least number of replicas for which the time limit of a rollout allows, one after the other.
MIN_ROLLOUT_REPLICAS = 10


class Kubernetes:
    """Target in a cluster; kubectl's own configuration names the cluster and the user."""

    def __init__(self, repository: Repository, environment: str) -> None:
        """Prepare the target; the cluster is not asked yet.

        Args:
            repository: The clone.
            environment: Name of the environment.
        """
        self._repository, self._environment = repository, environment
        self._config = repository.config.target(environment)
        self._kubectl = Kubectl(self._config.namespace)
        self._name = resource_prefix(repository.config.project.name, environment)
        self._next_label = f"{INSTANCE}={self._name}-{NEXT}"
        self._forwarding: subprocess.Popen[str] | None = None
        self._pod_name: str | None = None

    def running(self) -> RunningVersion | None:
        """Return the version of the Deployment."""
        deployment = self._kubectl.get_object("deployment", f"{self._name}-{BASE}")
        annotations = deployment["spec"]["template"]["metadata"].get("annotations", {}) if deployment else {}
        if deployment is None or DIGEST not in annotations:
            return None
        differences = {
            "not all of its pods are of this version, or none is available": not _is_rolled_out(deployment),
            "its settings or the token have changed": annotations.get(SETTINGS) != self._settings(),
        }
        drift = ", ".join(phrase for phrase, differs in differences.items() if differs)
        image = deployment["spec"]["template"]["spec"]["containers"][0]["image"]
        return RunningVersion(annotations[DIGEST], image, self._config.url, drift)

    def _settings(self) -> str:
        """Return a digest of everything but the version that pods are started with."""
        root, config = self._repository.root, self._repository.config
        folders = {f"{MANIFESTS}/base", kustomization_base(root, self._environment)}
        files = sorted(file for folder in folders for file in (root / folder).rglob("*") if file.is_file())
        texts = [file.read_text(encoding="utf-8", errors="replace") for file in files]
        return settings_digest(texts, self._config.replicas, self._config.ready_seconds, config.serving.timeout_seconds)

    def start(self, rollout: Rollout) -> str:
        """Start one pod of the version; a port of this machine is forwarded to it until `switch` or `discard`."""
        self._stop_forwarding()
        self._kubectl.apply(self.write(rollout, for_smoke_test=True))
        pod = self._wait_for_pod(rollout)
        self._pod_name = str(pod["metadata"]["name"])
        if _has_ended(pod):
            return UNREACHABLE
        url, self._forwarding = self._kubectl.forward_port(self._pod_name, PORT)
        return url

    def is_alive(self) -> bool:
        """Return whether the pod is running, and its container never ended.

        Raises:
            ContainerError: The cluster removed the pod: an eviction, a preemption, or a drained node.
        """
        if self._pod_name is None:
            return False
        pod = self._kubectl.get_object("pod", self._pod_name)
        if pod is None or _is_disrupted(pod):
            raise ContainerError(
                f"The cluster removed {self._pod_name} during its smoke test: {_disruption_text(pod)}.",
                "This says nothing about the version. Run Deploy again.",
            )
        return not _has_ended(pod)

    def is_ready(self) -> bool:
        """Return whether the cluster's probe finds the pod ready."""
        pod = self._kubectl.get_object("pod", self._pod_name) if self._pod_name else None
        statuses = _container_statuses(pod) if pod else []
        return bool(statuses) and all(status.get("ready") for status in statuses)

    def switch(self, rollout: Rollout) -> None:
        """Give the Deployment the image, wait until every pod has it, and remove the pod of the smoke test."""
        deployment = f"deployment/{self._name}-{BASE}"
        before = self._kubectl.get_object("deployment", f"{self._name}-{BASE}")
        self._kubectl.apply(self.write(rollout))
        seconds = (self._config.ready_seconds + QUICK) * max(self._config.replicas, MIN_ROLLOUT_REPLICAS)
        try:
            self._kubectl.call("rollout", "status", deployment, f"--timeout={seconds}s", seconds=seconds + QUICK)
        except ContainerError:
            if before is not None:
                # Otherwise every new pod would be of the version that does not become ready.
                self._kubectl.call("rollout", "undo", deployment)
            raise
        self._remove()

    def logs(self) -> str:
        """Return the output of one of the pods that serve callers."""
        return self._read_logs(f"deployment/{self._name}-{BASE}")

    def stop(self) -> None:
        """Delete the Deployment; the other resources start no pod."""
        self._kubectl.call("delete", "deployment", f"{self._name}-{BASE}", "--ignore-not-found")
        self._remove()

    def discard(self) -> str:
        """Remove the pod of the smoke test and return its logs."""
        logs = ""
        for pod in self._kubectl.list_objects("pods", self._next_label):
            logs += self._read_logs(str(pod["metadata"]["name"]))
        self._remove()
        return logs

    def write(self, rollout: Rollout, *, for_smoke_test: bool = False) -> Path:
        """Write the kustomization of a version, and return its folder for `kubectl apply -k`.

        Args:
            rollout: The version.
            for_smoke_test: Write the single pod of the smoke test.
        """
        root = self._repository.root
        folder = self._repository.scratch / "kubernetes" / self._environment / (NEXT if for_smoke_test else BASE)
        folder.mkdir(parents=True, exist_ok=True)
        up = "../" * len(folder.relative_to(root).parts)
        text = render_kustomization(rollout, self._repository.config, up + kustomization_base(root, self._environment),
                                    for_smoke_test=for_smoke_test, settings=self._settings())  # fmt: skip
        (folder / FILE).write_text(text, encoding="utf-8")
        return folder

    def _wait_for_pod(self, rollout: Rollout) -> dict[str, Any]:
        """Return the pod of a version, once its container is running or has ended.

        Raises:
            ContainerError: The container was not started in time: no node has room for the pod, or the image cannot be
                pulled.
        """
        retrying = Retrying(
            stop=stop_after_delay(self._config.ready_seconds), wait=wait_fixed(1),
            retry=retry_if_result(lambda pod: pod is None or not _has_started(pod)),
            retry_error_callback=lambda state: state.outcome and state.outcome.result(),
        )  # fmt: skip
        pod: dict[str, Any] | None = retrying(self._newest_pod, rollout)
        if pod is None or not _has_started(pod):
            raise ContainerError(
                f"The pod of version {rollout.version} was not started in {self._config.ready_seconds} s: "
                f"{_waiting_text(pod)}.",
                f"Run `kubectl --namespace {self._config.namespace} describe pods -l {self._next_label}` for details.",
            )
        return pod

    def _newest_pod(self, rollout: Rollout) -> dict[str, Any] | None:
        pods = [pod for pod in self._kubectl.list_objects("pods", self._next_label)
                if pod["metadata"].get("annotations", {}).get(DIGEST) == rollout.digest
                and not _is_disrupted(pod)]  # fmt: skip
        return pods[-1] if pods else None

    def _read_logs(self, pod: str) -> str:
        """Return the last lines of a pod; if its container ended and was started again, those before the end."""
        try:
            return self._kubectl.call("logs", pod, "--tail=200", "--previous")
        except ContainerError:  # the container never ended
            try:
                return self._kubectl.call("logs", pod, "--tail=200")
            except ContainerError as error:
                return f"{error.problem}\n"

    def _remove(self) -> None:
        self._stop_forwarding()
        kinds = "deployment,networkpolicy,serviceaccount"
        self._kubectl.call("delete", kinds, f"--selector={self._next_label}", "--ignore-not-found", "--wait=false")
        self._pod_name = None

    def _stop_forwarding(self) -> None:
        if self._forwarding is not None:
            self._forwarding.kill()
            self._forwarding.communicate()
            self._forwarding = None


def _is_rolled_out(deployment: dict[str, Any]) -> bool:
    """Return whether the cluster has processed the last change, all pods are of it, and at least one is available."""
    status, generation = deployment.get("status", {}), deployment["metadata"].get("generation", 0)
    pods = status.get("replicas", 0)
    processed = status.get("observedGeneration", 0) >= generation
    return bool(processed and pods and status.get("updatedReplicas", 0) == pods and status.get("availableReplicas", 0))


def _container_statuses(pod: dict[str, Any]) -> list[dict[str, Any]]:
    return pod.get("status", {}).get("containerStatuses") or []


def _has_started(pod: dict[str, Any]) -> bool:
    return any("running" in status.get("state", {}) for status in _container_statuses(pod)) or _has_ended(pod)


def _has_ended(pod: dict[str, Any]) -> bool:
    return any(
        status.get("restartCount") or "terminated" in status.get("state", {}) for status in _container_statuses(pod)
    )


def _is_disrupted(pod: dict[str, Any]) -> bool:
    """Return whether the cluster removes or has removed a pod for reasons of its own."""
    status = pod.get("status", {})
    disrupted = any(each.get("type") == DISRUPTED and each.get("status") == "True" for each in _conditions(pod))
    return "deletionTimestamp" in pod["metadata"] or bool(status.get("reason")) or disrupted


def _disruption_text(pod: dict[str, Any] | None) -> str:
    """Return the cluster's reasons for the removal of a pod."""
    status = pod.get("status", {}) if pod else {}
    disrupted = [each for each in _conditions(pod or {}) if each.get("type") == DISRUPTED]
    return _reasons(status, *disrupted) or "it does not exist any more"


def _conditions(pod: dict[str, Any]) -> list[dict[str, Any]]:
    return pod.get("status", {}).get("conditions") or []


def _waiting_text(pod: dict[str, Any] | None) -> str:
    """Return the cluster's reasons why a pod is not started."""
    if pod is None:
        return "there is no pod, perhaps because a policy or a quota forbids it"
    statuses = _container_statuses(pod)
    waiting = [status["state"]["waiting"] for status in statuses if "waiting" in status.get("state", {})]
    unmet = [entry for entry in _conditions(pod) if entry.get("status") == "False"]
    return _reasons(*waiting, *unmet) or "the cluster gives no reason"


def _reasons(*entries: dict[str, Any]) -> str:
    texts = [f"{entry.get('reason', '')} {entry.get('message', '')}".strip() for entry in entries]
    return "; ".join(text for text in texts if text)
