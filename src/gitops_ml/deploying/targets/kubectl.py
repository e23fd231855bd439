"""kubectl, called by its command line, for the cluster in kubectl's own configuration."""

import json
import re
import selectors
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gitops_ml.deploying import external_command
from gitops_ml.errors import ContainerError

# Time limits in seconds: for a response of the cluster, and for the start of a port forwarding.
QUICK, FORWARD = 60, 30
FORWARDED = re.compile(r"Forwarding from 127\.0\.0\.1:(\d+)")
# gitops owns these fields: changes by other tools are reverted.
APPLY = ("apply", "--server-side", "--field-manager=gitops", "--force-conflicts")


@dataclass(frozen=True)
class Kubectl:
    """One namespace of the cluster. A failure is a ContainerError.

    Attributes:
        namespace: Name of the namespace.
    """

    namespace: str

    def apply(self, folder: Path) -> None:
        """Apply a kustomization to the cluster.

        Args:
            folder: Folder with the kustomization.
        """
        self.call(*APPLY, "--kustomize", str(folder))

    def get_object(self, kind: str, name: str) -> dict[str, Any] | None:
        """Return an object; None if there is none of this name.

        Args:
            kind: Kind of the object.
            name: Name of the object.
        """
        output = self.call("get", kind, name, "--ignore-not-found", "--output=json")
        return json.loads(output) if output.strip() else None

    def list_objects(self, kind: str, label: str) -> list[dict[str, Any]]:
        """Return the objects with a label, oldest first.

        Args:
            kind: Kind of the objects.
            label: The label as `name=value`.
        """
        items = json.loads(self.call("get", kind, f"--selector={label}", "--output=json"))["items"]
        return sorted(items, key=lambda item: str(item["metadata"].get("creationTimestamp", "")))

    def forward_port(self, pod: str, port: int) -> tuple[str, "subprocess.Popen[str]"]:
        """Forward a port of this machine to a pod.

        Args:
            pod: Name of the pod.
            port: Port of the pod.

        Returns:
            The URL on this machine, and the process that forwards.

        Raises:
            ContainerError: The forwarding did not start.
        """
        process = subprocess.Popen(
            self._command("port-forward", f"pod/{pod}", f":{port}", "--address=127.0.0.1"),
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True,
        )  # fmt: skip
        assert process.stdout  # noqa: S101 (it was asked for)
        with selectors.DefaultSelector() as selector:
            selector.register(process.stdout, selectors.EVENT_READ)
            line = process.stdout.readline() if selector.select(FORWARD) else ""
        match = FORWARDED.match(line)
        if match is None:
            process.kill()
            output = process.communicate()[1].strip() or "it printed nothing"
            raise ContainerError(f"`kubectl port-forward` to {pod} failed: {output}", "Check the pod, and try again.")
        return f"http://127.0.0.1:{match[1]}", process

    def call(self, *arguments: str, seconds: int = QUICK) -> str:
        """Run a kubectl command.

        Args:
            *arguments: Arguments of kubectl.
            seconds: Time limit.

        Returns:
            Output of the command.

        Raises:
            ContainerError: kubectl is not installed, took too long, or failed.
        """
        shown = f"kubectl {' '.join(part for part in arguments[:2] if not part.startswith('-'))}"
        return external_command.run_command(
            self._command(*arguments), shown, seconds, "Check the cluster and the network.",
            "Install it on the machine where this command runs.",
        )  # fmt: skip

    def _command(self, *arguments: str) -> list[str]:
        return ["kubectl", f"--namespace={self.namespace}", *arguments]
