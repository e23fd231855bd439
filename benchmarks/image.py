"""The image: its size and the start of a container, in comparison with an image of MLflow.

`mlflow models generate-dockerfile` describes an image with MLflow and the model's requirements. Its base image is not
available everywhere, so the same packages are installed on ours.
"""

import os
import time
from pathlib import Path
from statistics import median

import requests

from benchmarks.generated import INSIDE, GeneratedRepository, commit
from benchmarks.table import Figure, Progress
from container_engine import ContainerEngine, start_engine
from images import configure_registry
from repositories import run

TIMEOUT = 120
MLFLOW = """
ARG BASE
FROM ${BASE}
COPY model /model
RUN --mount=type=secret,id=ca SETTINGS python -m pip install --quiet --no-cache-dir -r /model/requirements.txt
EXPOSE 8080
CMD ["mlflow", "models", "serve", "-m", "/model", "-h", "0.0.0.0", "-p", "8080", "--env-manager", "local"]
"""


def measure(generated: GeneratedRepository, times: int, progress: Progress) -> list[Figure]:
    """Build both images, and measure their size and the time until a container is ready."""
    progress("image")
    with start_engine(generated.root.with_name("engine")) as engine:
        engine.docker("pull", engine.base)
        root, version, digest = _trained(generated, engine)
        command = (str(generated.gitops), "image", "--local", "--version", version, "--digest", digest)
        run(root, *command, env=engine.environment)
        image = engine.docker("images", "--quiet", "gitops/*").split()[0]
        mlflow_image = _mlflow(generated, root, engine)
        against = "an image with MLflow, as of `mlflow models generate-dockerfile`"
        base = _bytes(engine, engine.base)
        sizes = _bytes(engine, image) - base, _bytes(engine, mlflow_image) - base
        arguments = ("--env", f"GITOPS_DIGEST={digest}", image)
        ready = [_ready(engine, "/health/ready", *arguments) for _ in range(times)]
        mlflow_ready = [_ready(engine, "/ping", mlflow_image) for _ in range(times)]
        return [
            Figure("image: bytes over its base", "B", *sizes, against, 1),
            Figure("image: from `docker run` to ready", "s", median(ready), median(mlflow_ready), against, times),
        ]


def _trained(generated: GeneratedRepository, engine: ContainerEngine) -> tuple[Path, str, str]:
    """Train and register a version; return the repository, the version, and the digest of its files."""
    root = generated.copy_to("imaged")
    configure_registry(root / "model.toml", engine)
    commit(root)
    outputs = root / ".gitops" / "outputs"
    run(root, str(generated.gitops), "train")
    run(root, str(generated.gitops), "register", env={"GITHUB_OUTPUT": str(outputs)})
    values = dict(line.split("=", 1) for line in outputs.read_text(encoding="utf-8").splitlines())
    return root, values["version"], values["digest"]


def _mlflow(generated: GeneratedRepository, root: Path, engine: ContainerEngine) -> str:
    """Build an image that serves the same model with MLflow's server; return its name."""
    context = root.with_name("mlflow-image")
    context.mkdir()
    run(
        root,
        str(generated.python),
        str(INSIDE / "save_model.py"),
        str(root / ".gitops" / "run"),
        str(context / "model"),
    )
    certificates = os.environ.get("SSL_CERT_FILE")
    secrets = [f"--secret=id=ca,src={certificates}"] if certificates else []
    text = MLFLOW.replace("SETTINGS ", "PIP_CERT=/run/secrets/ca " if secrets else "")
    (context / "Dockerfile").write_text(text, encoding="utf-8")
    run(
        context, "docker", "build", "--quiet", "--network=host", *secrets, "--build-arg", f"BASE={engine.base}",
        "--tag", "mlflow-image", ".", env={**engine.environment, "DOCKER_BUILDKIT": "1"},
    )  # fmt: skip
    return "mlflow-image"


def _bytes(engine: ContainerEngine, image: str) -> int:
    return int(engine.docker("image", "inspect", "--format", "{{.Size}}", image))


def _ready(engine: ContainerEngine, path: str, *command: str) -> float:
    """Return the time from `docker run` to the first successful response (seconds)."""
    began = time.perf_counter()
    id = engine.docker("run", "--detach", "--publish", "127.0.0.1::8080", *command).split()[-1]
    address = f"http://{engine.docker('port', id, '8080/tcp').split()[0]}{path}"
    while not _responds(address):
        if time.perf_counter() - began > TIMEOUT:
            raise SystemExit(f"benchmarks: {command[-1]} is not ready:\n{engine.docker('logs', id)}")
        time.sleep(0.01)
    seconds = time.perf_counter() - began
    engine.docker("rm", "--force", id)
    return seconds


def _responds(address: str) -> bool:
    try:
        return requests.get(address, timeout=10).ok
    except requests.RequestException:
        return False
