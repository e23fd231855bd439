"""A stand-in for kubectl: a program of that name over one JSON file, which does to it what a cluster would.

It omits everything but what targets ask: no scheduling, no network, and a pod is as the test says.
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
STATES = {
    "running": {"ready": True, "restartCount": 0, "state": {"running": {}}},
    "crashing": {"ready": False, "restartCount": 3, "state": {"waiting": {"reason": "CrashLoopBackOff"}}},
    "unpulled": {
        "ready": False,
        "restartCount": 0,
        "state": {"waiting": {"reason": "ImagePullBackOff", "message": "no such digest"}},
    },
}
# What the cluster does to a pod for reasons of its own; its container ends with it.
ENDED = [{"ready": False, "restartCount": 0, "state": {"terminated": {"exitCode": 137}}}]
TAKEN = {
    "evicted": {"phase": "Failed", "reason": "Evicted", "message": "The node was low on memory.",
                "containerStatuses": ENDED},
    "preempted": {"phase": "Running", "containerStatuses": ENDED,
                  "conditions": [{"type": "DisruptionTarget", "status": "True", "reason": "PreemptionByScheduler"}]},
}  # fmt: skip


class Cluster:
    """What a test sees of it."""

    def __init__(self, folder: Path, patch: "pytest.MonkeyPatch") -> None:
        """Put the program into the folder, which is to come first on PATH."""
        self._file = folder / "cluster.json"
        self.set(deployments={}, pods={}, calls=[], pod="running", rollout=True)
        program = folder / "kubectl"
        program.write_text(f"#!{sys.executable} -IS\nimport runpy\nrunpy.run_path({__file__!r}, run_name='__main__')\n")
        program.chmod(0o755)
        patch.setenv(FILE, str(self._file))
        patch.setenv("PATH", str(folder), prepend=os.pathsep)

    @property
    def state(self) -> State:
        """What it holds."""
        found: State = json.loads(self._file.read_text())
        return found

    def set(self, **values: Any) -> None:
        """Change what it holds, or how it behaves: `pod` is one of STATES, `rollout` whether one ever ends."""
        before = self.state if self._file.exists() else {}
        self._file.write_text(json.dumps({**before, **values}))


def apply(state: State, folder: str) -> str:
    """Hold a Deployment, with one pod for it; the one before is kept for `rollout undo`."""
    said = json.loads((Path(folder) / "kustomization.yaml").read_text())
    patch = json.loads(said["patches"][0]["patch"])
    marks, image = patch["metadata"]["annotations"], said["images"][0]
    digest = marks["gitops/digest"]
    name, instance = f"{said['namePrefix']}serving", said["labels"][0]["pairs"][INSTANCE]
    before = state["deployments"].get(name)
    made = {"digest": digest, "image": f"{image['newName']}@{image['digest']}", "instance": instance, "before": before,
            "marks": marks}  # fmt: skip
    if before is None or before["marks"] != marks:
        state["deployments"][name] = made
        state["pods"][f"{name}-{digest[7:12]}"] = {"digest": digest, "instance": instance, "state": state["pod"]}
    return ""


def get(state: State, kind: str, *arguments: str) -> str:
    """One object or a list, as kubectl prints them."""
    if kind == "deployment":
        found = state["deployments"].get(arguments[0])
        return json.dumps(_deployment(found, state["rollout"])) if found else ""
    if kind == "pod":
        return json.dumps(_pod(arguments[0], state["pods"][arguments[0]])) if arguments[0] in state["pods"] else ""
    wanted = arguments[0].split("=")[-1]
    return json.dumps({"items": [_pod(name, pod) for name, pod in state["pods"].items() if pod["instance"] == wanted]})


def rollout(state: State, verb: str, name: str, *arguments: str) -> str:
    """Wait for a rollout, or take it back."""
    name = name.removeprefix("deployment/")
    if verb == "undo":
        state["deployments"][name] = state["deployments"][name]["before"]
        state["rollout"] = True
    elif not state["rollout"]:
        raise SystemExit(f"error: deployment {name!r} exceeded its progress deadline")
    return ""


def delete(state: State, kinds: str, selector: str, *arguments: str) -> str:
    """Everything with a label."""
    gone = selector.split("=")[-1]
    for kind in ("deployments", "pods"):
        state[kind] = {name: entry for name, entry in state[kind].items() if entry["instance"] != gone}
    return ""


def logs(state: State, pod: str, *arguments: str) -> str:
    """What it wrote in the life before, which only one that ended had."""
    if "--previous" in arguments and state["pods"][pod]["state"] == "running":
        raise SystemExit("error: previous terminated container not found")
    return f"{pod} said something\n"


def forward(state: State, *arguments: str) -> str:
    """Say where, and stay."""
    print("Forwarding from 127.0.0.1:4321 -> 8080", flush=True)
    time.sleep(600)
    return ""


def _deployment(entry: State, complete: bool) -> State:
    pod = {"metadata": {"annotations": entry["marks"]},
           "spec": {"containers": [{"image": entry["image"]}]}}  # fmt: skip
    status = {"observedGeneration": 1, "replicas": 2, "updatedReplicas": 2 if complete else 1, "availableReplicas": 2}
    return {"metadata": {"generation": 1}, "spec": {"template": pod}, "status": status}


def _pod(name: str, entry: State) -> State:
    meta = {"name": name, "annotations": {"gitops/digest": entry["digest"]}}
    if entry["state"] in TAKEN:
        return {"metadata": meta, "status": TAKEN[entry["state"]]}
    return {"metadata": meta, "status": {"containerStatuses": [STATES[entry["state"]]]}}


def main() -> None:
    """One command."""
    arguments = [part for part in sys.argv[1:] if not part.startswith("--namespace=")]
    commands: dict[str, Callable[..., str]] = {"get": get, "rollout": rollout, "delete": delete, "logs": logs}
    file = Path(os.environ[FILE])
    state = json.loads(file.read_text())
    verb, *rest = arguments
    state["calls"].append(" ".join([verb, *(part for part in rest[:1] if not part.startswith("-"))]))
    file.write_text(json.dumps(state))
    if verb == "port-forward":
        forward(state)
    said = apply(state, rest[-1]) if verb == "apply" else commands[verb](state, *rest)
    file.write_text(json.dumps(state))
    print(said)


if __name__ == "__main__":
    main()
