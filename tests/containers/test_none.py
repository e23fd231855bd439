"""The target `none`, with a real engine and a real registry: main and ledger define the published image."""

from dataclasses import dataclass

import pytest
import requests

from container_engine import ContainerEngine
from hub_fixture import PreparedHub
from images import Image, configure_registry
from repositories import run

MANIFEST = "application/vnd.docker.distribution.manifest.v2+json, application/vnd.oci.image.manifest.v1+json"


@dataclass
class Runner:
    """A job of a hosted runner that has an engine.

    Attributes:
        prepared_hub: Hub, and the job's clone.
        engine: Engine and registry.
    """

    prepared_hub: PreparedHub
    engine: ContainerEngine

    def deploy(self, code: int = 0) -> str:
        """Run the job, and return its output. No container is left."""
        output = self.prepared_hub.job("deploy", code=code, env=self.engine.environment)
        assert self.engine.docker("ps", "--all", "--quiet", "--filter", "label=gitops.trial") == ""
        return output

    def offer(self, comparison: str, image: Image) -> None:
        """Promote with this image, and merge."""
        self.prepared_hub.image = image.reference
        self.prepared_hub.promote(comparison)
        self.merge()

    def merge(self) -> None:
        """Merge the open pull request."""
        self.prepared_hub.merge(self.prepared_hub.pull["number"])

    @property
    def published(self) -> str | None:
        """The digest of the environment's image in the registry."""
        url = f"http://{self.engine.registry}/v2/model/manifests/production"
        return requests.head(url, headers={"Accept": MANIFEST}, timeout=30).headers.get("Docker-Content-Digest")


@pytest.fixture
def runner(prepared_hub: PreparedHub, engine: ContainerEngine) -> Runner:
    """The versions are registered, and model.toml names the registry."""
    configure_registry(prepared_hub.clone / "model.toml", engine)
    run(prepared_hub.clone, "git", "commit", "--quiet", "--all", "--message", "A registry")
    run(prepared_hub.clone, "git", "push", "--quiet", str(prepared_hub.hub.bare), "HEAD:main")
    return Runner(prepared_hub, engine)


def test_the_wanted_version_is_published(runner: Runner, images: tuple[Image, Image]) -> None:
    """A deployment, a failed version, another deployment, a rollback, and a promotion again, each published once."""
    one, two = (image.reference.partition("@")[2] for image in images)
    runner.offer("1", images[0])
    assert "It was started, tested and stopped" in runner.deploy()
    assert runner.published == one
    runner.offer("2-over-champion-1", images[0])  # an image whose files are not those of the version
    assert "Version 2 printed:" in runner.deploy(code=10)
    assert "Nothing to do: version 1 is verified" in runner.deploy()
    assert runner.published == one
    runner.merge()
    runner.prepared_hub.job("lift", "2", "--why", "It was the image.")
    runner.merge()
    runner.offer("2-over-champion-1", images[1])
    runner.deploy()
    assert runner.published == two
    runner.prepared_hub.job("rollback", env={**runner.engine.environment, "GITOPS_WHY": "complaints"})
    runner.merge()
    runner.deploy()
    assert runner.published == one
    for step in ("fetch --quiet origin main", "switch --quiet --detach origin/main",
                 "checkout --quiet HEAD~1 -- registry/production.json", "commit --quiet --message Forward",
                 "push --quiet origin HEAD:main"):  # fmt: skip
        runner.prepared_hub.git_as_person(*step.split())
    runner.deploy()
    assert runner.published == two
    assert "Nothing to do: version 2 is verified" in runner.deploy()
