"""Merge three trees with `git merge-tree`, and decide by rule what it leaves open.

Git 2.38 has `merge-tree --write-tree`. It takes commits, so each tree gets one. Nothing but objects is written.
"""

import os
import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from gitops_ml import git
from gitops_ml.errors import StoreError
from gitops_ml.updating.git_trees import (
    Tree,
    TreeEntry,
    read_contents,
    read_tree,
    write_commit,
    write_content,
    write_tree,
)

MINIMUM_GIT = (2, 38)
# Results must not depend on the user's configuration.
SETTINGS = (
    "merge.conflictStyle=diff3", "merge.directoryRenames=false", "merge.renames=true", "merge.renameLimit=7000",
    "diff.renames=true", "diff.algorithm=histogram", "core.autocrlf=false", "core.attributesFile=/dev/null",
)  # fmt: skip
# The commits of the sides are the same each time.
IDENTITY = {
    f"GIT_{role}_{part}": value
    for role in ("AUTHOR", "COMMITTER")
    for part, value in (("NAME", "gitops"), ("EMAIL", git.EMAIL), ("DATE", "2000-01-01T00:00:00Z"))
}
BASE, OURS, THEIRS = "1", "2", "3"
OTHER_KIND = "yours and the template's are files of different kinds, such as a link; yours is kept"
UNMERGEABLE = "both you and the template changed it, and it cannot be merged; yours is kept"


@dataclass(frozen=True)
class MergeLabels:
    """Names of the sides in conflict markers.

    Attributes:
        base: Name of the common ancestor.
        ours: Name of the repository's side.
        theirs: Name of the new template's side.
    """

    base: str
    ours: str
    theirs: str


@dataclass
class MergedFiles:
    """Result of a merge.

    Attributes:
        tree: Files by path; those with conflicts contain markers.
        conflicts: Paths of files with markers.
        notes: Phrases about decisions of the merge, by path.
    """

    tree: Tree
    conflicts: list[str] = field(default_factory=list)
    notes: dict[str, str] = field(default_factory=dict)


def require_git(root: Path) -> None:
    """Check that the installed git can merge trees.

    Args:
        root: Root of the clone.

    Raises:
        StoreError: git is too old.
    """
    version = git.run(root, "--version")
    numbers = tuple(int(part) for part in re.findall(r"\d+", version)[:2])
    if numbers < MINIMUM_GIT:
        raise StoreError(f"An update needs git 2.38 or newer, and this is {version}.", "Install a newer git.")


def merge_trees(root: Path, base: Tree, ours: Tree, theirs: Tree, labels: MergeLabels) -> MergedFiles:
    """Merge two trees with a common ancestor.

    Args:
        root: Root of the clone.
        base: Common ancestor.
        ours: The repository's files.
        theirs: The new template's files.
        labels: Names of the sides in conflict markers.

    Returns:
        The merged files, with notes about conflicts.
    """
    ancestor = _commit(root, base, "base")
    commits = (ancestor, _commit(root, ours, "ours", ancestor), _commit(root, theirs, "theirs", ancestor))
    tree_id, stages = _run_merge(root, commits[1], commits[2])
    sides = (base, ours, theirs)
    merged = MergedFiles(_without_collisions(read_tree(root, tree_id), commits))
    for path, found in stages.items():
        _resolve(merged, path, found, sides)
    _restore_collisions(merged, sides)
    _restore_lost(merged, sides)
    _label(root, merged, theirs, commits, labels)
    return merged


def _commit(root: Path, tree: Tree, name: str, parent: str | None = None) -> str:
    return write_commit(root, write_tree(root, tree), [parent] if parent else [], name, IDENTITY)


def _run_merge(root: Path, ours: str, theirs: str) -> tuple[str, dict[str, set[str]]]:
    """Return the merged tree, and the stages of each path with a conflict."""
    options = [option for setting in SETTINGS for option in ("-c", setting)]
    with tempfile.TemporaryDirectory() as empty:
        # Without working tree and index, no attributes apply, which could name other merge programs.
        env = {"GIT_WORK_TREE": empty, "GIT_INDEX_FILE": os.path.join(empty, "index"),
               "GIT_DIR": git.run(root, "rev-parse", "--absolute-git-dir")}  # fmt: skip
        command = (*options, "merge-tree", "--write-tree", "-z", ours, theirs)
        output = os.fsdecode(git.run_bytes(root, *command, env=env, exit_codes=(0, 1)))
    tree, *fields = output.split("\0")
    stages: dict[str, set[str]] = {}
    for line in fields:
        if not line:
            break
        described, path = line.split("\t", 1)
        stages.setdefault(path, set()).add(described.split(" ")[2])
    return tree, stages


def _without_collisions(tree: Tree, commits: tuple[str, str, str]) -> Tree:
    """Remove the files that Git writes beside a folder of the same name, as `path~COMMIT`."""
    marks = tuple(f"~{commit}" for commit in commits)
    return {path: entry for path, entry in tree.items() if not any(mark in path for mark in marks)}


def _resolve(merged: MergedFiles, path: str, stages: set[str], sides: tuple[Tree, Tree, Tree]) -> None:
    """Decide about a path with a conflict: a deletion by its rule, a change of content by its markers."""
    base, ours, theirs = sides
    if "~" in path and path not in base and path not in ours and path not in theirs:
        return  # a collision, which is restored below
    if stages in ({BASE, OURS}, {BASE, THEIRS}) and path in ours and path in theirs:
        merged.tree[path] = ours[path]
        merged.notes[path] = OTHER_KIND
    elif stages == {BASE, THEIRS}:
        merged.tree.pop(path, None)
        merged.notes[path] = "you deleted it; it stays deleted, although the template changed it"
    elif stages == {BASE, OURS}:
        merged.tree[path] = ours[path]
        merged.notes[path] = "the template no longer has it; it is kept, because you changed it"
    elif stages == {BASE}:
        merged.tree.pop(path, None)  # both sides renamed it, to other names
    elif stages == {THEIRS}:
        merged.tree.pop(path, None)
        merged.notes[path] = "the template has it now; it is not added, because yours is in its place"
    else:
        merged.conflicts.append(path)


def _restore_collisions(merged: MergedFiles, sides: tuple[Tree, Tree, Tree]) -> None:
    """Keep the repository's files where it and the template have a file and a folder of the same name."""
    base, ours, theirs = sides
    for path in find_collisions(ours, theirs):
        kept = _below(ours, path)
        if kept == _below(base, path):
            continue  # only the template changed it
        inside = _below(merged.tree, path)
        merged.tree = {each: entry for each, entry in merged.tree.items() if each not in inside} | kept
        merged.conflicts = [each for each in merged.conflicts if each != path and not each.startswith(f"{path}/")]
        merged.notes = {each: note for each, note in merged.notes.items() if not each.startswith(f"{path}/")}
        merged.notes[path] = "one of you and the template has a file of this name, the other a folder; yours is kept"


def _restore_lost(merged: MergedFiles, sides: tuple[Tree, Tree, Tree]) -> None:
    """Keep a file of the repository that Git moved aside, such as a link in the place of a file."""
    base, ours, theirs = sides
    for path, entry in ours.items():
        if path not in merged.tree and entry != base.get(path) and (path in theirs or path not in base):
            merged.tree[path] = entry
            merged.notes[path] = OTHER_KIND


def _below(tree: Tree, path: str) -> Tree:
    """Return the file with a path, or the files in the folder with this path."""
    return {each: entry for each, entry in tree.items() if each == path or each.startswith(f"{path}/")}


def find_collisions(ours: Mapping[str, TreeEntry], theirs: Mapping[str, TreeEntry]) -> list[str]:
    """Return the paths that are a file in one tree and a folder in the other.

    Args:
        ours: Files by path.
        theirs: Files by path.
    """
    return sorted((ours.keys() & _folders(theirs)) | (theirs.keys() & _folders(ours)))


def _folders(tree: Mapping[str, TreeEntry]) -> set[str]:
    return {str(parent) for path in tree for parent in list(Path(path).parents)[:-1]}


def _label(root: Path, merged: MergedFiles, theirs: Tree, commits: tuple[str, str, str], labels: MergeLabels) -> None:
    """Write readable names into the conflict markers; a file without markers, such as an image, stays ours."""
    contents = read_contents(root, [merged.tree[path].id for path in merged.conflicts if path in merged.tree])
    for path in list(merged.conflicts):
        entry = merged.tree.get(path)
        content = contents.get(entry.id, b"") if entry else b""
        if entry is None or f"<<<<<<< {commits[1]}".encode() not in content:
            merged.conflicts.remove(path)
            if path in theirs:  # otherwise only its name was in conflict
                merged.notes.setdefault(path, UNMERGEABLE)
            continue
        for commit, name in zip(commits, (labels.base, labels.ours, labels.theirs), strict=True):
            # Git abbreviates the commit of the ancestor, and appends the path after a rename.
            pattern = rb"(?m)^([<|>]{7,} )" + commit[:7].encode() + rb"[0-9a-f]*(?=$|:| )"
            content = re.sub(pattern, rb"\g<1>" + name.encode(), content)
        merged.tree[path] = TreeEntry(entry.mode, write_content(root, content))
