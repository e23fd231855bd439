"""A fake kubectl: a program of that name that reads and writes one JSON file as a cluster's state.

It supports only the commands that the target uses. There is no scheduling and no network, and each pod is in the state
that the test sets.
"""

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pytest

INSTANCE = "app.kubernetes.io/instance"
FILE = "GITOPS_TEST_CLUSTER"
State = dict[str, Any]
CONTAINER_STATUSES = {
    "running": {"ready": True, "restartCount": 0, "state": {"running": {}}},
    "crashing": {"ready": False, "restartCount": 3, "state": {"waiting": {"reason": "CrashLoopBackOff"}}},
    "unpulled": {
        "ready": False,
        "restartCount": 0,
        "state": {"waiting": {"reason": "ImagePullBackOff", "message": "no such digest"}},
    },
}
# Status of pods that the cluster removes; their containers end too.
ENDED = [{"ready": False, "restartCount": 0, "state": {"terminated": {"exitCode": 137}}}]
DISRUPTED_STATUSES = {
    "evicted": {"phase": "Failed", "reason": "Evicted", "message": "The node was low on memory.",
                "containerStatuses": ENDED},
    "preempted": {"phase": "Running", "containerStatuses": ENDED,
                  "conditions": [{"type": "DisruptionTarget", "status": "True", "reason": "PreemptionByScheduler"}]},
}  # fmt: skip


class FakeCluster:
    """The cluster's state, for tests to read and change."""

    def __init__(self, folder: Path, patch: "pytest.MonkeyPatch") -> None:
        """Write the program to a folder, and put the folder first on PATH."""
        self._file = folder / "cluster.json"
        self.set(deployments={}, pods={}, calls=[], pod="running", rollout=True)
        program = folder / "kubectl"
        program.write_text(f"#!{sys.executable} -IS\nimport runpy\nrunpy.run_path({__file__!r}, run_name='__main__')\n")
        program.chmod(0o755)
        patch.setenv(FILE, str(self._file))
        patch.setenv("PATH", str(folder), prepend=os.pathsep)

    @property
    def state(self) -> State:
        """Current state."""
        state: State = json.loads(self._file.read_text())
        return state

    def set(self, **values: Any) -> None:
        """Change the state. `pod` is the state of new pods; `rollout` is False if a rollout never completes."""
        before = self.state if self._file.exists() else {}
        self._file.write_text(json.dumps({**before, **values}))


def apply(state: State, folder: str) -> str:
    """Create the Deployment of a kustomization with one pod; keep the previous one for `rollout undo`."""
    kustomization = json.loads((Path(folder) / "kustomization.yaml").read_text())
    patch = json.loads(kustomization["patches"][0]["patch"])
    annotations, image = patch["metadata"]["annotations"], kustomization["images"][0]
    digest = annotations["gitops/digest"]
    name = f"{kustomization['namePrefix']}serving"
    instance = kustomization["labels"][0]["pairs"][INSTANCE]
    before = state["deployments"].get(name)
    deployment = {"digest": digest, "image": f"{image['newName']}@{image['digest']}", "instance": instance,
                  "before": before, "annotations": annotations}  # fmt: skip
    if before is None or before["annotations"] != annotations:
        state["deployments"][name] = deployment
        state["pods"][f"{name}-{digest[7:12]}"] = {"digest": digest, "instance": instance, "state": state["pod"]}
    return ""


def get(state: State, kind: str, *arguments: str) -> str:
    """Return one object or a list, as kubectl prints them."""
    if kind == "deployment":
        deployment = state["deployments"].get(arguments[0])
        return json.dumps(_deployment(deployment, state["rollout"])) if deployment else ""
    if kind == "pod":
        return json.dumps(_pod(arguments[0], state["pods"][arguments[0]])) if arguments[0] in state["pods"] else ""
    instance = arguments[0].split("=")[-1]
    pods = [_pod(name, pod) for name, pod in state["pods"].items() if pod["instance"] == instance]
    return json.dumps({"items": pods})


def rollout(state: State, verb: str, name: str, *arguments: str) -> str:
    """Wait for a rollout, or undo it."""
    name = name.removeprefix("deployment/")
    if verb == "undo":
        state["deployments"][name] = state["deployments"][name]["before"]
        state["rollout"] = True
    elif not state["rollout"]:
        raise SystemExit(f"error: deployment {name!r} exceeded its progress deadline")
    return ""


def delete(state: State, kinds: str, selector: str, *arguments: str) -> str:
    """Delete all objects with a label."""
    instance = selector.split("=")[-1]
    for kind in ("deployments", "pods"):
        state[kind] = {name: entry for name, entry in state[kind].items() if entry["instance"] != instance}
    return ""


def logs(state: State, pod: str, *arguments: str) -> str:
    """Return the output of a pod; one that is running has no previous container."""
    if "--previous" in arguments and state["pods"][pod]["state"] == "running":
        raise SystemExit("error: previous terminated container not found")
    return f"{pod} printed something\n"


def forward_port() -> None:
    """Print the address, and wait."""
    print("Forwarding from 127.0.0.1:4321 -> 8080", flush=True)
    time.sleep(600)


def _deployment(entry: State, complete: bool) -> State:
    pod = {"metadata": {"annotations": entry["annotations"]},
           "spec": {"containers": [{"image": entry["image"]}]}}  # fmt: skip
    status = {"observedGeneration": 1, "replicas": 2, "updatedReplicas": 2 if complete else 1, "availableReplicas": 2}
    return {"metadata": {"generation": 1}, "spec": {"template": pod}, "status": status}


def _pod(name: str, entry: State) -> State:
    metadata = {"name": name, "annotations": {"gitops/digest": entry["digest"]}}
    if entry["state"] in DISRUPTED_STATUSES:
        return {"metadata": metadata, "status": DISRUPTED_STATUSES[entry["state"]]}
    return {"metadata": metadata, "status": {"containerStatuses": [CONTAINER_STATUSES[entry["state"]]]}}


def main() -> None:
    """Run one command."""
    arguments = [part for part in sys.argv[1:] if not part.startswith("--namespace=")]
    commands: dict[str, Callable[..., str]] = {"get": get, "rollout": rollout, "delete": delete, "logs": logs}
    file = Path(os.environ[FILE])
    state = json.loads(file.read_text())
    verb, *rest = arguments
    state["calls"].append(" ".join([verb, *(part for part in rest[:1] if not part.startswith("-"))]))
    file.write_text(json.dumps(state))
    if verb == "port-forward":
        forward_port()
    output = apply(state, rest[-1]) if verb == "apply" else commands[verb](state, *rest)
    file.write_text(json.dumps(state))
    print(output)


if __name__ == "__main__":
    main()
