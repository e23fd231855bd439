"""What a version adds to the manifests in deploy/kubernetes: names, image, and how long things may take."""

import hashlib
import json
import re
from pathlib import Path
from typing import Any

from gitops_ml.config import Config
from gitops_ml.deploying.target import Rollout
from gitops_ml.errors import ContainerError
from gitops_ml.logged import TRIAL
from gitops_ml.private import OF_SERVERS

FILE = "kustomization.yaml"
MANIFESTS = "deploy/kubernetes"
INSTANCE = "app.kubernetes.io/instance"
DIGEST, SETTINGS = "gitops/digest", "gitops/settings"
NEXT = "next"
# Of a cluster's own Secret, in the order of what a server is given.
KEYS = ("token", "outcomes-token", "log-key")
# What everything in the base is called.
BASE = "serving"
LONGEST = 63 - len(f"-{NEXT}-{BASE}")
# Seconds: until no node sends requests to a pod that leaves, and what uvicorn may take beyond the last request.
LEAVING, ENDING = 5, 15


def name(model: str, environment: str) -> str:
    """What the names of one environment begin with in the cluster: as Kubernetes likes names.

    A name that had to be changed carries a mark, so that two that differ stay two.
    """
    said = f"{model}-{environment}"
    plain = re.sub(r"[^a-z0-9]+", "-", said.lower()).strip("-")
    plain = plain if plain[0].isalpha() else f"m-{plain}"
    if plain == said and len(plain) <= LONGEST and not plain.endswith(f"-{NEXT}"):
        return plain
    mark = hashlib.sha256(said.encode()).hexdigest()[:6]
    return f"{plain[: LONGEST - 7].rstrip('-')}-{mark}"


def layer(root: Path, environment: str) -> str:
    """The folder that a version is put on top of: the environment's own, or else the base."""
    own = f"{MANIFESTS}/{environment}"
    return own if (root / own / FILE).is_file() else f"{MANIFESTS}/base"


def kustomization(
    wanted: Rollout, config: Config, under: str, *, beside: bool = False, settings: str = ""
) -> str:  # fmt: skip
    """The text of a kustomization that runs a version; JSON, as everything that commands write, which YAML includes.

    Args:
        wanted: The version.
        config: Whose target table has namespace, replicas and patience.
        under: The folder that it is put on top of, seen from where the text will lie.
        beside: A single pod that no Service sends callers to, so that it can be asked before it may serve.
        settings: Their mark, where somebody will ask for it; a new one is a new rollout.

    Raises:
        ContainerError: The version has no image.
    """
    if wanted.image is None:
        raise ContainerError(
            f"Version {wanted.version} has no image, and a cluster runs nothing else.",
            "Run `gitops image` for it, or train again: the workflow builds one before it proposes a version.",
        )
    repository, digest = wanted.image.split("@")
    own = name(wanted.model, wanted.environment)
    named = f"{own}-{NEXT}" if beside else own
    target = config.target(wanted.environment)
    alone = [_removed(kind) for kind in ("Service", "PodDisruptionBudget", "HorizontalPodAutoscaler")]
    said = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": [under],
        "namespace": target.namespace,
        "namePrefix": f"{named}-",
        "labels": [
            {"includeSelectors": True, "pairs": {INSTANCE: named}},
            {"includeTemplates": True, "pairs": {"app.kubernetes.io/version": wanted.release}},
        ],
        "images": [{"name": BASE, "newName": repository, "digest": digest}],
        "patches": [
            _patch("Deployment", _deployment(wanted, config, f"{own}-token", settings, beside=beside)),
            *(alone if beside else [_patch("HorizontalPodAutoscaler", _replicas(target.replicas))]),
        ],
    }
    return json.dumps(said, indent=2) + "\n"


def _deployment(wanted: Rollout, config: Config, secret: str, settings: str, *, beside: bool) -> dict[str, Any]:
    """What differs from version to version inside a Deployment."""
    env: list[dict[str, Any]] = [{"name": key, "value": value} for key, value in wanted.variables.items()]
    env += [{"name": TRIAL, "value": "1"}] if beside else []
    env += [{"name": key, "valueFrom": {"secretKeyRef": {"name": secret, "key": at, "optional": True}}}
            for key, at in zip(OF_SERVERS, KEYS, strict=True)]  # fmt: skip
    patience = config.target(wanted.environment).ready_seconds
    container = {"name": BASE, "env": env, "startupProbe": {"failureThreshold": patience}}
    marked = {"annotations": {DIGEST: wanted.digest, **({SETTINGS: settings} if settings else {})}}
    grace = LEAVING + config.serving.timeout_seconds + ENDING
    pod = {"terminationGracePeriodSeconds": grace, "containers": [container]}
    return {"metadata": marked, "spec": {"progressDeadlineSeconds": patience + 60,
                                         "template": {"metadata": marked, "spec": pod}}}  # fmt: skip


def _replicas(least: int) -> dict[str, Any]:
    """At least as many as model.toml says; the upper bound is the manifests' own, unless it would be below that."""
    return {"spec": {"minReplicas": least, **({"maxReplicas": least} if least > 10 else {})}}


def _patch(kind: str, change: dict[str, Any]) -> dict[str, Any]:
    whole = {**change, "kind": kind, "metadata": {"name": BASE, **change.get("metadata", {})}}
    return {"target": {"kind": kind, "name": BASE}, "patch": json.dumps(whole)}


def _removed(kind: str) -> dict[str, Any]:
    return _patch(kind, {"$patch": "delete"})
