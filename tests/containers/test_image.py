"""`gitops image` on a real engine and a real registry: what is in an image, what it may do, and what is refused."""

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

from desk import Driver, Result
from engines import Yard
from house import GENERATED, run
from images import Image

FREE_TO_ADD = 330_000_000
# How docker writes down the user "ada" of a registry.
LOGIN = base64.b64encode(b"ada:only-for-the-registry")
# Everything that is installed, as pip would list it; and whether what must not be there can be imported.
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
def one(images: tuple[Image, Image], yard: Yard) -> Image:
    """The image of version 1, fetched again from the registry by its digest."""
    yard.docker("pull", images[0].reference)
    return images[0]


@pytest.fixture(scope="module")
def inside(one: Image, yard: Yard) -> dict[str, object]:
    """What the image says when it is asked from inside."""
    said = yard.docker("run", "--rm", "--network=none", "--entrypoint", "python", one.reference, "-c", INSIDE)
    found: dict[str, object] = json.loads(said)
    return found


@pytest.fixture
def served(one: Image, yard: Yard) -> Iterator[str]:
    """The image as it runs, told nothing that is not in it: an address."""
    id = yard.docker(
        "run", "--detach", "--read-only", "--tmpfs", "/tmp", "--cap-drop=all",  # noqa: S108 (inside)
        "--security-opt", "no-new-privileges", "--publish", "127.0.0.1::8080",
        "--health-interval=1s", one.reference,
    ).split()[-1]  # fmt: skip
    host = yard.docker("port", id, "8080/tcp").split()[0]
    yield f"http://{host}"
    yard.docker("rm", "--force", id)


@pytest.fixture
def clone(one: Image, tmp_path: Path) -> Path:
    """A clone of one's own, in which that image was made."""
    run(tmp_path, "cp", "-a", str(one.files.parents[2]), str(tmp_path / "clone"))
    return tmp_path / "clone"


def until(true: Callable[[], Any]) -> Any:
    """What a question answers as soon as the answer is neither empty nor no; a minute of patience."""
    for _ in range(300):
        if answer := true():
            return answer
        time.sleep(0.2)
    raise AssertionError("a minute has passed")


def ready(address: str) -> str | None:
    """The digest that a server is ready with."""
    try:
        answer = requests.get(f"{address}/health/ready", timeout=30)
    except requests.ConnectionError:
        return None
    return str(answer.json()["digest"]) if answer.ok else None


def build(driver: Driver, clone: Path, yard: Yard, one: Image, *more: str, **env: str) -> Result:
    """Run `gitops image` on version 1."""
    named = ("--version", one.version, "--digest", one.digest)
    return driver.run(clone, "image", *named, *more, env={**yard.environment, **env})


def test_it_answers_as_it_did_in_training(one: Image, served: str, yard: Yard) -> None:
    """Read-only, without a capability and without a user's name: ready, the right version, the recorded predictions."""
    assert until(lambda: ready(served)) == one.digest
    body, predictions = one.recorded
    answer = requests.post(f"{served}/predict", data=body, headers={"Content-Type": "application/json"}, timeout=60)
    assert answer.json()["predictions"] == predictions
    id = yard.docker("ps", "--quiet", "--filter", f"publish={served.rpartition(':')[2]}").strip()
    state = "{{.State.Health.Status}}"
    assert until(lambda: yard.docker("inspect", "--format", state, id).strip() == "healthy")


def test_it_may_do_nothing_but_answer(inside: dict[str, object]) -> None:
    """Nobody's number, and no place to write to, even where the file system is not mounted read-only."""
    assert inside["user"] == [10001, 10001]
    assert inside["writable"] == []


def test_it_holds_what_serving_needs_and_no_more(inside: dict[str, object]) -> None:
    """The packages of the serving lock, the part of the library that serves, and nothing else."""
    assert inside["importable"] == []
    assert inside["app"] == ["bytecode", "model.toml", "requirements", "run", "sbom.json", "src", "venv"]
    locked = re.findall(r"^([A-Za-z0-9._-]+)==", (GENERATED / "requirements/serve.txt").read_text(), re.MULTILINE)
    assert isinstance(inside["packages"], dict)
    assert set(inside["packages"]) <= {"gitops-ml", *(name.lower().replace("_", "-") for name in locked)}
    assert {"scikit-learn", "skops", "fastapi"} <= set(inside["packages"])


def test_it_says_what_it_is(one: Image, clone: Path, yard: Yard) -> None:
    """Labels for people and scanners; a health check; a signal that ends it gracefully."""
    said = json.loads(yard.docker("image", "inspect", one.reference))[0]["Config"]
    lineage = json.loads((one.files / "run.json").read_text())["lineage"]
    expected = {
        "org.opencontainers.image.title": "tumour-screening", "org.opencontainers.image.version": one.version,
        "org.opencontainers.image.revision": lineage["commit"],
        "org.opencontainers.image.base.digest": yard.base.partition("@")[2], "gitops.digest": one.digest,
    }  # fmt: skip
    assert {name: said["Labels"].get(name) for name in expected} == expected
    assert (said["User"], said["StopSignal"]) == ("10001:10001", "SIGTERM")
    assert "health" in said["Healthcheck"]["Test"]


def test_the_bill_of_materials_is_what_is_installed(
    one: Image, clone: Path, inside: dict[str, object], yard: Yard
) -> None:
    """Valid CycloneDX, the same inside and beside; every installed package at its version, and no other."""
    kept = (clone / ".gitops" / "image" / "sbom.json").read_text()
    shipped = yard.docker("run", "--rm", "--network=none", "--entrypoint", "cat", one.reference, "/app/sbom.json")
    bill = json.loads(shipped)
    assert json.loads(kept)["specVersion"] == "1.6"
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(shipped) is None
    assert {part["name"]: part["version"] for part in bill["components"]} == inside["packages"]
    assert bill["metadata"]["component"]["hashes"][0]["content"] == one.digest.removeprefix("sha256:")


def test_it_adds_little_to_its_base(one: Image, yard: Yard) -> None:
    """At most 330 MB, with scikit-learn inside."""
    yard.docker("pull", yard.base)
    ours, base = (
        int(yard.docker("image", "inspect", "--format", "{{.Size}}", name)) for name in (one.reference, yard.base)
    )
    assert ours - base <= FREE_TO_ADD, f"{(ours - base) / 1e6:.0f} MB"


def test_a_changed_file_is_refused_before_anything_is_built(
    one: Image, clone: Path, driver: Driver, yard: Yard
) -> None:
    """One byte in the model file: an integrity error, and no image."""
    model = clone / one.files.relative_to(one.files.parents[2]) / "model.skops"
    content = bytearray(model.read_bytes())
    content[len(content) // 2] ^= 1
    model.write_bytes(content)
    tag = f"gitops/tumour-screening:{one.digest[7:19]}"
    yard.docker("image", "rm", "--force", tag)
    done = build(driver, clone, yard, one, "--local")
    assert (done.code, "cannot be trusted" in done.err) == (11, True), done.err
    assert yard.docker("images", "--quiet", tag) == ""


def test_a_model_that_says_something_else_is_not_pushed(
    one: Image, clone: Path, repository: Path, driver: Driver, yard: Yard
) -> None:
    """The recorded predictions are not those of the model: the image is built, heard out, and stays where it is."""
    folder = clone / ".gitops" / "versions" / "wrong"
    shutil.copytree(one.files, folder)
    expected = json.loads((folder / "expected.json").read_text())
    for row in expected["predictions"]:
        row |= {name: 1 - value for name, value in row.items() if name != "prediction"}
    (folder / "expected.json").write_text(json.dumps(expected))
    sealing = "import sys, pathlib, gitops_ml.manifest as m; print(m.seal(pathlib.Path(sys.argv[1])))"
    digest = run(clone, str(repository / ".venv/bin/python"), "-c", sealing, str(folder)).strip()
    folder.rename(folder.with_name(f"9-{digest[7:19]}"))
    toml = clone / "model.toml"
    toml.write_text(re.sub(r"^ready_seconds = 120", "ready_seconds = 30", toml.read_text(), flags=re.MULTILINE))
    done = driver.run(clone, "image", "--version", "9", "--digest", digest, env=yard.environment)
    assert done.code == 10, done.err
    assert "gives a bad answer" in done.err
    tags = requests.get(f"http://{yard.registry}/v2/model/tags/list", timeout=30).json()["tags"]
    assert [tag for tag in tags if tag.startswith("version-9")] == []
    assert yard.docker("ps", "--quiet", "--filter", "name=gitops-try") == ""


@pytest.mark.faults
def test_a_registry_that_is_down_is_an_error(one: Image, clone: Path, driver: Driver, yard: Yard) -> None:
    """Nobody knows more than before: exit 9, with what docker said."""
    yard.server.stop()
    try:
        done = build(driver, clone, yard, one)
    finally:
        yard.server.start()
    assert (done.code, "`docker push` failed" in done.err) == (9, True), done.err


def test_a_login_is_left_nowhere(one: Image, clone: Path, driver: Driver, yard: Yard, tmp_path: Path) -> None:
    """With a password in the environment it pushes; no file of the engine or of the clone holds it afterwards."""
    output = tmp_path / "output"
    env = {"GITOPS_REGISTRY_USER": "ada", "GITOPS_REGISTRY_PASSWORD": "only-for-the-registry"}
    done = build(driver, clone, yard, one, **env, GITHUB_OUTPUT=str(output), TMPDIR=str(tmp_path))
    assert done.code == 0, done.err
    assert output.read_text().startswith(f"image={yard.registry}/model@sha256:")
    folders = (yard.folder / "config", clone, tmp_path)
    kept = [file.read_bytes() for folder in folders for file in folder.rglob("*") if file.is_file()]
    assert [content for content in kept if b"only-for-the-registry" in content or LOGIN in content] == []


def test_the_dockerfile_is_clean() -> None:
    """hadolint has nothing to say."""
    assert run(GENERATED, str(Path(sys.executable).with_name("hadolint")), "deploy/Dockerfile") == ""
