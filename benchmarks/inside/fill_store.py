"""Register many runs, each in a transaction: fill_store.py REPOSITORY FIRST LAST [URI of a plain MLflow store].

The runs are copies of the run of `gitops train`. All their numbers differ, and their images are noise, so that Git
cannot save space by similarities between runs.
"""

import importlib
import json
import random
import re
import shutil
import sys
import tempfile
import time
from pathlib import Path

from gitops_ml import manifest, run
from gitops_ml.config import Repository, find_repository
from gitops_ml.registry import versions
from gitops_ml.registry.store import ServerStore, connect

DIGITS = re.compile(rb"(?<=\d)\d{5,}")


def main(root: Path, first: int, last: int, uri: str | None = None) -> None:
    """Print the seconds of each transaction, as JSON."""
    importlib.import_module("mlflow.pyfunc")  # so that the import is not part of a transaction
    repository, seconds = find_repository(root), list[float]()
    for number in range(first, last + 1):
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch, "run")
            digest = copy(repository.scratch / "run", folder, number)
            seconds.append(register(repository, folder, digest, uri))
    print(json.dumps(seconds))


def register(repository: Repository, folder: Path, digest: str, uri: str | None) -> float:
    """Register a run with a connection of its own, as `gitops register` does; return the seconds."""
    described = run.read_run(folder, digest)
    began = time.perf_counter()
    store = ServerStore(uri) if uri else connect(repository)
    store.write(f"Register {digest}", lambda client: versions.register(client, folder, digest, described, None))
    return time.perf_counter() - began


def copy(source: Path, folder: Path, number: int) -> str:
    """Copy the folder of a run, change its content, write a manifest, and return the digest."""
    rng = random.Random(number)  # noqa: S311 (no secret)
    shutil.copytree(source, folder, ignore=shutil.ignore_patterns(manifest.FILE))
    for file in sorted(path for path in folder.rglob("*") if path.is_file()):
        content = file.read_bytes()
        file.write_bytes(rng.randbytes(len(content)) if file.suffix == ".png" else vary(content, rng))
    described = json.loads((folder / run.FILE).read_text(encoding="utf-8"))
    described["lineage"]["training"] = manifest.digest_json(number)
    (folder / run.FILE).write_text(json.dumps(described), encoding="utf-8")
    digest: str = manifest.write_manifest(folder)
    return digest


def vary(content: bytes, rng: random.Random) -> bytes:
    """Return the content with other digits in long numbers."""
    return DIGITS.sub(lambda match: f"{rng.randrange(10 ** len(match[0])):0{len(match[0])}}".encode(), content)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), *sys.argv[4:])
