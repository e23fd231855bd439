"""Lineage of a version, as digests, with the training digest of everything that training depends on."""

import platform
from importlib import metadata
from pathlib import Path

import pandas as pd

from gitops_ml import git
from gitops_ml.config import FILE, Repository
from gitops_ml.evidence_inputs import LOCK, training_tables, written_keys
from gitops_ml.library import NAME, PIN, VENDOR
from gitops_ml.manifest import digest_file, digest_json
from gitops_ml.run import Lineage
from gitops_ml.training.split import holdout_digest, resolve_cutoff

LIBRARIES = (NAME, "numpy", "pandas", "pandera", "scikit-learn", "scipy", "skops")


def lineage(repository: Repository, data: str, frame: pd.DataFrame, held_out: pd.DataFrame) -> Lineage:
    """Return the lineage of a training run that is about to start.

    Args:
        repository: Repository of the project.
        data: Digest of the data.
        frame: All rows.
        held_out: The held-out rows.
    """
    root, config = repository.root, repository.config
    cutoff = resolve_cutoff(config, frame)
    lock = digest_file(root / LOCK) if (root / LOCK).is_file() else None
    return Lineage(
        commit=git.resolve(root, "HEAD"),
        dirty=_is_dirty(repository),
        data=data,
        rows=len(frame),
        holdout=holdout_digest(held_out),
        holdout_rows=len(held_out),
        split=config.split,
        cutoff=cutoff.isoformat() if cutoff else None,
        training=digest_json([data, _package(repository), training_tables(config), lock]),
        configuration=digest_json(written_keys(config)),
        lock=lock,
        python=platform.python_version(),
        libraries={name: _version(name) for name in LIBRARIES},
    )


def _package(repository: Repository) -> dict[str, str]:
    """Return the digest of each file of the user's package."""
    folder = repository.root / "src" / repository.config.project.package
    files = (file for file in folder.rglob("*") if file.is_file() and "__pycache__" not in file.parts)
    return {file.relative_to(folder).as_posix(): digest_file(file) for file in sorted(files)}


def _is_dirty(repository: Repository) -> bool:
    """Return whether a file that training reads differs from HEAD."""
    root, data = repository.root, repository.config.data
    if git.resolve(root, "HEAD") is None:
        return True
    read = [FILE, LOCK, f"src/{repository.config.project.package}", PIN, VENDOR, *([data.path] if data.path else [])]
    present = [path for path in read if any(root.glob(path)) or Path(root / path).exists()]
    return bool(git.run(root, "status", "--porcelain", "--", *present))


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "not installed"
