"""The image of a version: built from its commit, its lock and its files, tested, and pushed.

The same version gives the same files in the same order, with the times and permissions that `normalize_metadata` sets.
The digest of an image still differs from build to build, because engines write more than files. So an image is built
once, and the record pins it.
"""

import os
import shutil
import tempfile
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from gitops_ml import git, library, pip_settings
from gitops_ml.config import Repository
from gitops_ml.deploying import build_context, sbom, smoke
from gitops_ml.deploying.container import ContainerSpec
from gitops_ml.deploying.engine import Engine
from gitops_ml.deploying.login import GHCR, logged_in
from gitops_ml.errors import ConfigError, ContainerError, VerificationFailed
from gitops_ml.prediction_log import SMOKE_TEST
from gitops_ml.printable import show_addresses
from gitops_ml.run import Run

FOLDER = "deploy"
APP = "app"
SBOM = "sbom.json"


@dataclass(frozen=True)
class VersionToBuild:
    """A version to build an image of.

    Attributes:
        number: Registry version number.
        digest: Digest of its files.
        files: Folder of its files, verified.
        run: Run document of the version.
    """

    number: str
    digest: str
    files: Path
    run: Run

    @property
    def commit(self) -> str | None:
        """Commit that it was trained from; None if it was trained from uncommitted files."""
        lineage = self.run.lineage
        return None if lineage.dirty else lineage.commit

    @property
    def tag(self) -> str:
        """Name of its image on this machine."""
        return f"gitops/{self.run.model.lower()}:{self.digest.removeprefix('sha256:')[:12]}"


def build(repository: Repository, engine: Engine, version: VersionToBuild) -> Path:
    """Build the image of a version under its tag on this machine.

    Args:
        repository: The clone.
        engine: Engine to build with.
        version: The version.

    Returns:
        The file with the SBOM, which the image contains too.

    Raises:
        IntegrityError: The version's files are not those that its digest names; nothing was built.
        ConfigError: The version's commit is not available.
        ContainerError: The engine did not build the image.
    """
    with tempfile.TemporaryDirectory() as scratch:
        folder, secrets = Path(scratch, "context"), Path(scratch, "secrets")
        build_context.assemble(repository, version.commit, version.files, version.digest, folder / APP)
        app = folder / APP
        files = (app / build_context.LOCK, app / library.PIN)
        pins = [file.read_text(encoding="utf-8") for file in files if file.is_file()]
        sbom_text = sbom.render_sbom(version.run, version.number, version.digest, "".join(pins))
        (folder / APP / SBOM).write_text(sbom_text, encoding="utf-8")
        _add_build_files(repository, version, folder)
        created = int(datetime.fromisoformat(version.run.created).timestamp())
        build_context.normalize_metadata(folder, created)
        secrets.mkdir(mode=0o700)
        engine.build(
            folder, version.tag,
            {"BASE": _base(repository, version.run), "DIGEST": version.digest, "VERSION": version.number},
            labels(repository, version, library.pinned_version(app)), pip_settings.write_build_secrets(secrets),
            created,
        )  # fmt: skip
    sbom_file = repository.scratch / "image" / SBOM
    sbom_file.parent.mkdir(parents=True, exist_ok=True)
    sbom_file.write_text(sbom_text, encoding="utf-8")
    return sbom_file


def _add_build_files(repository: Repository, version: VersionToBuild, folder: Path) -> None:
    """Add the locks, the wheel and the Dockerfile beside the version's folder.

    A version of a repository that the library 0.1 generated is built by the files of its own commit, as it was then.
    """
    app = folder / APP
    if library.is_copied(app):
        shutil.copyfile(app / build_context.LOCK, folder / "requirements.txt")
        for name in ("Dockerfile", "slim.py"):
            text = git.read_file(repository.root, version.commit or "HEAD", f"{FOLDER}/{name}")
            if text is None:
                raise ConfigError(f"Version {version.number} has no {FOLDER}/{name} at its commit.", "Train it again.")
            (folder / name).write_text(text + "\n", encoding="utf-8")
        return
    shutil.copytree(app / Path(library.PIN).parent, folder / Path(library.PIN).parent)
    (folder / library.VENDOR).mkdir()
    if (app / library.VENDOR).is_dir():
        shutil.copytree(app / library.VENDOR, folder / library.VENDOR, dirs_exist_ok=True)
        shutil.rmtree(app / library.VENDOR)
    shutil.copyfile(repository.root / FOLDER / "Dockerfile", folder / "Dockerfile")


def smoke_test(engine: Engine, version: VersionToBuild, seconds: int) -> None:
    """Start the image as it will serve, without secrets, and compare its predictions with the recorded ones.

    Args:
        engine: Engine that built the image.
        version: The version.
        seconds: Time limit for the server to become ready.

    Raises:
        VerificationFailed: The server does not become ready, or its predictions differ.
        ContainerError: The test could not be run.
    """
    name = f"gitops-try-{version.run.model}-{os.getpid()}".lower()
    env = {"GITOPS_DIGEST": version.digest, "GITOPS_VERSION": version.number, SMOKE_TEST: "1"}
    container = engine.run(ContainerSpec(version.tag, name, env))
    try:
        assert container.url  # noqa: S101 (it publishes its port)
        failures = smoke.wait_until_ready(container.url, seconds, lambda: engine.is_running(container.id))
        failures = failures or smoke.replay(container.url, version.files, version.digest)
        if failures:
            logs = engine.logs(container.id, 30).strip()
            raise VerificationFailed(
                f"The image of version {version.number} was built and failed its smoke test: {' '.join(failures)}",
                f"It was not pushed. It printed:\n{logs or 'nothing.'}",
            )
    finally:
        engine.remove(container.id)


def publish(engine: Engine, version: VersionToBuild, repository_name: str) -> str:
    """Push the image.

    Args:
        engine: Engine that built the image.
        version: The version.
        repository_name: Repository of the registry to push to, without a tag.

    Returns:
        Reference of the image by digest, `repository@sha256:...`.

    Raises:
        ContainerError: The registry does not accept the login or the image.
    """
    name = f"{repository_name}:version-{version.number}-{version.digest.removeprefix('sha256:')[:12]}"
    engine.tag(version.tag, name)
    with logged_in(engine, name, repository_name) as authenticated:
        return f"{repository_name}@{authenticated.push(name)}"


def repository_name(repository: Repository) -> str:
    """Return the repository of the registry to push images to.

    Args:
        repository: The clone; its model.toml may name it.

    Raises:
        ConfigError: model.toml names none, and this is not a job of GitHub Actions.
    """
    configured, on_github = repository.config.image.repository, os.environ.get("GITHUB_REPOSITORY")
    if configured is None and not on_github:
        raise ConfigError(
            "No registry is configured to push the image to.",
            "Set `repository` under [image] in model.toml, such as ghcr.io/owner/name; or build it with `--local`.",
        )
    return configured or f"{GHCR}/{on_github}".lower()


def labels(repository: Repository, version: VersionToBuild, library_version: str | None) -> dict[str, str]:
    """Return the labels of the image, with the annotation keys of the Open Container Initiative.

    Args:
        repository: The clone.
        version: The version.
        library_version: Version of this library in the image; None if it holds a copy of the source, as in 0.1.
    """
    run = version.run
    values = {
        "title": run.model,
        "version": version.number,
        "revision": run.lineage.commit,
        "source": _source(repository),
        "base.name": (repository.config.image.base or "").partition("@")[0],
        "base.digest": (repository.config.image.base or "").partition("@")[2],
    }
    standard = {f"org.opencontainers.image.{key}": value for key, value in values.items() if value}
    own = {"gitops.digest": version.digest, "gitops.library": library_version}
    return standard | {key: value for key, value in own.items() if value}


def _source(repository: Repository) -> str:
    """Return the URL of the repository, without a user name and password."""
    server, name = os.environ.get("GITHUB_SERVER_URL"), os.environ.get("GITHUB_REPOSITORY")
    if server and name:
        return f"{server}/{name}"
    root, remote = repository.root, repository.config.store.remote
    url = git.run(root, "remote", "get-url", remote) if git.succeeds(root, "remote", "get-url", remote) else ""
    return show_addresses(url).removesuffix(".git") if url.startswith(("http://", "https://")) else ""


def _base(repository: Repository, run: Run) -> str:
    """Return the base image: the one in model.toml, or else the stage of the Dockerfile for the Python version."""
    python = ".".join(run.lineage.python.split(".")[:2])
    dockerfile = (repository.root / FOLDER / "Dockerfile").read_text(encoding="utf-8")
    if repository.config.image.base is None and f"AS python{python}\n" not in dockerfile:
        raise ContainerError(
            f"The version was trained with Python {python}, for which {FOLDER}/Dockerfile pins no image.",
            "Set `base` under [image] in model.toml to an image with this Python.",
        )
    return repository.config.image.base or f"python{python}"
