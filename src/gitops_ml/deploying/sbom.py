"""The software bill of materials (SBOM) of an image, in CycloneDX: the model, and the packages that its lock pins."""

import json
import platform
import re
import uuid
from typing import Any

from packaging.markers import default_environment
from packaging.requirements import Requirement

from gitops_ml.run import Run

PINNED = re.compile(r"^[A-Za-z0-9][^\n\\]*", re.MULTILINE)
# Python's names of processors on Linux, by the names of other systems.
PROCESSORS = {"arm64": "aarch64", "AMD64": "x86_64"}


def render_sbom(run: Run, version: str, digest: str, lock: str) -> str:
    """Return the SBOM as JSON; the same version and lock give the same text.

    Args:
        run: Run document of the version.
        version: Registry version number.
        digest: Digest of the version's files.
        lock: Text of requirements/serve.txt and the pin of this library. Pins for other systems are left out.
    """
    model = {
        "type": "machine-learning-model", "bom-ref": "model", "name": run.model, "version": version,
        "hashes": [{"alg": "SHA-256", "content": digest.removeprefix("sha256:")}],
    }  # fmt: skip
    packages = [_package(requirement) for requirement in _pinned_requirements(lock, run.lineage.python)]
    refs = [package["bom-ref"] for package in packages]
    content = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": uuid.uuid5(uuid.NAMESPACE_URL, f"{digest} {lock}").urn,
        "version": 1,
        "metadata": {"timestamp": run.created, "component": model},
        "components": packages,
        "dependencies": [{"ref": "model", "dependsOn": refs}, *({"ref": ref} for ref in refs)],
    }
    return json.dumps(content, indent=2) + "\n"


def _pinned_requirements(lock: str, python: str) -> list[Requirement]:
    """Return the requirements that the lock pins for a Python version on Linux."""
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
