"""Images to deploy: of a generated repository's versions, built by `gitops image`, and of programs such as nginx."""

import json
import os
import re
import subprocess
import tarfile
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from container_engine import ContainerEngine
from hub_fixture import CommandWorker
from repositories import run

NGINX = "/usr/sbin/nginx"
UNPRIVILEGED_UID = 65534


@dataclass(frozen=True)
class Image:
    """A version and its image.

    Attributes:
        version: Registry version number.
        digest: Digest of the version's files.
        reference: Image reference, `repository@sha256:...`.
        files: Folder of the version's files.
    """

    version: str
    digest: str
    reference: str
    files: Path

    @property
    def rollout(self) -> dict[str, Any]:
        """Arguments of a rollout to production, as the library expects them."""
        return {
            "environment": "production", "model": "tumour-screening", "version": self.version, "digest": self.digest,
            "release": f"1.{self.version}.0", "image": self.reference, "commit": None, "files": str(self.files),
        }  # fmt: skip

    @cached_property
    def recorded(self) -> tuple[str, list[str]]:
        """Request with the recorded rows of the training, and their recorded predictions."""
        expected = json.loads((self.files / "expected.json").read_text())
        return json.dumps({"rows": expected["rows"]}), [one["prediction"] for one in expected["predictions"]]


def build_images(prepared: Path, worker: CommandWorker, engine: ContainerEngine, clone: Path) -> tuple[Image, Image]:
    """Build and push versions 1 and 2 with `gitops image`, in a separate clone."""
    run(clone.parent, "cp", "-a", str(prepared / "clone"), str(clone))
    configure_registry(clone / "model.toml", engine)
    one, two = (_image(clone, prepared / "comparisons" / number, worker, engine) for number in "12")
    return one, two


def configure_registry(toml: Path, engine: ContainerEngine) -> None:
    """Set the registry and the base image of the tests in a model.toml."""
    text = re.sub(r"^(# )?base = .*$", f'base = "{engine.base}"', toml.read_text(), flags=re.MULTILINE)
    toml.write_text(re.sub(r"^# repository = .*$", f'repository = "{engine.registry}/model"', text, flags=re.MULTILINE))


def _image(clone: Path, comparison: Path, worker: CommandWorker, engine: ContainerEngine) -> Image:
    challenger = json.loads((comparison / "comparison.json").read_text())["challenger"]
    outputs = clone.parent / "outputs"
    env = {**engine.environment, "GITHUB_OUTPUT": str(outputs)}
    worker.must(clone, "image", "--version", challenger["version"], "--digest", challenger["digest"], env=env)
    reference = re.findall(r"^image=(.*)$", outputs.read_text(), re.MULTILINE)[-1]
    files = next((clone / ".gitops" / "versions").glob(f"{challenger['version']}-*"))
    return Image(challenger["version"], challenger["digest"], reference, files)


def build_nginx_image(engine: ContainerEngine) -> str:
    """Build and push an image of this machine's nginx, and return its reference."""
    return build_program_image(engine, "nginx", {NGINX: NGINX}, "ENV PATH=/usr/sbin")


def build_program_image(
    engine: ContainerEngine, name: str, contents: dict[str, str], change: str, *, owned_folder: str = ""
) -> str:
    """Build and push an image of this machine's programs, and return its reference.

    Args:
        engine: Engine and registry.
        name: Name of the image.
        contents: Path of each program or file in the image, and its path on this machine; libraries are added.
        change: Dockerfile instruction that `docker import` applies.
        owned_folder: Folder that belongs to the unprivileged user 65534.
    """
    output = "".join(
        subprocess.run(["ldd", source], check=True, capture_output=True, text=True).stdout
        for source in contents.values()
        if os.access(source, os.X_OK)
    )
    files = {part: part for part in output.split() if part.startswith("/")} | contents
    system = engine.folder / f"{name}.tar"
    with tarfile.open(system, "w") as archive:
        for target, source in files.items():
            archive.add(os.path.realpath(source), arcname=target.lstrip("/"))
        if owned_folder:
            folder = tarfile.TarInfo(owned_folder.lstrip("/"))
            folder.type, folder.mode, folder.uid, folder.gid = (
                tarfile.DIRTYPE,
                0o755,
                UNPRIVILEGED_UID,
                UNPRIVILEGED_UID,
            )
            archive.addfile(folder)
    tag = f"{engine.registry}/{name}:test"
    engine.docker("import", "--change", change, str(system), tag)
    return f"{engine.registry}/{name}@{push_image(engine, tag)}"


def push_image(engine: ContainerEngine, name: str) -> str:
    """Push an image, and return its digest."""
    return engine.docker("push", name).split("digest: ")[1].split()[0]
