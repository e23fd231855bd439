"""An update that one job merges and another one proposes.

The code of the new version does the merge, before any review of it. So the job that merges has no permission to write,
and the job that has one runs the code of main alone. That job takes from the first one the update's commit, as
objects of Git, and the report that people read; it pushes the commit to the branch of updates and to no other.
"""

import json
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packaging.version import InvalidVersion, Version

from gitops_ml import git, manifest
from gitops_ml.errors import IntegrityError
from gitops_ml.update_report import UpdateReport

FILE, PACK = "update.json", "update.pack"
COMMIT = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?")


@dataclass(frozen=True)
class MergedUpdate:
    """Result of a merge.

    Attributes:
        report: Changes of the update, with reasons; None if there is no update.
        reason: Why there is none; empty if there is one.
        is_newest: True if there is none because main pins the newest version.
    """

    report: UpdateReport | None
    reason: str = ""
    is_newest: bool = False


def write_merged(root: Path, folder: Path, merged: MergedUpdate, branch: str) -> str:
    """Write the result of a merge, for another clone of the same repository.

    Args:
        root: Root of the clone.
        folder: Folder to write; an older result in it is removed.
        merged: The result.
        branch: Branch of this clone that has the update.

    Returns:
        Digest of the folder's manifest.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    report = merged.report
    document = {"reason": merged.reason, "is_newest": merged.is_newest,
                "report": json.loads(report.to_json()) if report else None, "commit": None}  # fmt: skip
    if report:
        document["commit"] = git.run(root, "rev-parse", f"refs/heads/{branch}")
        objects = git.run_bytes(
            root, "pack-objects", "--revs", "--stdout", "--quiet",
            stdin=f"{document['commit']}\n^{report.main}\n".encode(),
        )  # fmt: skip
        (folder / PACK).write_bytes(objects)
    (folder / FILE).write_text(json.dumps(document), encoding="utf-8")
    return manifest.write_manifest(folder)


def read_merged(root: Path, folder: Path, digest: str, branch: str) -> MergedUpdate:
    """Read the result of a merge, and set the branch of this clone to the update, if there is one.

    Args:
        root: Root of the clone.
        folder: Folder that `write_merged` has filled.
        digest: Digest that it returned.
        branch: Branch to set.

    Returns:
        The result.

    Raises:
        IntegrityError: The files are others, or do not describe an update; no branch was changed.
    """
    try:
        manifest.verify(folder, digest)
    except IntegrityError as error:
        raise IntegrityError(error.problem, "No file in it was opened. Merge again: `gitops update --out`.") from error
    try:
        document: dict[str, Any] = json.loads((folder / FILE).read_text(encoding="utf-8"))
        merged = MergedUpdate(None, str(document["reason"]), document["is_newest"] is True)
        if document["report"] is None:
            return merged
        report = UpdateReport.from_json(json.dumps(document["report"]))
        Version(report.version)
        if not all(COMMIT.fullmatch(id) for id in (document["commit"], report.main, report.tree)):
            raise ValueError("an id is not one of Git's")
    except (ValueError, KeyError, TypeError, InvalidVersion) as error:
        raise IntegrityError(
            f"{folder / FILE} does not describe an update: {error}.",
            "The code of the new version may have changed it. Do not use that version; report it to its maintainers.",
        ) from error
    git.run_bytes(root, "unpack-objects", "-q", stdin=(folder / PACK).read_bytes())
    git.run(root, "update-ref", f"refs/heads/{branch}", document["commit"])
    return MergedUpdate(report)
