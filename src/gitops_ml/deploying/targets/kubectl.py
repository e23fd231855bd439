"""kubectl, called as a person would call it: on the cluster that its own configuration names."""

import json
import re
import selectors
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gitops_ml.deploying import program
from gitops_ml.errors import ContainerError

# Seconds until we give up: on an answer of the cluster, and on a way into one of its pods.
QUICK, FORWARD = 60, 30
FORWARDED = re.compile(r"Forwarding from 127\.0\.0\.1:(\d+)")
# Whose fields these are: what another tool set by hand is set back.
APPLY = ("apply", "--server-side", "--field-manager=gitops", "--force-conflicts")


@dataclass(frozen=True)
class Kubectl:
    """One namespace of the cluster. Whatever the cluster does not do is a ContainerError."""

    namespace: str

    def apply(self, folder: Path) -> None:
        """Make the cluster hold what a kustomization says."""
        self.call(*APPLY, "--kustomize", str(folder))

    def find(self, kind: str, name: str) -> dict[str, Any] | None:
        """One object; None where there is none of this name."""
        told = self.call("get", kind, name, "--ignore-not-found", "--output=json")
        return json.loads(told) if told.strip() else None

    def each(self, kind: str, label: str) -> list[dict[str, Any]]:
        """Every object with this label, oldest first."""
        told = json.loads(self.call("get", kind, f"--selector={label}", "--output=json"))["items"]
        return sorted(told, key=lambda item: str(item["metadata"].get("creationTimestamp", "")))

    def forward(self, pod: str, port: int) -> tuple[str, "subprocess.Popen[str]"]:
        """A way into a pod from this machine: its address, and the process that keeps it open."""
        process = subprocess.Popen(
            self._command("port-forward", f"pod/{pod}", f":{port}", "--address=127.0.0.1"),
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True,
        )  # fmt: skip
        assert process.stdout  # noqa: S101 (it was asked for)
        with selectors.DefaultSelector() as waiting:
            waiting.register(process.stdout, selectors.EVENT_READ)
            line = process.stdout.readline() if waiting.select(FORWARD) else ""
        found = FORWARDED.match(line)
        if found is None:
            process.kill()
            said = process.communicate()[1].strip() or "it said nothing"
            raise ContainerError(f"`kubectl port-forward` to {pod} failed: {said}", "Look at the pod, and try again.")
        return f"http://127.0.0.1:{found[1]}", process

    def call(self, *arguments: str, seconds: int = QUICK) -> str:
        """What a command of kubectl printed."""
        shown = f"kubectl {' '.join(part for part in arguments[:2] if not part.startswith('-'))}"
        look = "Look at the cluster and the way to it."
        return program.call(self._command(*arguments), shown, seconds, look, "Install it where this command runs.")

    def _command(self, *arguments: str) -> list[str]:
        return ["kubectl", f"--namespace={self.namespace}", *arguments]
