"""Images to deploy: of a generated repository's versions, made by `gitops image`, and of nginx."""

import json
import os
import re
import subprocess
import tarfile
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from desk import Driver
from engines import Yard
from house import run

NGINX = "/usr/sbin/nginx"
NOBODY = 65534


@dataclass(frozen=True)
class Image:
    """A version and its image.

    Attributes:
        version: The registry's number.
        digest: Of its files.
        reference: `repository@sha256:...`.
        files: Where they lie.
    """

    version: str
    digest: str
    reference: str
    files: Path

    @property
    def rollout(self) -> dict[str, Any]:
        """As gitops wants it, on its way into production."""
        return {
            "environment": "production", "model": "tumour-screening", "version": self.version, "digest": self.digest,
            "release": f"1.{self.version}.0", "image": self.reference, "commit": None, "files": str(self.files),
        }  # fmt: skip

    @cached_property
    def recorded(self) -> tuple[str, list[str]]:
        """A request with the rows that were recorded in training, and what was predicted for them."""
        expected = json.loads((self.files / "expected.json").read_text())
        return json.dumps({"rows": expected["rows"]}), [one["prediction"] for one in expected["predictions"]]


def built(prepared: Path, driver: Driver, yard: Yard, clone: Path) -> tuple[Image, Image]:
    """Versions 1 and 2, built and pushed as `gitops image` does it, in a clone of their own."""
    run(clone.parent, "cp", "-a", str(prepared / "clone"), str(clone))
    place(clone / "model.toml", yard)
    one, two = (_image(clone, prepared / "comparisons" / number, driver, yard) for number in "12")
    return one, two


def place(toml: Path, yard: Yard) -> None:
    """Let a model.toml name the registry and the base image of the tests."""
    text = re.sub(r"^(# )?base = .*$", f'base = "{yard.base}"', toml.read_text(), flags=re.MULTILINE)
    toml.write_text(re.sub(r"^# repository = .*$", f'repository = "{yard.registry}/model"', text, flags=re.MULTILINE))


def _image(clone: Path, comparison: Path, driver: Driver, yard: Yard) -> Image:
    said = json.loads((comparison / "comparison.json").read_text())["challenger"]
    outputs = clone.parent / "outputs"
    env = {**yard.environment, "GITHUB_OUTPUT": str(outputs)}
    driver.must(clone, "image", "--version", said["version"], "--digest", said["digest"], env=env)
    reference = re.findall(r"^image=(.*)$", outputs.read_text(), re.MULTILINE)[-1]
    files = next((clone / ".gitops" / "versions").glob(f"{said['version']}-*"))
    return Image(said["version"], said["digest"], reference, files)


def nginx(yard: Yard) -> str:
    """Reference of an image that holds this machine's nginx and the libraries that it loads."""
    return programs(yard, "nginx", {NGINX: NGINX}, "ENV PATH=/usr/sbin")


def programs(yard: Yard, name: str, held: dict[str, str], change: str, *, own: str = "") -> str:
    """Reference of an image of this machine's programs.

    Args:
        yard: Where it is kept.
        name: It gets.
        held: Where each program, or file, lies in the image, and where here; libraries come along.
        change: To its settings, as `docker import` has it.
        own: A folder that belongs to the user nobody.
    """
    told = "".join(
        subprocess.run(["ldd", here], check=True, capture_output=True, text=True).stdout
        for here in held.values()
        if os.access(here, os.X_OK)
    )
    files = {part: part for part in told.split() if part.startswith("/")} | held
    system = yard.folder / f"{name}.tar"
    with tarfile.open(system, "w") as archive:
        for there, here in files.items():
            archive.add(os.path.realpath(here), arcname=there.lstrip("/"))
        if own:
            folder = tarfile.TarInfo(own.lstrip("/"))
            folder.type, folder.mode, folder.uid, folder.gid = tarfile.DIRTYPE, 0o755, NOBODY, NOBODY
            archive.addfile(folder)
    tag = f"{yard.registry}/{name}:test"
    yard.docker("import", "--change", change, str(system), tag)
    return f"{yard.registry}/{name}@{pushed(yard, tag)}"


def pushed(yard: Yard, name: str) -> str:
    """Push an image; its digest."""
    return yard.docker("push", name).split("digest: ")[1].split()[0]
