"""Provenance: whether the challenger can be reproduced from committed files and pinned libraries."""

import re

from gitops_ml import git
from gitops_ml.evidence_inputs import LOCK
from gitops_ml.library import NAME
from gitops_ml.run import Document
from gitops_ml.training.comparison_input import ComparisonInput

# Names of the library, the second in lineages of 0.1; its wheel is pinned outside of the lock.
LIBRARY = (NAME, "gitops")


class Provenance(Document):
    """Reproducibility of a version.

    Attributes:
        dirty: True if a file that training read was not committed.
        commit: True if the commit is in this repository's history.
        data: True if its data is the current data, or if it was trained with other inputs than the current ones.
        unpinned: Libraries of the training that are not as the lock pins them, or a note that there is no lock.
    """

    dirty: bool
    commit: bool
    data: bool
    unpinned: tuple[str, ...]

    @property
    def complete(self) -> bool:
        """True if the version can be reproduced."""
        return not self.dirty and self.commit and self.data and not self.unpinned


def check_provenance(inputs: ComparisonInput) -> Provenance | None:
    """Check the challenger's lineage.

    Args:
        inputs: Versions to compare.

    Returns:
        The result; None if only predictions are compared.
    """
    if inputs.repository is None:
        return None
    lineage, current, root = inputs.challenger.run.lineage, inputs.prepared.lineage, inputs.repository.root
    commit_is_known = bool(lineage.commit) and git.resolve(root, str(lineage.commit)) is not None
    return Provenance(
        dirty=lineage.dirty,
        commit=commit_is_known,
        data=lineage.training != current.training or lineage.data == current.data,
        unpinned=_unpinned(
            git.read_file(root, str(lineage.commit), LOCK) if commit_is_known else None, lineage.libraries
        ),
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
