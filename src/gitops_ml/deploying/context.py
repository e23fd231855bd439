"""What a served version needs, as one folder: its code and configuration, its lock and library, its files."""

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
LITTER = shutil.ignore_patterns("__pycache__", "*.pyc", "*.egg-info", ".*_cache")


def assemble(repository: Repository, commit: str | None, files: Path, digest: str, folder: Path) -> None:
    """Write the folder that a server of this version works in.

    It holds `model.toml`, `requirements/serve.txt`, your code, and the library with its pin, all as the version's
    commit has them, and the version's files in `run`. Nothing else: no Git, no data. Lock and library are of the same
    commit, for the library was tested with the packages of that lock, and the model was made by them.

    Args:
        repository: The clone.
        commit: That the version was trained from; None takes what lies in the clone, for a version that was trained
            from files that were never committed.
        files: The version's files.
        digest: Of their manifest; they are verified before anything is written.
        folder: Where to; it does not exist yet.

    Raises:
        IntegrityError: The files are not those that the digest names.
        ConfigError: The commit, or what must be in it, cannot be had.
    """
    verify(files, digest)
    folder.mkdir(parents=True)
    if commit is None:
        _copy_yours(repository.root, folder)
    else:
        _extract_yours(repository, commit, folder)
    if library.pinned(folder) is None and not library.is_copied(folder):
        raise ConfigError(
            f"{library.PIN} is missing{f' at commit {commit[:12]}' if commit else ''}, so nothing says which library "
            "serves.",
            "Restore it from Git, or generate the repository again with the template's hooks.",
        )
    shutil.copytree(files, folder / RUN)
    verify(folder / RUN, digest)  # what was copied is what was verified


def settle(folder: Path, when: int) -> None:
    """Give everything in a folder the same age and the usual rights, so that the same content is the same layer."""
    for path in [*folder.rglob("*"), folder]:
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() else 0o644)
        os.utime(path, (when, when), follow_symlinks=False)


def named_sink(repository: Repository, commit: str | None) -> str:
    """Where the prediction log of a version lies, as the model.toml has it that the version reads; empty: it has none.

    Args:
        repository: The clone.
        commit: That the version was trained from; today's model.toml counts where it is unknown or cannot be had.
    """
    text = None
    if commit is not None:
        with suppress(GitopsError):
            _fetch(repository, commit)
            text = git.show(repository.root, commit, FILE)
    if text is None:
        return repository.config.log.sink
    # One key, for today's rules need not accept the rest of an old file.
    log = tomllib.loads(text).get("log")
    return str(log.get("sink", "")) if isinstance(log, dict) else ""


def _fetch(repository: Repository, commit: str) -> None:
    """Have a commit here: a job's clone is shallow."""
    if git.resolve(repository.root, commit) is None:
        git.run(repository.root, "fetch", "--quiet", "--depth=1", repository.config.store.remote, commit)


def _copy_yours(root: Path, folder: Path) -> None:
    for name in (FILE, LOCK, library.PIN):
        (folder / name).parent.mkdir(exist_ok=True)
        if (root / name).is_file():
            shutil.copyfile(root / name, folder / name)
    for name in ("src", library.VENDOR):
        if (root / name).is_dir():
            shutil.copytree(root / name, folder / name, ignore=LITTER)


def _extract_yours(repository: Repository, commit: str, folder: Path) -> None:
    root = repository.root
    with tempfile.TemporaryDirectory() as scratch:
        archive = Path(scratch, "yours.tar")
        try:
            _fetch(repository, commit)
            pinned = [name for name in (library.PIN, library.VENDOR) if _holds(root, commit, name)]
            git.run(root, "archive", f"--output={archive}", commit, "--", FILE, LOCK, "src", *pinned)
        except GitopsError as error:
            raise ConfigError(
                f"What the version was trained from, commit {commit[:12]}, cannot be had: {error.what}",
                f"It must be in the history, and hold {FILE}, {LOCK} and src.",
            ) from error
        with tarfile.open(archive) as packed:
            packed.extractall(folder, filter="data")


def _holds(root: Path, commit: str, name: str) -> bool:
    """Return whether a commit has a file or folder of this name."""
    return bool(git.run(root, "ls-tree", "--name-only", commit, "--", name))
