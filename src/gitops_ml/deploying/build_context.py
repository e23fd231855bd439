"""The build context of a version: a folder with its code and configuration, its lock and library, and its files."""

import os
import shutil
import tarfile
import tempfile
import tomllib
from contextlib import suppress
from pathlib import Path

from gitops_ml import git, library
from gitops_ml.config import FILE, Repository
from gitops_ml.errors import ConfigError, GitopsError
from gitops_ml.manifest import verify

LOCK = "requirements/serve.txt"
RUN = "run"
IGNORED = shutil.ignore_patterns("__pycache__", "*.pyc", "*.egg-info", ".*_cache")


def assemble(repository: Repository, commit: str | None, files: Path, digest: str, folder: Path) -> None:
    """Write the folder from which a server of a version runs.

    It holds `model.toml`, `requirements/serve.txt`, your code, and the library with its pin, all from the version's
    commit, and the version's files in `run`. It holds neither Git nor data. Lock and library are of the same commit,
    because the library was tested with the packages of that lock, and the model was trained with them.

    Args:
        repository: The clone.
        commit: Commit that the version was trained from; None for a version that was trained from uncommitted files,
            to take the files of the clone.
        files: Folder of the version's files.
        digest: Digest of their manifest; they are verified first.
        folder: Folder to write; it must not exist.

    Raises:
        IntegrityError: The files are not those that the digest names.
        ConfigError: The commit is not available, or lacks a required file.
    """
    verify(files, digest)
    folder.mkdir(parents=True)
    if commit is None:
        _copy_from_clone(repository.root, folder)
    else:
        _extract_from_commit(repository, commit, folder)
    if library.pinned_version(folder) is None and not library.is_copied(folder):
        raise ConfigError(
            f"{library.PIN} is missing{f' at commit {commit[:12]}' if commit else ''}, so the version of the library "
            "is unknown.",
            "Restore it from Git, or generate the repository again with the template's hooks.",
        )
    shutil.copytree(files, folder / RUN)
    verify(folder / RUN, digest)  # what was copied is what was verified


def normalize_metadata(folder: Path, timestamp: int) -> None:
    """Set times and permissions of all files in a folder, so that the same content gives the same layer.

    Args:
        folder: The folder.
        timestamp: Modification time of all files, in seconds since 1970.
    """
    for path in [*folder.rglob("*"), folder]:
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() else 0o644)
        os.utime(path, (timestamp, timestamp), follow_symlinks=False)


def find_log_sink(repository: Repository, commit: str | None) -> str:
    """Return the sink of a version's prediction log, from the model.toml of its commit; empty if it has no log.

    Args:
        repository: The clone.
        commit: Commit that the version was trained from. If it is None or not available, the model.toml of the clone
            is read.
    """
    text = None
    if commit is not None:
        with suppress(GitopsError):
            _fetch(repository, commit)
            text = git.read_file(repository.root, commit, FILE)
    if text is None:
        return repository.config.log.sink
    # Only this key is read, because the rest of an old file may not be valid any more.
    log = tomllib.loads(text).get("log")
    return str(log.get("sink", "")) if isinstance(log, dict) else ""


def _fetch(repository: Repository, commit: str) -> None:
    """Fetch a commit if the clone lacks it; the clone of a job is shallow."""
    if git.resolve(repository.root, commit) is None:
        git.run(repository.root, "fetch", "--quiet", "--depth=1", repository.config.store.remote, commit)


def _copy_from_clone(root: Path, folder: Path) -> None:
    for name in (FILE, LOCK, library.PIN):
        (folder / name).parent.mkdir(exist_ok=True)
        if (root / name).is_file():
            shutil.copyfile(root / name, folder / name)
    for name in ("src", library.VENDOR):
        if (root / name).is_dir():
            shutil.copytree(root / name, folder / name, ignore=IGNORED)


def _extract_from_commit(repository: Repository, commit: str, folder: Path) -> None:
    root = repository.root
    with tempfile.TemporaryDirectory() as scratch:
        archive = Path(scratch, "commit.tar")
        try:
            _fetch(repository, commit)
            pinned = [name for name in (library.PIN, library.VENDOR) if _has_path(root, commit, name)]
            git.run(root, "archive", f"--output={archive}", commit, "--", FILE, LOCK, "src", *pinned)
        except GitopsError as error:
            raise ConfigError(
                f"The version's commit {commit[:12]} is not available: {error.problem}",
                f"The commit must be in the repository's history and contain {FILE}, {LOCK} and src.",
            ) from error
        with tarfile.open(archive) as tar:
            tar.extractall(folder, filter="data")


def _has_path(root: Path, commit: str, name: str) -> bool:
    """Return whether a commit has a file or folder with this path."""
    return bool(git.run(root, "ls-tree", "--name-only", commit, "--", name))
