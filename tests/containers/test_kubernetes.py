"""The manifests of a cluster: rendered, validated against Kubernetes' own schemas, and run with podman."""

import json
import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import kubernetes_validate  # type: ignore[import-untyped]
import pytest
import yaml

from images import Image
from repositories import GENERATED, run

WRITE = Path(__file__).with_name("manifests.py")
DIGEST = "sha256:" + "ab" * 32
TOML = """
[targets.production]
kind = "kubernetes"
namespace = "models"
replicas = 3
ready_seconds = 90
"""
VERSIONS = ("1.29", "1.30", "1.31", "1.32", "1.33", "1.34", "1.35", "1.36", "1.37")
KINDS = {"Deployment", "Service", "PodDisruptionBudget", "HorizontalPodAutoscaler", "NetworkPolicy", "ServiceAccount"}
# Settings of podman 4 without systemd, and without permission to raise limits.
PODMAN = """[containers]
default_ulimits = ["nofile=20000:20000", "nproc=20000:20000"]
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
"""


def render(repository: Path, root: Path, rollout: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """Render the manifests for the cluster, for the pod of the smoke test, and for Argo CD.

    Args:
        repository: Repository whose Python and manifests are used; it is not changed.
        root: Empty folder instead of its clone.
        rollout: The version.
    """
    shutil.copytree(repository / "deploy", root / "deploy")
    toml = (repository / "model.toml").read_text().partition("[targets.production]")[0] + TOML
    output = run(repository, ".venv/bin/python", str(WRITE), str(root), json.dumps(rollout), toml)
    folders = json.loads(output.splitlines()[-1])
    return {name: list(yaml.safe_load_all(run(repository, "kubectl", "kustomize", folder)))
            for name, folder in folders.items()}  # fmt: skip


@pytest.fixture(scope="module")
def rendered(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[dict[str, Any]]]:
    """The manifests of a version whose image does not exist."""
    version = Image("7", DIGEST, f"registry.example.com/model@{DIGEST}", Path())
    return render(repository, tmp_path_factory.mktemp("rendered"), version.rollout)


def one(documents: Sequence[dict[str, Any]], kind: str) -> dict[str, Any]:
    """Return the only manifest of a kind."""
    (found,) = [document for document in documents if document["kind"] == kind]
    return found


@pytest.mark.parametrize("version", VERSIONS)
def test_every_manifest_is_valid(rendered: dict[str, list[dict[str, Any]]], version: str) -> None:
    """`kubernetes-validate --strict`: a field that Kubernetes does not know is refused."""
    assert {name: len(documents) for name, documents in rendered.items()} == {"serving": 6, "next": 3, "argocd": 6}
    for documents in rendered.values():
        for document in documents:
            kubernetes_validate.validate(document, version, strict=True)


def test_validation_refuses_an_unknown_field(rendered: dict[str, list[dict[str, Any]]]) -> None:
    """The test above relies on this."""
    deployment = json.loads(json.dumps(one(rendered["serving"], "Deployment")))
    deployment["spec"]["template"]["spec"]["containers"][0]["readOnlyRootFilesystem"] = True
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(deployment, VERSIONS[-1], strict=True)


def test_the_newest_kubernetes_is_among_the_versions() -> None:
    """A new release of the validator brings a new version of Kubernetes, which must be tested too."""
    assert kubernetes_validate.latest_version() == VERSIONS[-1] + ".0"


@pytest.mark.parametrize("environment", ["production", "staging"])
def test_the_folder_of_an_environment_is_valid_by_itself(environment: str) -> None:
    """Users add their resources to it."""
    folder = GENERATED / "deploy/kubernetes" / environment
    documents = list(yaml.safe_load_all(run(GENERATED, "kubectl", "kustomize", str(folder))))
    assert {document["kind"] for document in documents} == KINDS
    for document in documents:
        kubernetes_validate.validate(document, VERSIONS[-1], strict=True)


def test_argocd_syncs_the_same_manifests(rendered: dict[str, list[dict[str, Any]]]) -> None:
    """Both lead to the same state; Argo CD detects changes itself, and no digest of the token is in Git."""
    applied = json.loads(json.dumps(rendered["serving"]))
    deployment = one(applied, "Deployment")
    for each in (deployment, deployment["spec"]["template"]):
        assert re.fullmatch(r"[0-9a-f]{12}", each["metadata"]["annotations"].pop("gitops/settings"))
    assert rendered["argocd"] == applied


def test_everything_of_an_environment_is_selected_by_its_labels(rendered: dict[str, list[dict[str, Any]]]) -> None:
    """Service, autoscaler, budget, policy and spread select these pods, and no other environment's."""
    documents = rendered["serving"]
    deployment = one(documents, "Deployment")
    pod = deployment["spec"]["template"]
    labels = {"app.kubernetes.io/name": "serving", "app.kubernetes.io/instance": "tumour-screening-production"}
    assert labels.items() <= pod["metadata"]["labels"].items()
    selectors = [
        deployment["spec"]["selector"]["matchLabels"], one(documents, "Service")["spec"]["selector"],
        one(documents, "PodDisruptionBudget")["spec"]["selector"]["matchLabels"],
        one(documents, "NetworkPolicy")["spec"]["podSelector"]["matchLabels"],
        pod["spec"]["topologySpreadConstraints"][0]["labelSelector"]["matchLabels"],
    ]  # fmt: skip
    assert selectors == [labels] * len(selectors)
    assert one(documents, "HorizontalPodAutoscaler")["spec"]["scaleTargetRef"]["name"] == deployment["metadata"]["name"]
    assert pod["spec"]["serviceAccountName"] == one(documents, "ServiceAccount")["metadata"]["name"]
    assert {document["metadata"]["namespace"] for document in documents} == {"models"}


def test_no_request_reaches_the_pod_of_the_smoke_test(rendered: dict[str, list[dict[str, Any]]]) -> None:
    """Neither the Service's selector nor the Deployment's matches it, and it has no Service."""
    trial = one(rendered["next"], "Deployment")["spec"]["template"]["metadata"]["labels"]
    for selector in (
        one(rendered["serving"], "Service")["spec"]["selector"],
        one(rendered["serving"], "Deployment")["spec"]["selector"]["matchLabels"],
    ):
        assert not selector.items() <= trial.items()
    assert {document["kind"] for document in rendered["next"]} == {"Deployment", "NetworkPolicy", "ServiceAccount"}


def test_a_pod_has_only_the_privileges_it_needs(rendered: dict[str, list[dict[str, Any]]]) -> None:
    """The settings of the Pod Security Standard "restricted", a read-only root, and no token."""
    for name in ("serving", "next"):
        spec = one(rendered[name], "Deployment")["spec"]["template"]["spec"]
        (container,) = spec["containers"]
        assert spec["securityContext"] == {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
        assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
        assert container["securityContext"]["readOnlyRootFilesystem"]
        assert not container["securityContext"]["allowPrivilegeEscalation"]
        assert spec["automountServiceAccountToken"] is False
        assert one(rendered[name], "ServiceAccount")["automountServiceAccountToken"] is False
        assert set(container["resources"]) == {"requests", "limits"}
        assert one(rendered[name], "NetworkPolicy")["spec"]["egress"] == []


def test_a_rollout_stops_no_pod_before_another_is_ready(rendered: dict[str, list[dict[str, Any]]]) -> None:
    """Only the autoscaler sets the number of replicas."""
    deployment = one(rendered["serving"], "Deployment")["spec"]
    assert deployment["strategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}
    assert "replicas" not in deployment
    assert one(rendered["serving"], "HorizontalPodAutoscaler")["spec"]["minReplicas"] == 3
    pod = deployment["template"]["spec"]
    leaves = re.findall(r"\d+", pod["containers"][0]["lifecycle"]["preStop"]["exec"]["command"][-1])[-1]
    assert pod["terminationGracePeriodSeconds"] > int(leaves) + 30  # ... than the longest request


@dataclass(frozen=True)
class Podman:
    """podman in a separate network namespace, which is removed with all of podman's changes.

    Attributes:
        folder: Folder of its storage.
        network: Name of the network namespace.
    """

    folder: Path
    network: str

    def __call__(self, *arguments: str) -> str:
        """Run a command of podman in its network."""
        return self.inside("podman", *self._kept(), *arguments)

    def pull(self, image: str) -> None:
        """Pull an image over the machine's network, where the registry is."""
        run(self.folder, "podman", *self._kept(), "pull", "--quiet", "--tls-verify=false", image, env=self._env())

    def inside(self, *command: str) -> str:
        """Run a program in podman's network."""
        return run(self.folder, "nsenter", f"--net=/run/netns/{self.network}", *command, env=self._env())

    def _kept(self) -> list[str]:
        return ["--root", str(self.folder / "root"), "--runroot", str(self.folder / "run")]

    def _env(self) -> dict[str, str]:
        return {"CONTAINERS_CONF": str(self.folder / "containers.conf")}


@pytest.fixture
def podman() -> Iterator[Podman]:
    """podman with separate storage, which is removed."""
    name = f"gitops{os.getpid()}"
    # Not pytest's folder: podman wants a short one.
    with tempfile.TemporaryDirectory(prefix="podman") as folder, ExitStack() as stack:
        made = Podman(Path(folder), name)
        (made.folder / "containers.conf").write_text(PODMAN)
        run(made.folder, "ip", "netns", "add", name)
        stack.callback(run, made.folder, "ip", "netns", "delete", name)
        made.inside("ip", "link", "set", "lo", "up")
        stack.callback(made, "rmi", "--all", "--force")
        stack.callback(made, "pod", "rm", "--all", "--force")
        yield made


def test_deployment_and_service_run(
    repository: Path, images: tuple[Image, Image], podman: Podman, tmp_path: Path
) -> None:
    """`podman kube play` of the rendered manifests, with the real image: it becomes ready and predicts as recorded."""
    image = images[0]
    documents = [document for document in render(repository, tmp_path, image.rollout)["serving"]
                 if document["kind"] in {"Deployment", "Service"}]  # fmt: skip
    play = podman.folder / "play.yaml"
    play.write_text(yaml.safe_dump_all(documents))
    podman.pull(image.reference)
    podman("kube", "play", str(play))
    try:
        body, predictions = image.recorded
        response = json.loads(_ask(podman, body))
        assert response["predictions"] == predictions
        assert response["version"] == image.version
        (name,) = [line for line in podman("ps", "--format", "{{.Names}}").split() if line.endswith("-serving")]
        status = podman("exec", name, "python", "-c", "print(open('/proc/1/status').read())")
        assert re.search(r"^Uid:\s+10001\s", status, re.MULTILINE)
        assert re.search(r"^CapBnd:\s+0+$", status, re.MULTILINE)
        assert re.search(r"^NoNewPrivs:\s+1$", status, re.MULTILINE)
        assert re.search(r"^Seccomp:\s+2$", status, re.MULTILINE)
        assert json.loads(podman("inspect", name))[0]["HostConfig"]["ReadonlyRootfs"]
    finally:
        podman("kube", "down", str(play))


def _ask(podman: Podman, body: str) -> str:
    """Send a request from inside its network once it is ready."""
    (podman.folder / "body.json").write_text(body)
    url, until = "http://127.0.0.1:8080", time.monotonic() + 60
    ready = ["curl", "--silent", "--fail", "--output", "/dev/null", f"{url}/health/ready"]
    while subprocess.run(["nsenter", f"--net=/run/netns/{podman.network}", *ready], check=False).returncode:
        assert time.monotonic() < until, podman("ps", "--all")
        time.sleep(0.2)
    return podman.inside("curl", "--silent", "--header", "Content-Type: application/json", "--data", "@body.json",
                         f"{url}/predict")  # fmt: skip
