"""A cluster: a version is tried as a pod that no Service knows, then the Deployment takes its image over."""

import subprocess
from pathlib import Path
from typing import Any

from tenacity import Retrying, retry_if_result, stop_after_delay, wait_fixed

from gitops_ml.config import Repository
from gitops_ml.deploying.container import PORT
from gitops_ml.deploying.settings import mark
from gitops_ml.deploying.target import Rollout, Running
from gitops_ml.deploying.targets.kubectl import QUICK, Kubectl
from gitops_ml.deploying.targets.kustomization import (
    BASE,
    DIGEST,
    FILE,
    INSTANCE,
    MANIFESTS,
    NEXT,
    SETTINGS,
    kustomization,
    layer,
    name,
)
from gitops_ml.errors import ContainerError

NOBODY = "http://127.0.0.1:9"  # where an address is asked for although nothing will ever answer
# The condition of a pod that is evicted, preempted, or ended with its node.
DISRUPTED = "DisruptionTarget"
# The most replicas that are waited for one after the other.
MANY = 10


class Kubernetes:
    """One environment on a cluster; a Target. kubectl's own configuration says which cluster, and who we are."""

    def __init__(self, repository: Repository, environment: str) -> None:
        """Nothing is asked or changed yet."""
        self._repository, self._environment = repository, environment
        self._settings = repository.config.target(environment)
        self._kubectl = Kubectl(self._settings.namespace)
        self._name = name(repository.config.project.name, environment)
        self._beside = f"{INSTANCE}={self._name}-{NEXT}"
        self._way: subprocess.Popen[str] | None = None
        self._tried: str | None = None

    def running(self) -> Running | None:
        """The version of the Deployment, and whether all pods are of it, with the settings of today."""
        found = self._kubectl.find("deployment", f"{self._name}-{BASE}")
        said = found["spec"]["template"]["metadata"].get("annotations", {}) if found else {}
        if found is None or DIGEST not in said:
            return None
        wrong = {"its pods are not all of it, or none is up": not _rolled_out(found),
                 "its settings or the token have changed": said.get(SETTINGS) != self._mark()}  # fmt: skip
        drift = ", ".join(what for what, so in wrong.items() if so)
        image = found["spec"]["template"]["spec"]["containers"][0]["image"]
        return Running(said[DIGEST], image, self._settings.url, drift)

    def _mark(self) -> str:
        """Of everything but the version that pods are brought up with."""
        root, config = self._repository.root, self._repository.config
        folders = {f"{MANIFESTS}/base", layer(root, self._environment)}
        files = sorted(file for folder in folders for file in (root / folder).rglob("*") if file.is_file())
        texts = [file.read_text(encoding="utf-8", errors="replace") for file in files]
        return mark(texts, self._settings.replicas, self._settings.ready_seconds, config.serving.timeout_seconds)

    def start(self, wanted: Rollout) -> str:
        """Run one pod of it beside the others; the address of a way to it that lasts until switch or abandon."""
        self._close()
        self._kubectl.apply(self.write(wanted, beside=True))
        pod = self._pod(wanted)
        self._tried = str(pod["metadata"]["name"])
        if _died(pod):
            return NOBODY
        address, self._way = self._kubectl.forward(self._tried, PORT)
        return address

    def alive(self) -> bool:
        """Whether the pod runs, and never ended.

        Raises:
            ContainerError: The cluster took it away: an eviction, a preemption, or a node that is drained.
        """
        if self._tried is None:
            return False
        found = self._kubectl.find("pod", self._tried)
        if found is None or _taken(found):
            raise ContainerError(
                f"The cluster took {self._tried} away while it was tried: {_reason(found)}.",
                "Nobody knows more about the version than before; run Deploy again.",
            )
        return not _died(found)

    def well(self) -> bool:
        """Whether the cluster's own probe finds the pod ready."""
        found = self._kubectl.find("pod", self._tried) if self._tried else None
        states = _states(found) if found else []
        return bool(states) and all(status.get("ready") for status in states)

    def switch(self, wanted: Rollout) -> None:
        """Give the Deployment its image, wait until every pod has it, and remove the one that was tried."""
        deployment = f"deployment/{self._name}-{BASE}"
        before = self._kubectl.find("deployment", f"{self._name}-{BASE}")
        self._kubectl.apply(self.write(wanted))
        seconds = (self._settings.ready_seconds + QUICK) * max(self._settings.replicas, MANY)
        try:
            self._kubectl.call("rollout", "status", deployment, f"--timeout={seconds}s", seconds=seconds + QUICK)
        except ContainerError:
            if before is not None:
                self._kubectl.call("rollout", "undo", deployment)  # else every later pod would be the one that hangs
            raise
        self._remove()

    def logs(self) -> str:
        """What one of the pods printed that callers reach."""
        return self._logs(f"deployment/{self._name}-{BASE}")

    def end(self) -> None:
        """Delete the Deployment; what else there is starts no pod."""
        self._kubectl.call("delete", "deployment", f"{self._name}-{BASE}", "--ignore-not-found")
        self._remove()

    def abandon(self) -> str:
        """Remove the pod that was tried; what it wrote."""
        logs = ""
        for pod in self._kubectl.each("pods", self._beside):
            logs += self._logs(str(pod["metadata"]["name"]))
        self._remove()
        return logs

    def write(self, wanted: Rollout, *, beside: bool = False) -> Path:
        """Write what runs a version, in a folder for `kubectl apply -k`; `beside`: the pod that is tried."""
        root = self._repository.root
        folder = self._repository.scratch / "kubernetes" / self._environment / (NEXT if beside else BASE)
        folder.mkdir(parents=True, exist_ok=True)
        up = "../" * len(folder.relative_to(root).parts)
        text = kustomization(wanted, self._repository.config, up + layer(root, self._environment),
                             beside=beside, settings=self._mark())  # fmt: skip
        (folder / FILE).write_text(text, encoding="utf-8")
        return folder

    def _pod(self, wanted: Rollout) -> dict[str, Any]:
        """The pod of a version, once its container runs or has run.

        Raises:
            ContainerError: It was not even started in time: no node has room for it, or its image cannot be pulled.
        """
        waiting = Retrying(
            stop=stop_after_delay(self._settings.ready_seconds), wait=wait_fixed(1),
            retry=retry_if_result(lambda pod: pod is None or not _started(pod)),
            retry_error_callback=lambda state: state.outcome and state.outcome.result(),
        )  # fmt: skip
        pod: dict[str, Any] | None = waiting(self._newest, wanted)
        if pod is None or not _started(pod):
            raise ContainerError(
                f"The pod of version {wanted.version} was not started in {self._settings.ready_seconds} s: "
                f"{_why(pod)}.",
                f"`kubectl --namespace {self._settings.namespace} describe pods -l {self._beside}` says more.",
            )
        return pod

    def _newest(self, wanted: Rollout) -> dict[str, Any] | None:
        pods = [pod for pod in self._kubectl.each("pods", self._beside)
                if pod["metadata"].get("annotations", {}).get(DIGEST) == wanted.digest
                and not _taken(pod)]  # fmt: skip
        return pods[-1] if pods else None

    def _logs(self, pod: str) -> str:
        """The last lines of a pod, or of the life before, where it ended and was started again."""
        try:
            return self._kubectl.call("logs", pod, "--tail=200", "--previous")
        except ContainerError:  # it never ended
            try:
                return self._kubectl.call("logs", pod, "--tail=200")
            except ContainerError as error:
                return f"{error.what}\n"

    def _remove(self) -> None:
        self._close()
        kinds = "deployment,networkpolicy,serviceaccount"
        self._kubectl.call("delete", kinds, f"--selector={self._beside}", "--ignore-not-found", "--wait=false")
        self._tried = None

    def _close(self) -> None:
        if self._way is not None:
            self._way.kill()
            self._way.communicate()
            self._way = None


def _rolled_out(deployment: dict[str, Any]) -> bool:
    """Whether the cluster has seen what was asked, every pod is of it, and one at least can be called."""
    status, generation = deployment.get("status", {}), deployment["metadata"].get("generation", 0)
    pods = status.get("replicas", 0)
    seen = status.get("observedGeneration", 0) >= generation
    return bool(seen and pods and status.get("updatedReplicas", 0) == pods and status.get("availableReplicas", 0))


def _states(pod: dict[str, Any]) -> list[dict[str, Any]]:
    return pod.get("status", {}).get("containerStatuses") or []


def _started(pod: dict[str, Any]) -> bool:
    return any("running" in status.get("state", {}) for status in _states(pod)) or _died(pod)


def _died(pod: dict[str, Any]) -> bool:
    return any(status.get("restartCount") or "terminated" in status.get("state", {}) for status in _states(pod))


def _taken(pod: dict[str, Any]) -> bool:
    """Whether the cluster ends it, or has ended it, for reasons of its own."""
    told = pod.get("status", {})
    disrupted = any(each.get("type") == DISRUPTED and each.get("status") == "True" for each in _conditions(pod))
    return "deletionTimestamp" in pod["metadata"] or bool(told.get("reason")) or disrupted


def _reason(pod: dict[str, Any] | None) -> str:
    told = pod.get("status", {}) if pod else {}
    disrupted = [each for each in _conditions(pod or {}) if each.get("type") == DISRUPTED]
    said = [f"{each.get('reason', '')} {each.get('message', '')}".strip() for each in (told, *disrupted)]
    return "; ".join(word for word in said if word) or "it is gone"


def _conditions(pod: dict[str, Any]) -> list[dict[str, Any]]:
    return pod.get("status", {}).get("conditions") or []


def _why(pod: dict[str, Any] | None) -> str:
    """What keeps a pod from being started, in the cluster's words."""
    if pod is None:
        return "there is none, so something forbids it"
    waits = [status["state"]["waiting"] for status in _states(pod) if "waiting" in status.get("state", {})]
    unmet = [entry for entry in _conditions(pod) if entry.get("status") == "False"]
    said = [f"{entry.get('reason', '')} {entry.get('message', '')}".strip() for entry in (*waits, *unmet)]
    return "; ".join(word for word in said if word) or "nobody says why"
