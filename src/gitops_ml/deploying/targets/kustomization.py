"""Kustomizations: the names, the image and the time limits that a version adds to deploy/kubernetes."""

import hashlib
import json
import re
from pathlib import Path
from typing import Any

from gitops_ml.config import Config
from gitops_ml.deploying.target import Rollout
from gitops_ml.errors import ContainerError
from gitops_ml.prediction_log import SMOKE_TEST
from gitops_ml.secrets import SERVER_SECRETS

FILE = "kustomization.yaml"
MANIFESTS = "deploy/kubernetes"
INSTANCE = "app.kubernetes.io/instance"
DIGEST, SETTINGS = "gitops/digest", "gitops/settings"
NEXT = "next"
# Keys of the Secret in the cluster, in the order of SERVER_SECRETS.
KEYS = ("token", "outcomes-token", "log-key")
# Name of all resources in the base.
BASE = "serving"
MAX_LENGTH = 63 - len(f"-{NEXT}-{BASE}")
# Seconds until no node sends requests to a terminating pod, and for uvicorn to end after the last request.
DRAINING, ENDING = 5, 15


def resource_prefix(model: str, environment: str) -> str:
    """Return the prefix of an environment's resource names in the cluster, which is valid in Kubernetes.

    If the name had to be changed to be valid, a hash is appended, so that two different names stay different.

    Args:
        model: Name of the registered model.
        environment: Name of the environment.
    """
    original = f"{model}-{environment}"
    valid = re.sub(r"[^a-z0-9]+", "-", original.lower()).strip("-")
    valid = valid if valid[0].isalpha() else f"m-{valid}"
    if valid == original and len(valid) <= MAX_LENGTH and not valid.endswith(f"-{NEXT}"):
        return valid
    suffix = hashlib.sha256(original.encode()).hexdigest()[:6]
    return f"{valid[: MAX_LENGTH - 7].rstrip('-')}-{suffix}"


def kustomization_base(root: Path, environment: str) -> str:
    """Return the folder that a version's kustomization extends: the environment's own, or else the base.

    Args:
        root: Root folder of the repository.
        environment: Name of the environment.
    """
    own = f"{MANIFESTS}/{environment}"
    return own if (root / own / FILE).is_file() else f"{MANIFESTS}/base"


def render_kustomization(
    rollout: Rollout, config: Config, base: str, *, for_smoke_test: bool = False, settings: str = ""
) -> str:  # fmt: skip
    """Return the text of a kustomization that runs a version, in JSON, which is valid YAML.

    Args:
        rollout: The version.
        config: Configuration with the target's namespace, replicas and time limit.
        base: Folder to extend, relative to the folder of the text.
        for_smoke_test: Run a single pod to which no Service sends callers.
        settings: Digest of the settings, as an annotation; another digest starts new pods.

    Raises:
        ContainerError: The version has no image.
    """
    if rollout.image is None:
        raise ContainerError(
            f"Version {rollout.version} has no image, which a cluster needs.",
            "Run `gitops image` for it, or train again: the workflow builds one before it proposes a version.",
        )
    repository, digest = rollout.image.split("@")
    prefix = resource_prefix(rollout.model, rollout.environment)
    instance = f"{prefix}-{NEXT}" if for_smoke_test else prefix
    target = config.target(rollout.environment)
    removals = [_remove(kind) for kind in ("Service", "PodDisruptionBudget", "HorizontalPodAutoscaler")]
    content = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": [base],
        "namespace": target.namespace,
        "namePrefix": f"{instance}-",
        "labels": [
            {"includeSelectors": True, "pairs": {INSTANCE: instance}},
            {"includeTemplates": True, "pairs": {"app.kubernetes.io/version": rollout.release}},
        ],
        "images": [{"name": BASE, "newName": repository, "digest": digest}],
        "patches": [
            _patch(
                "Deployment", _deployment(rollout, config, f"{prefix}-token", settings, for_smoke_test=for_smoke_test)
            ),
            *(removals if for_smoke_test else [_patch("HorizontalPodAutoscaler", _replicas(target.replicas))]),
        ],
    }
    return json.dumps(content, indent=2) + "\n"


def _deployment(
    rollout: Rollout, config: Config, secret: str, settings: str, *, for_smoke_test: bool
) -> dict[str, Any]:
    """Return the parts of the Deployment that differ between versions."""
    env: list[dict[str, Any]] = [{"name": key, "value": value} for key, value in rollout.variables.items()]
    env += [{"name": SMOKE_TEST, "value": "1"}] if for_smoke_test else []
    env += [{"name": key, "valueFrom": {"secretKeyRef": {"name": secret, "key": secret_key, "optional": True}}}
            for key, secret_key in zip(SERVER_SECRETS, KEYS, strict=True)]  # fmt: skip
    ready_seconds = config.target(rollout.environment).ready_seconds
    container = {"name": BASE, "env": env, "startupProbe": {"failureThreshold": ready_seconds}}
    metadata = {"annotations": {DIGEST: rollout.digest, **({SETTINGS: settings} if settings else {})}}
    grace = DRAINING + config.serving.timeout_seconds + ENDING
    pod = {"terminationGracePeriodSeconds": grace, "containers": [container]}
    return {"metadata": metadata, "spec": {"progressDeadlineSeconds": ready_seconds + 60,
                                         "template": {"metadata": metadata, "spec": pod}}}  # fmt: skip


def _replicas(minimum: int) -> dict[str, Any]:
    """Return the minimum of model.toml; the maximum is that of the manifests (10), unless the minimum is larger."""
    return {"spec": {"minReplicas": minimum, **({"maxReplicas": minimum} if minimum > 10 else {})}}


def _patch(kind: str, change: dict[str, Any]) -> dict[str, Any]:
    patch = {**change, "kind": kind, "metadata": {"name": BASE, **change.get("metadata", {})}}
    return {"target": {"kind": kind, "name": BASE}, "patch": json.dumps(patch)}


def _remove(kind: str) -> dict[str, Any]:
    return _patch(kind, {"$patch": "delete"})
