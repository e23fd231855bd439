"""The image of a version: built from its commit, its lock and its files, heard out, and pushed.

The same version makes the same files in the same order, each with the age and the rights that `settle` gives. The
digest of an image is not the same twice for all that: engines write down more than files. So an image is built once,
and the record pins what was built.
"""

import os
import shutil
import tempfile
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from urllib.parse import urlsplit

from gitops_ml import git, index, library
from gitops_ml.config import Repository
from gitops_ml.deploying import context, sbom, smoke
from gitops_ml.deploying.container import Start
from gitops_ml.deploying.engine import Engine
from gitops_ml.deploying.login import GHCR, logged_in
from gitops_ml.errors import ConfigError, ContainerError, VerificationFailed
from gitops_ml.logged import TRIAL
from gitops_ml.run import Run

FOLDER = "deploy"
APP = "app"
BILL = "sbom.json"


@dataclass(frozen=True)
class Wanted:
    """The version that is to become an image.

    Attributes:
        number: The registry's.
        digest: Of its files.
        files: Where they lie, verified.
        described: What they say of themselves.
    """

    number: str
    digest: str
    files: Path
    described: Run

    @property
    def commit(self) -> str | None:
        """The commit that holds all that it was trained from; None where no commit does."""
        lineage = self.described.lineage
        return None if lineage.dirty else lineage.commit

    @property
    def tag(self) -> str:
        """What its image is called on this machine."""
        return f"gitops/{self.described.model.lower()}:{self.digest.removeprefix('sha256:')[:12]}"


def build(repository: Repository, engine: Engine, wanted: Wanted) -> Path:
    """Build the image under its tag on this machine; its bill of materials is left beside.

    Raises:
        IntegrityError: The version's files are not those that its digest names; nothing was built.
        ConfigError: Its commit cannot be had.
        ContainerError: The engine did not build it.
    """
    with tempfile.TemporaryDirectory() as scratch:
        folder, secrets = Path(scratch, "context"), Path(scratch, "secrets")
        context.assemble(repository, wanted.commit, wanted.files, wanted.digest, folder / APP)
        app = folder / APP
        pins = [file.read_text(encoding="utf-8") for file in (app / context.LOCK, app / library.PIN) if file.is_file()]
        bill = sbom.bill(wanted.described, wanted.number, wanted.digest, "".join(pins))
        (folder / APP / BILL).write_text(bill, encoding="utf-8")
        _lay_out(repository, wanted, folder)
        created = int(datetime.fromisoformat(wanted.described.created).timestamp())
        context.settle(folder, created)
        secrets.mkdir(mode=0o700)
        engine.build(
            folder, wanted.tag,
            {"BASE": _base(repository, wanted.described), "DIGEST": wanted.digest, "VERSION": wanted.number},
            labels(repository, wanted, library.pinned(app)), index.lent(secrets), created,
        )  # fmt: skip
    kept = repository.scratch / "image" / BILL
    kept.parent.mkdir(parents=True, exist_ok=True)
    kept.write_text(bill, encoding="utf-8")
    return kept


def _lay_out(repository: Repository, wanted: Wanted, folder: Path) -> None:
    """Put beside the version's folder what builds it: its locks, the wheel, and the Dockerfile.

    A version of a repository that 0.1 generated is built as it was then, by the files of its own commit.
    """
    app = folder / APP
    if library.is_copied(app):
        shutil.copyfile(app / context.LOCK, folder / "requirements.txt")
        for name in ("Dockerfile", "slim.py"):
            text = git.show(repository.root, wanted.commit or "HEAD", f"{FOLDER}/{name}")
            if text is None:
                raise ConfigError(f"Version {wanted.number} has no {FOLDER}/{name} at its commit.", "Train it again.")
            (folder / name).write_text(text + "\n", encoding="utf-8")
        return
    shutil.copytree(app / Path(library.PIN).parent, folder / Path(library.PIN).parent)
    (folder / library.VENDOR).mkdir()
    if (app / library.VENDOR).is_dir():
        shutil.copytree(app / library.VENDOR, folder / library.VENDOR, dirs_exist_ok=True)
        shutil.rmtree(app / library.VENDOR)
    shutil.copyfile(repository.root / FOLDER / "Dockerfile", folder / "Dockerfile")


def try_out(engine: Engine, wanted: Wanted, seconds: int) -> None:
    """Run the image as it will serve, and replay the recorded rows; it is given no secret.

    Raises:
        VerificationFailed: It does not become ready, or says something else than in training.
        ContainerError: It could not be tried.
    """
    name = f"gitops-try-{wanted.described.model}-{os.getpid()}".lower()
    env = {"GITOPS_DIGEST": wanted.digest, "GITOPS_VERSION": wanted.number, TRIAL: "1"}
    started = engine.run(Start(wanted.tag, name, env))
    try:
        assert started.url  # noqa: S101 (it publishes its port)
        wrong = smoke.wait_ready(started.url, seconds, lambda: engine.alive(started.id))
        wrong = wrong or smoke.replay(started.url, wanted.files, wanted.digest)
        if wrong:
            logs = engine.logs(started.id, 30).strip()
            raise VerificationFailed(
                f"The image of version {wanted.number} was built and gives a bad answer: {' '.join(wrong)}",
                f"It was not pushed. It printed:\n{logs or 'nothing.'}",
            )
    finally:
        engine.remove(started.id)


def publish(engine: Engine, wanted: Wanted, repository_name: str) -> str:
    """Push the image; its reference, which names its content and nothing else: `repository@sha256:...`."""
    name = f"{repository_name}:version-{wanted.number}-{wanted.digest.removeprefix('sha256:')[:12]}"
    engine.tag(wanted.tag, name)
    with logged_in(engine, name, repository_name) as pushing:
        return f"{repository_name}@{pushing.push(name)}"


def repository_name(repository: Repository) -> str:
    """Where images are pushed.

    Raises:
        ConfigError: model.toml names no place, and this is no job of GitHub Actions.
    """
    named, on_github = repository.config.image.repository, os.environ.get("GITHUB_REPOSITORY")
    if named is None and not on_github:
        raise ConfigError(
            "Nobody says where the image is to be pushed.",
            "Set `repository` under [image] in model.toml, such as ghcr.io/owner/name; or build it with `--local`.",
        )
    return named or f"{GHCR}/{on_github}".lower()


def labels(repository: Repository, wanted: Wanted, library_version: str | None) -> dict[str, str]:
    """Return what the image says of itself, in the words of the Open Container Initiative.

    Args:
        repository: The clone.
        wanted: The version.
        library_version: Version of this library in the image; None where it holds a copy of the source, as in 0.1.
    """
    described = wanted.described
    said = {
        "title": described.model,
        "version": wanted.number,
        "revision": described.lineage.commit,
        "source": _source(repository),
        "base.name": (repository.config.image.base or "").partition("@")[0],
        "base.digest": (repository.config.image.base or "").partition("@")[2],
    }
    named = {f"org.opencontainers.image.{key}": value for key, value in said.items() if value}
    own = {"gitops.digest": wanted.digest, "gitops.library": library_version}
    return named | {key: value for key, value in own.items() if value}


def _source(repository: Repository) -> str:
    """The address of the repository, without the name and password that may stand in it."""
    server, name = os.environ.get("GITHUB_SERVER_URL"), os.environ.get("GITHUB_REPOSITORY")
    if server and name:
        return f"{server}/{name}"
    root, remote = repository.root, repository.config.store.remote
    parts = urlsplit(
        git.run(root, "remote", "get-url", remote) if git.succeeds(root, "remote", "get-url", remote) else ""
    )
    if parts.scheme not in {"http", "https"}:
        return ""
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path.removesuffix('.git')}"


def _base(repository: Repository, described: Run) -> str:
    """The image with Python; one of those that the Dockerfile pins, where model.toml names none."""
    python = ".".join(described.lineage.python.split(".")[:2])
    dockerfile = (repository.root / FOLDER / "Dockerfile").read_text(encoding="utf-8")
    if repository.config.image.base is None and f"AS python{python}\n" not in dockerfile:
        raise ContainerError(
            f"The version was trained with Python {python}, for which {FOLDER}/Dockerfile pins no image.",
            "Name one with `base` under [image] in model.toml.",
        )
    return repository.config.image.base or f"python{python}"
