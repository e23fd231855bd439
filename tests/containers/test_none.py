"""Where nothing stays up, with a real engine and a real registry: what is published is what main and ledger want."""

from dataclasses import dataclass

import pytest
import requests

from desk import Desk
from engines import Yard
from house import run
from images import Image, place

MANIFEST = "application/vnd.docker.distribution.manifest.v2+json, application/vnd.oci.image.manifest.v1+json"


@dataclass
class Runner:
    """A job of a hosted runner that has an engine.

    Attributes:
        desk: The hub, and the job's clone.
        yard: The engine and the registry.
    """

    desk: Desk
    yard: Yard

    def deploy(self, code: int = 0) -> str:
        """Run the job; all that it printed. Nothing that it started is left."""
        told = self.desk.job("deploy", code=code, env=self.yard.environment)
        assert self.yard.docker("ps", "--all", "--quiet", "--filter", "label=gitops.trial") == ""
        return told

    def offer(self, comparison: str, image: Image) -> None:
        """Promote with this image, and merge."""
        self.desk.image = image.reference
        self.desk.promote(comparison)
        self.merge()

    def merge(self) -> None:
        """Merge what is open."""
        self.desk.merge(self.desk.pull["number"])

    @property
    def published(self) -> str | None:
        """The digest that whoever pulls the environment's image gets."""
        url = f"http://{self.yard.registry}/v2/model/manifests/production"
        return requests.head(url, headers={"Accept": MANIFEST}, timeout=30).headers.get("Docker-Content-Digest")


@pytest.fixture
def runner(desk: Desk, yard: Yard) -> Runner:
    """The versions are registered, and model.toml names the registry."""
    place(desk.clone / "model.toml", yard)
    run(desk.clone, "git", "commit", "--quiet", "--all", "--message", "A registry")
    run(desk.clone, "git", "push", "--quiet", str(desk.hub.bare), "HEAD:main")
    return Runner(desk, yard)


def test_what_is_published_is_what_is_wanted(runner: Runner, images: tuple[Image, Image]) -> None:
    """Shipped; not taken over by a version that fails; shipped again, taken back, and forward again, each time once."""
    one, two = (image.reference.partition("@")[2] for image in images)
    runner.offer("1", images[0])
    assert "Nothing stays up: it was run, tested and ended" in runner.deploy()
    assert runner.published == one
    runner.offer("2-over-champion-1", images[0])  # an image whose files are not those of the version
    assert "Version 2 printed:" in runner.deploy(code=10)
    assert "Nothing to do: version 1 is verified" in runner.deploy()
    assert runner.published == one
    runner.merge()
    runner.desk.job("lift", "2", "--why", "It was the image.")
    runner.merge()
    runner.offer("2-over-champion-1", images[1])
    runner.deploy()
    assert runner.published == two
    runner.desk.job("rollback", env={**runner.yard.environment, "GITOPS_WHY": "complaints"})
    runner.merge()
    runner.deploy()
    assert runner.published == one
    for step in ("fetch --quiet origin main", "switch --quiet --detach origin/main",
                 "checkout --quiet HEAD~1 -- registry/production.json", "commit --quiet --message Forward",
                 "push --quiet origin HEAD:main"):  # fmt: skip
        runner.desk.as_person(*step.split())
    runner.deploy()
    assert runner.published == two
    assert "Nothing to do: version 2 is verified" in runner.deploy()
