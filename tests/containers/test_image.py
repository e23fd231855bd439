"""`gitops image` on a real engine and a real registry: contents, permissions and refusals."""

import base64
import json
import re
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from container_engine import ContainerEngine
from hub_fixture import CommandWorker, Result
from images import Image
from repositories import GENERATED, run

FREE_TO_ADD = 330_000_000
# docker's encoding of the user "ada" of a registry.
LOGIN = base64.b64encode(b"ada:only-for-the-registry")
# All installed packages, and modules that must not be importable.
INSIDE = """
import importlib.metadata, importlib.util, json, os, pathlib, sys
print(json.dumps({
    "packages": {d.name.lower().replace("_", "-"): d.version for d in importlib.metadata.distributions()},
    "importable": [n for n in ("pip", "mlflow", "gitops_ml.training", "gitops_ml.registry", "gitops_ml.forge",
                               "gitops_ml.deploying", "gitops_ml.commands") if importlib.util.find_spec(n)],
    "app": sorted(p.name for p in pathlib.Path("/app").iterdir()),
    "user": [os.getuid(), os.getgid()],
    "writable": [p for p in ("/app", "/app/run", "/usr/local/lib", "/etc") if os.access(p, os.W_OK)],
}))
"""


@pytest.fixture(scope="module")
def one(images: tuple[Image, Image], engine: ContainerEngine) -> Image:
    """The image of version 1, fetched again from the registry by its digest."""
    engine.docker("pull", images[0].reference)
    return images[0]


@pytest.fixture(scope="module")
def inside(one: Image, engine: ContainerEngine) -> dict[str, object]:
    """The contents and permissions of the image, read from inside."""
    output = engine.docker("run", "--rm", "--network=none", "--entrypoint", "python", one.reference, "-c", INSIDE)
    found: dict[str, object] = json.loads(output)
    return found


@pytest.fixture
def served(one: Image, engine: ContainerEngine) -> Iterator[str]:
    """The address of a container of the image, without further settings."""
    id = engine.docker(
        "run", "--detach", "--read-only", "--tmpfs", "/tmp", "--cap-drop=all",  # noqa: S108 (inside)
        "--security-opt", "no-new-privileges", "--publish", "127.0.0.1::8080",
        "--health-interval=1s", one.reference,
    ).split()[-1]  # fmt: skip
    host = engine.docker("port", id, "8080/tcp").split()[0]
    yield f"http://{host}"
    engine.docker("rm", "--force", id)


@pytest.fixture
def clone(one: Image, tmp_path: Path) -> Path:
    """A copy of the clone in which that image was built."""
    run(tmp_path, "cp", "-a", str(one.files.parents[2]), str(tmp_path / "clone"))
    return tmp_path / "clone"


def until(true: Callable[[], Any]) -> Any:
    """Wait up to a minute for a true result, and return it."""
    for _ in range(300):
        if answer := true():
            return answer
        time.sleep(0.2)
    raise AssertionError("a minute has passed")


def ready(address: str) -> str | None:
    """Return the digest of a server that is ready."""
    try:
        answer = requests.get(f"{address}/health/ready", timeout=30)
    except requests.ConnectionError:
        return None
    return str(answer.json()["digest"]) if answer.ok else None


def build(worker: CommandWorker, clone: Path, engine: ContainerEngine, one: Image, *more: str, **env: str) -> Result:
    """Run `gitops image` on version 1."""
    named = ("--version", one.version, "--digest", one.digest)
    return worker.run(clone, "image", *named, *more, env={**engine.environment, **env})


def test_it_predicts_as_in_training(one: Image, served: str, engine: ContainerEngine) -> None:
    """Read-only and without capabilities, it becomes ready, with the right version and the recorded predictions."""
    assert until(lambda: ready(served)) == one.digest
    body, predictions = one.recorded
    answer = requests.post(f"{served}/predict", data=body, headers={"Content-Type": "application/json"}, timeout=60)
    assert answer.json()["predictions"] == predictions
    id = engine.docker("ps", "--quiet", "--filter", f"publish={served.rpartition(':')[2]}").strip()
    state = "{{.State.Health.Status}}"
    assert until(lambda: engine.docker("inspect", "--format", state, id).strip() == "healthy")


def test_it_has_no_privileges(inside: dict[str, object]) -> None:
    """An unprivileged user without writable folders, even if the file system is not mounted read-only."""
    assert inside["user"] == [10001, 10001]
    assert inside["writable"] == []


def test_it_contains_only_what_serving_needs(inside: dict[str, object]) -> None:
    """The packages of the serving lock, the part of the library that serves, and nothing else."""
    assert inside["importable"] == []
    assert inside["app"] == ["bytecode", "model.toml", "requirements", "run", "sbom.json", "src", "venv"]
    locked = re.findall(r"^([A-Za-z0-9._-]+)==", (GENERATED / "requirements/serve.txt").read_text(), re.MULTILINE)
    assert isinstance(inside["packages"], dict)
    assert set(inside["packages"]) <= {"gitops-ml", *(name.lower().replace("_", "-") for name in locked)}
    assert {"scikit-learn", "skops", "fastapi"} <= set(inside["packages"])


def test_it_has_labels(one: Image, clone: Path, engine: ContainerEngine) -> None:
    """Labels for people and scanners; a health check; a signal that stops it gracefully."""
    config = json.loads(engine.docker("image", "inspect", one.reference))[0]["Config"]
    lineage = json.loads((one.files / "run.json").read_text())["lineage"]
    expected = {
        "org.opencontainers.image.title": "tumour-screening", "org.opencontainers.image.version": one.version,
        "org.opencontainers.image.revision": lineage["commit"],
        "org.opencontainers.image.base.digest": engine.base.partition("@")[2], "gitops.digest": one.digest,
    }  # fmt: skip
    assert {name: config["Labels"].get(name) for name in expected} == expected
    assert (config["User"], config["StopSignal"]) == ("10001:10001", "SIGTERM")
    assert "health" in config["Healthcheck"]["Test"]


def test_the_sbom_lists_the_installed_packages(
    one: Image, clone: Path, inside: dict[str, object], engine: ContainerEngine
) -> None:
    """Valid CycloneDX, the same in the image and in the clone; exactly the installed packages and their versions."""
    kept = (clone / ".gitops" / "image" / "sbom.json").read_text()
    shipped = engine.docker("run", "--rm", "--network=none", "--entrypoint", "cat", one.reference, "/app/sbom.json")
    sbom = json.loads(shipped)
    assert json.loads(kept)["specVersion"] == "1.6"
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(shipped) is None
    assert {part["name"]: part["version"] for part in sbom["components"]} == inside["packages"]
    assert sbom["metadata"]["component"]["hashes"][0]["content"] == one.digest.removeprefix("sha256:")


def test_it_adds_little_to_its_base(one: Image, engine: ContainerEngine) -> None:
    """At most 330 MB, with scikit-learn inside."""
    engine.docker("pull", engine.base)
    size, base = (
        int(engine.docker("image", "inspect", "--format", "{{.Size}}", name)) for name in (one.reference, engine.base)
    )
    assert size - base <= FREE_TO_ADD, f"{(size - base) / 1e6:.0f} MB"


def test_versions_with_the_same_packages_share_all_layers_but_one(
    images: tuple[Image, Image], engine: ContainerEngine
) -> None:
    """A push or a pull of the second version transfers only its own files."""
    layers = []
    for image in images:
        engine.docker("pull", image.reference)
        layers.append(json.loads(engine.docker("image", "inspect", image.reference))[0]["RootFS"]["Layers"])
    one, two = layers
    assert one[:-1] == two[:-1]
    assert one[-1] != two[-1]


def test_a_changed_file_is_refused_before_anything_is_built(
    one: Image, clone: Path, worker: CommandWorker, engine: ContainerEngine
) -> None:
    """One byte in the model file: an integrity error, and no image."""
    model = clone / one.files.relative_to(one.files.parents[2]) / "model.skops"
    content = bytearray(model.read_bytes())
    content[len(content) // 2] ^= 1
    model.write_bytes(content)
    tag = f"gitops/tumour-screening:{one.digest[7:19]}"
    engine.docker("image", "rm", "--force", tag)
    done = build(worker, clone, engine, one, "--local")
    assert (done.code, "cannot be trusted" in done.err) == (11, True), done.err
    assert engine.docker("images", "--quiet", tag) == ""


def test_a_model_with_other_predictions_is_not_pushed(
    one: Image, clone: Path, repository: Path, worker: CommandWorker, engine: ContainerEngine
) -> None:
    """The recorded predictions are not those of the model: the image is built, smoke-tested, and not pushed."""
    folder = clone / ".gitops" / "versions" / "wrong"
    shutil.copytree(one.files, folder)
    expected = json.loads((folder / "expected.json").read_text())
    for row in expected["predictions"]:
        row |= {name: 1 - value for name, value in row.items() if name != "prediction"}
    (folder / "expected.json").write_text(json.dumps(expected))
    sealing = "import sys, pathlib, gitops_ml.manifest as m; print(m.write_manifest(pathlib.Path(sys.argv[1])))"
    digest = run(clone, str(repository / ".venv/bin/python"), "-c", sealing, str(folder)).strip()
    folder.rename(folder.with_name(f"9-{digest[7:19]}"))
    toml = clone / "model.toml"
    toml.write_text(re.sub(r"^ready_seconds = 120", "ready_seconds = 30", toml.read_text(), flags=re.MULTILINE))
    done = worker.run(clone, "image", "--version", "9", "--digest", digest, env=engine.environment)
    assert done.code == 10, done.err
    assert "failed its smoke test" in done.err
    tags = requests.get(f"http://{engine.registry}/v2/model/tags/list", timeout=30).json()["tags"]
    assert [tag for tag in tags if tag.startswith("version-9")] == []
    assert engine.docker("ps", "--quiet", "--filter", "name=gitops-try") == ""


@pytest.mark.faults
def test_a_registry_that_is_down_is_an_error(
    one: Image, clone: Path, worker: CommandWorker, engine: ContainerEngine
) -> None:
    """The result is unknown: exit code 9, with docker's message."""
    engine.server.stop()
    try:
        done = build(worker, clone, engine, one)
    finally:
        engine.server.start()
    assert (done.code, "`docker push` failed" in done.err) == (9, True), done.err


def test_no_login_is_stored(
    one: Image, clone: Path, worker: CommandWorker, engine: ContainerEngine, tmp_path: Path
) -> None:
    """It pushes with a password from the environment; no file of the engine or of the clone contains it afterwards."""
    output = tmp_path / "output"
    env = {"GITOPS_REGISTRY_USER": "ada", "GITOPS_REGISTRY_PASSWORD": "only-for-the-registry"}
    done = build(worker, clone, engine, one, **env, GITHUB_OUTPUT=str(output), TMPDIR=str(tmp_path))
    assert done.code == 0, done.err
    assert output.read_text().startswith(f"image={engine.registry}/model@sha256:")
    folders = (engine.folder / "config", clone, tmp_path)
    kept = [file.read_bytes() for folder in folders for file in folder.rglob("*") if file.is_file()]
    assert [content for content in kept if b"only-for-the-registry" in content or LOGIN in content] == []


def test_the_dockerfile_is_clean() -> None:
    """hadolint has nothing to say."""
    assert run(GENERATED, str(Path(sys.executable).with_name("hadolint")), "deploy/Dockerfile") == ""
