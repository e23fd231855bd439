"""The image: bytes over its base, and how long a container takes to be ready, beside an image that MLflow would make.

`mlflow models generate-dockerfile` describes an image with all of MLflow and the model's requirements. Its own base
cannot be had everywhere, so the same is installed on ours.
"""

import os
import time
from pathlib import Path
from statistics import median

import requests

from benchmarks.bake import INSIDE, Baked, commit
from benchmarks.table import Figure, Say
from engines import Yard, opened
from house import run
from images import place

PATIENCE = 120
MLFLOW = """
ARG BASE
FROM ${BASE}
COPY model /model
RUN --mount=type=secret,id=ca SETTINGS python -m pip install --quiet --no-cache-dir -r /model/requirements.txt
EXPOSE 8080
CMD ["mlflow", "models", "serve", "-m", "/model", "-h", "0.0.0.0", "-p", "8080", "--env-manager", "local"]
"""


def measure(baked: Baked, times: int, say: Say) -> list[Figure]:
    """Build both, weigh both, and start both as often as asked."""
    say("image")
    with opened(baked.root.with_name("yard")) as yard:
        yard.docker("pull", yard.base)
        root, version, digest = _trained(baked, yard)
        command = (str(baked.gitops), "image", "--local", "--version", version, "--digest", digest)
        run(root, *command, env=yard.environment)
        ours = yard.docker("images", "--quiet", "gitops/*").split()[0]
        bare = _mlflow(baked, root, yard)
        against = "an image with MLflow, as `mlflow models generate-dockerfile` has it"
        base = _bytes(yard, yard.base)
        sizes = _bytes(yard, ours) - base, _bytes(yard, bare) - base
        named = ("--env", f"GITOPS_DIGEST={digest}", ours)
        ready = [_ready(yard, "/health/ready", *named) for _ in range(times)]
        other = [_ready(yard, "/ping", bare) for _ in range(times)]
        return [
            Figure("image: bytes over its base", "B", *sizes, against, 1),
            Figure("image: from `docker run` to ready", "s", median(ready), median(other), against, times),
        ]


def _trained(baked: Baked, yard: Yard) -> tuple[Path, str, str]:
    """A repository that names the base of the yard, a version in it, and the digest of its files."""
    root = baked.another("imaged")
    place(root / "model.toml", yard)
    commit(root)
    outputs = root / ".gitops" / "outputs"
    run(root, str(baked.gitops), "train")
    run(root, str(baked.gitops), "register", env={"GITHUB_OUTPUT": str(outputs)})
    said = dict(line.split("=", 1) for line in outputs.read_text(encoding="utf-8").splitlines())
    return root, said["version"], said["digest"]


def _mlflow(baked: Baked, root: Path, yard: Yard) -> str:
    """The name of an image that serves the same model with MLflow's own server."""
    context = root.with_name("mlflow-image")
    context.mkdir()
    run(root, str(baked.python), str(INSIDE / "save_model.py"), str(root / ".gitops" / "run"), str(context / "model"))
    certificates = os.environ.get("SSL_CERT_FILE")
    given = [f"--secret=id=ca,src={certificates}"] if certificates else []
    text = MLFLOW.replace("SETTINGS ", "PIP_CERT=/run/secrets/ca " if given else "")
    (context / "Dockerfile").write_text(text, encoding="utf-8")
    run(
        context, "docker", "build", "--quiet", "--network=host", *given, "--build-arg", f"BASE={yard.base}",
        "--tag", "mlflow-image", ".", env={**yard.environment, "DOCKER_BUILDKIT": "1"},
    )  # fmt: skip
    return "mlflow-image"


def _bytes(yard: Yard, image: str) -> int:
    return int(yard.docker("image", "inspect", "--format", "{{.Size}}", image))


def _ready(yard: Yard, path: str, *command: str) -> float:
    """Seconds from `docker run` to the first good answer."""
    began = time.perf_counter()
    id = yard.docker("run", "--detach", "--publish", "127.0.0.1::8080", *command).split()[-1]
    address = f"http://{yard.docker('port', id, '8080/tcp').split()[0]}{path}"
    while not _answers(address):
        if time.perf_counter() - began > PATIENCE:
            raise SystemExit(f"benchmarks: {command[-1]} is not ready:\n{yard.docker('logs', id)}")
        time.sleep(0.01)
    seconds = time.perf_counter() - began
    yard.docker("rm", "--force", id)
    return seconds


def _answers(address: str) -> bool:
    try:
        return requests.get(address, timeout=10).ok
    except requests.RequestException:
        return False
