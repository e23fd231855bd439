"""Compute the files of a repository after an update, with the reason for each change."""

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from gitops_ml import library
from gitops_ml.locks import LibraryRequirements
from gitops_ml.updating import copied_library, template_rendering
from gitops_ml.updating.copied_library import Moved
from gitops_ml.updating.file_owners import ANSWERS, find_owner
from gitops_ml.updating.git_trees import FILE, Tree, TreeEntry, read_contents, read_tree, write_content, write_folder
from gitops_ml.updating.library_files import LibraryFiles
from gitops_ml.updating.lock_renewal import EarlierRequirements, LockChanges, renew_locks
from gitops_ml.updating.pinned_references import merge_references
from gitops_ml.updating.three_way_merge import MergedFiles, MergeLabels, find_collisions, merge_trees

REGULAR = ("100644", "100755")


@dataclass
class UpdatedFiles:
    """A repository after an update.

    Attributes:
        before: Files at main, by path.
        after: Files after the update, by path.
        base: Files of the old template.
        theirs: Files of the new template.
        conflicts: Paths of files with conflict markers.
        notes: Phrases about decisions, by path.
        todo: Phrases about what is left to people, by path.
        locks: Changes of locks.
        moved: Changes of a repository of 0.1; None for others.
    """

    before: Tree
    after: Tree
    base: Tree
    theirs: Tree
    conflicts: list[str] = field(default_factory=list)
    notes: dict[str, str] = field(default_factory=dict)
    todo: dict[str, str] = field(default_factory=dict)
    locks: LockChanges = field(default_factory=LockChanges)
    moved: Moved | None = None


def render_tree(root: Path, template: Path, answers: Mapping[str, str]) -> Tree:
    """Return the files of a rendered template, which are written to the object database.

    Args:
        root: Root of the clone.
        template: Folder of the template.
        answers: Recorded answers.

    Raises:
        ConfigError: An answer is not among the choices of its question.
    """
    with tempfile.TemporaryDirectory() as scratch:
        return write_folder(root, template_rendering.render(template, answers, Path(scratch)))


def update_files(
    root: Path, main: str, old: LibraryFiles | None, new: LibraryFiles, answers: Mapping[str, str]
) -> UpdatedFiles:
    """Merge the new template into the repository.

    Args:
        root: Root of the clone.
        main: Commit of main.
        old: Version of the library that main pins; None if main has a copy of 0.1.
        new: The new version of the library.
        answers: Recorded answers.

    Returns:
        The files before and after, with the reasons.

    Raises:
        ConfigError: An answer is not allowed, or the locks cannot be compiled.
    """
    before = read_tree(root, main)
    with tempfile.TemporaryDirectory() as scratch:
        template = template_rendering.unpack(new.template, Path(scratch, "new"))
        template_rendering.check_answers(template, answers)
        theirs = render_tree(root, template, answers)
        moved = None
        if old is None:
            old_template, digests = copied_library.unpack(Path(scratch, "old"))
            moved = copied_library.move_to_library(root, render_tree(root, old_template, answers), before, digests)
            base, ours = moved.base, moved.ours
        else:
            base = render_tree(root, template_rendering.unpack(old.template, Path(scratch, "old")), answers)
            ours = before
    updated = UpdatedFiles(before, {}, base, theirs, moved=moved, todo=dict(moved.todo) if moved else {})
    _merge(root, updated, ours, MergeLabels(*_names(old, new)))
    _replace_library(root, updated, new)
    required = old.requirements if old else LibraryRequirements(copied_library.VERSION, ())
    earlier = EarlierRequirements(before, required)
    updated.locks = renew_locks(root, updated.after, base, theirs, new, earlier)
    updated.after |= updated.locks.entries
    return updated


def _names(old: LibraryFiles | None, new: LibraryFiles) -> tuple[str, str, str]:
    return f"template {old.version if old else copied_library.VERSION}", "yours", f"template {new.version}"


def _merge(root: Path, updated: UpdatedFiles, ours: Tree, labels: MergeLabels) -> None:
    """Merge the scaffold, and keep everything else."""
    sides = tuple({path: entry for path, entry in side.items() if find_owner(path) == "scaffold"}
                  for side in (updated.base, ours, updated.theirs))  # fmt: skip
    (base, own, theirs), notes, endings = _prepare(root, *sides)
    merged = merge_trees(root, base, own, theirs, labels)
    _restore_endings(root, merged, endings)
    updated.conflicts, updated.notes = sorted(merged.conflicts), notes | merged.notes
    kept = {path: entry for path, entry in ours.items() if find_owner(path) != "scaffold"}
    if updated.moved:
        kept |= _merge_requirements(root, updated, ours)
        kept = {path: entry for path, entry in kept.items() if not _is_dropped_lock(path, updated, ours)}
    for path, entry in updated.theirs.items():
        is_new = path not in ours and path not in updated.base
        if is_new and find_owner(path) in ("yours", "lock"):
            kept[path] = entry
    updated.after = _join(kept, merged.tree, ours, updated)
    if ANSWERS in updated.theirs:
        updated.after[ANSWERS] = updated.theirs[ANSWERS]


def _join(kept: Tree, merged: Tree, ours: Tree, updated: UpdatedFiles) -> Tree:
    """Join files of all owners; where file and folder have the same name, the repository's are kept."""
    joined = {**kept, **merged}
    added = {path for path in joined if path not in ours}
    for path in find_collisions(joined, joined):
        dropped = {each for each in added if each == path or each.startswith(f"{path}/")}
        joined = {each: entry for each, entry in joined.items() if each not in dropped}
        updated.notes[path] = "one of you and the template has a file of this name, the other a folder; yours is kept"
    return joined


def _is_dropped_lock(path: str, updated: UpdatedFiles, ours: Tree) -> bool:
    """Return whether a lock of 0.1 is left without its .in file, and was never changed."""
    unchanged = ours.get(path) == updated.base.get(path)
    return path.startswith("requirements/") and path not in updated.theirs and unchanged


def _merge_requirements(root: Path, updated: UpdatedFiles, ours: Tree) -> Tree:
    """Merge the .in files of 0.1, which list the packages of the library; later they name the library."""
    sides = (updated.base, ours, updated.theirs)
    paths = [path for path in ours if path.startswith("requirements/") and path.endswith(".in")
             and all(path in side for side in sides)]  # fmt: skip
    contents = read_contents(root, [side[path].id for side in sides for path in paths])
    merged = {}
    for path in paths:
        texts = [contents[side[path].id].decode(errors="surrogateescape") for side in sides]
        text = copied_library.merge_requirements(*texts)
        merged[path] = TreeEntry(ours[path].mode, write_content(root, text.encode(errors="surrogateescape")))
    return merged


def _replace_library(root: Path, updated: UpdatedFiles, new: LibraryFiles) -> None:
    """Replace the wheel and its pin."""
    updated.after = {path: entry for path, entry in updated.after.items() if find_owner(path) != "pinned"}
    updated.after[library.PIN] = TreeEntry(FILE, write_content(root, new.pin.encode()))
    if new.wheel is not None:
        path = f"{library.VENDOR}/{new.wheel_name}"
        updated.after[path] = TreeEntry(FILE, write_content(root, new.wheel))


def _prepare(
    root: Path, base: Tree, ours: Tree, theirs: Tree
) -> tuple[tuple[Tree, Tree, Tree], dict[str, str], set[str]]:
    """Make the sides comparable: the same versions of pinned references, and line feeds as line endings.

    Returns:
        The three sides; notes by path; and the files whose lines end with CRLF in the repository.
    """
    sides = (dict(base), dict(ours), dict(theirs))
    paths = [path for path in base if path in ours and path in theirs
             and len({base[path].id, ours[path].id, theirs[path].id}) > 1
             and all(side[path].mode in REGULAR for side in sides)]  # fmt: skip
    contents = read_contents(root, [side[path].id for side in sides for path in paths])
    notes, endings = {}, set()
    for path in paths:
        before = [contents[side[path].id] for side in sides]
        if any(b"\0" in each for each in before):
            continue
        texts = [each.decode(errors="surrogateescape") for each in before]
        if _has_crlf(texts[1]) and not _has_crlf(texts[0]):
            endings.add(path)
            texts[1] = texts[1].replace("\r\n", "\n")
        merged, both = merge_references(*texts)
        if both:
            notes[path] = "; ".join(f"both you and the template changed {each.name}: {each.reason}" for each in both)
        for side, old, text in zip(sides, before, merged, strict=True):
            content = text.encode(errors="surrogateescape")
            if content != old:
                side[path] = TreeEntry(side[path].mode, write_content(root, content))
    return sides, notes, endings


def _has_crlf(text: str) -> bool:
    return "\r\n" in text and text.count("\r\n") == text.count("\n")


def _restore_endings(root: Path, merged: MergedFiles, paths: set[str]) -> None:
    """Write CRLF again into the files whose lines ended with it."""
    present = [path for path in sorted(paths) if path in merged.tree]
    contents = read_contents(root, [merged.tree[path].id for path in present])
    for path in present:
        entry = merged.tree[path]
        merged.tree[path] = TreeEntry(entry.mode, write_content(root, contents[entry.id].replace(b"\n", b"\r\n")))
