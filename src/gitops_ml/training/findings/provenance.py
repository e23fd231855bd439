"""Whether somebody could make the challenger again: everything committed, and installed as the lock pins it."""

import re

from gitops_ml import git
from gitops_ml.bound import LOCK
from gitops_ml.library import NAME
from gitops_ml.run import Document
from gitops_ml.training.trial import Trial

# What the library is called, and was called in lineages of 0.1; its wheel is pinned outside of the lock.
LIBRARY = (NAME, "gitops")


class Provenance(Document):
    """What is known of where a version came from.

    Attributes:
        dirty: Something that its training read was not committed.
        commit: The commit is in this repository's history.
        data: Its data is the data that lies here, or its training is another one than today's.
        unpinned: Libraries that shaped it and are not what the lock pins, or that there is no lock.
    """

    dirty: bool
    commit: bool
    data: bool
    unpinned: tuple[str, ...]

    @property
    def complete(self) -> bool:
        """Whether nothing is missing."""
        return not self.dirty and self.commit and self.data and not self.unpinned


def provenance(trial: Trial) -> Provenance | None:
    """Look for the challenger's origins; None in a trial of predictions alone."""
    if trial.repository is None:
        return None
    lineage, here, root = trial.challenger.run.lineage, trial.prepared.lineage, trial.repository.root
    known = bool(lineage.commit) and git.resolve(root, str(lineage.commit)) is not None
    return Provenance(
        dirty=lineage.dirty,
        commit=known,
        data=lineage.training != here.training or lineage.data == here.data,
        unpinned=_unpinned(git.show(root, str(lineage.commit), LOCK) if known else None, lineage.libraries),
    )


def _unpinned(lock: str | None, libraries: dict[str, str]) -> tuple[str, ...]:
    if lock is None:
        return (f"there is no {LOCK}",)
    pins: dict[str, set[str]] = {}
    for name, version in re.findall(r"^([A-Za-z0-9_.-]+)==([^\s;\\]+)", lock, re.MULTILINE):
        pins.setdefault(name.lower(), set()).add(version)
    return tuple(
        f"{name} {version}" for name, version in sorted(libraries.items())
        if name not in LIBRARY and version not in pins.get(name.lower(), set())
    )  # fmt: skip
