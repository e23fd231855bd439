"""The bill of materials of an image, as CycloneDX has it: the model, and every package that its lock pins."""

import json
import platform
import re
import uuid
from typing import Any

from packaging.markers import default_environment
from packaging.requirements import Requirement

from gitops_ml.run import Run

PINNED = re.compile(r"^[A-Za-z0-9][^\n\\]*", re.MULTILINE)
# As Python calls processors on Linux, whatever the machine that builds calls them.
PROCESSORS = {"arm64": "aarch64", "AMD64": "x86_64"}


def bill(described: Run, version: str, digest: str, lock: str) -> str:
    """The bill as JSON; for the same version and lock, the same text.

    Args:
        described: What the version says of itself.
        version: The registry's number.
        digest: Of its files.
        lock: requirements/serve.txt and the pin of this library; what they pin for other systems is left out.
    """
    model = {
        "type": "machine-learning-model", "bom-ref": "model", "name": described.model, "version": version,
        "hashes": [{"alg": "SHA-256", "content": digest.removeprefix("sha256:")}],
    }  # fmt: skip
    packages = [_package(requirement) for requirement in _pinned(lock, described.lineage.python)]
    refs = [package["bom-ref"] for package in packages]
    content = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": uuid.uuid5(uuid.NAMESPACE_URL, f"{digest} {lock}").urn,
        "version": 1,
        "metadata": {"timestamp": described.created, "component": model},
        "components": packages,
        "dependencies": [{"ref": "model", "dependsOn": refs}, *({"ref": ref} for ref in refs)],
    }
    return json.dumps(content, indent=2) + "\n"


def _pinned(lock: str, python: str) -> list[Requirement]:
    """What the lock pins for this Python on Linux."""
    machine = PROCESSORS.get(platform.machine(), platform.machine())
    environment = {key: str(value) for key, value in default_environment().items()} | {
        "python_version": ".".join(python.split(".")[:2]), "python_full_version": python,
        "implementation_version": python, "sys_platform": "linux", "platform_system": "Linux", "os_name": "posix",
        "platform_machine": machine,
    }  # fmt: skip
    requirements = [Requirement(line.partition(" --hash")[0].strip()) for line in PINNED.findall(lock)]
    return [each for each in requirements if each.marker is None or each.marker.evaluate(environment)]


def _package(requirement: Requirement) -> dict[str, Any]:
    version = next(iter(requirement.specifier)).version
    purl = f"pkg:pypi/{requirement.name}@{version}"
    return {"type": "library", "bom-ref": purl, "name": requirement.name, "version": version, "purl": purl}
