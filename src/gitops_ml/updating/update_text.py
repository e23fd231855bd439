"""Text of an update: each file that changes, with the reason, and what to type next."""

import json
from collections.abc import Iterator
from pathlib import Path

from gitops_ml import git
from gitops_ml.update_report import ReportItem, ReportSection, UpdateReport
from gitops_ml.updating.copied_library import COPIES
from gitops_ml.updating.file_owners import ANSWERS, find_owner
from gitops_ml.updating.git_trees import Tree, read_contents, write_tree
from gitops_ml.updating.library_files import LibraryFiles
from gitops_ml.updating.update_files import UpdatedFiles


def write_report(
    root: Path, updated: UpdatedFiles, main: str, tree: str, old: LibraryFiles | None, new: LibraryFiles
) -> UpdateReport:
    """Return what the update changes, and why; its text is the message of the update's commit.

    Args:
        root: Root of the clone.
        updated: Files of the repository after the update.
        main: Commit that the update starts from.
        tree: Tree with these files.
        old: Version of the library that main pins; None if main has a copy of 0.1.
        new: The new version of the library.
    """
    sections = (
        ReportSection("Conflicts: edit these files on the branch until no marker is left, and commit", tuple(
            ReportItem(path, "both you and the template changed the same lines") for path in updated.conflicts
        )),
        ReportSection("Left to you", tuple(ReportItem(path, why) for path, why in sorted(updated.todo.items()))),
        ReportSection("Changed", tuple(_changes(root, updated, tree, old, new))),
        ReportSection("Not changed", tuple(_kept(updated))),
        ReportSection("New gates, which are on by default (`gitops docs update`)", tuple(_new_gates(old, new))),
        ReportSection("New questions of the template, with the answers that were taken",
                      tuple(_new_answers(root, updated))),
    )  # fmt: skip
    return UpdateReport(
        earlier=old.version if old else "the copy of 0.1", version=new.version, training=_first_sentence(updated),
        retrains=bool(updated.locks.retraining), conflicts=tuple(updated.conflicts),
        sections=tuple(section for section in sections if section.items), main=main, tree=tree,
    )  # fmt: skip


def _first_sentence(updated: UpdatedFiles) -> str:
    if updated.locks.retraining:
        return (
            "This update retrains, because these packages change in the locks of training and serving: "
            f"{', '.join(updated.locks.retraining)}."
        )
    return "This update retrains nothing: the locks of training and serving stay as they are."


def _changes(
    root: Path, updated: UpdatedFiles, tree: str, old: LibraryFiles | None, new: LibraryFiles
) -> Iterator[ReportItem]:
    """Yield a line for each file that the update changes."""
    before, after = updated.before, updated.after
    counts, template_renames = _count_lines(root, updated, tree), _list_renames(root, updated, tree)
    renamed = updated.moved.renamed if updated.moved else {}
    if updated.moved and updated.moved.removed:
        folders = " and ".join(COPIES)
        reason = f"the copy of the library is removed ({updated.moved.removed} files); the wheel replaces it"
        yield ReportItem(folders, reason)
    pinned = []
    for path in sorted(before.keys() | after.keys()):
        if before.get(path) == after.get(path) or path in updated.conflicts:
            continue
        if find_owner(path) == "pinned":
            pinned += [path] if path in after else []
        elif path not in after and (path.startswith(COPIES) or path in renamed.values()) and path not in updated.todo:
            continue
        elif path in template_renames:
            yield ReportItem(path, f"the template moved it from {template_renames[path]}; your changes move with it")
        elif path not in template_renames.values() and (path not in updated.todo or path in after):
            yield ReportItem(path, _reason(path, updated, renamed), counts.get(path, ""))
    if pinned:
        before_version = f", {new.version} instead of {old.version}" if old else f" {new.version}"
        yield ReportItem(", ".join(pinned), f"the library{before_version}")


def _reason(path: str, updated: UpdatedFiles, renamed: dict[str, str]) -> str:
    """Return why a file changes."""
    before, after, base = updated.before, updated.after, updated.base
    if path in updated.locks.reasons:
        return updated.locks.reasons[path]
    if path in renamed and path in after:
        return f"moved from {renamed[path]}, unchanged"
    if path == ANSWERS:
        return "the answers of the new template, and its version"
    if path not in before:
        return "new in the template" if path in updated.theirs else "moved"
    if path not in after:
        return "the template no longer has it" if path not in updated.theirs else "moved"
    note = f"; {updated.notes[path]}" if path in updated.notes else ""
    return ("the template changed it" if before[path] == base.get(path) else
            "the template changed it; your changes are kept") + note  # fmt: skip


def _count_lines(root: Path, updated: UpdatedFiles, tree: str) -> dict[str, str]:
    """Return the numbers of added and removed lines, as a text by path."""
    options = ("diff-tree", "-r", "-z", "--numstat", "--no-renames")
    fields = git.run(root, *options, write_tree(root, updated.before), tree).split("\0")
    lines = (field.split("\t", 2) for field in fields if field)
    return {path: f"+{added} -{removed}" for added, removed, path in lines
            if added != "-" and path in updated.before and path in updated.after}  # fmt: skip


def _list_renames(root: Path, updated: UpdatedFiles, tree: str) -> dict[str, str]:
    """Return the old paths of scaffold that the template moved, by its new paths."""
    options = ("diff-tree", "-r", "-z", "--name-status", "-M", "--diff-filter=R")
    fields = git.run(root, *options, write_tree(root, updated.before), tree).split("\0")
    renames = {new: old for _, old, new in zip(fields[::3], fields[1::3], fields[2::3], strict=False)}
    return {new: old for new, old in renames.items() if find_owner(new) == "scaffold" and new in updated.theirs
            and old in updated.base and old not in updated.theirs}  # fmt: skip


def _kept(updated: UpdatedFiles) -> Iterator[ReportItem]:
    """Yield a line for each file that the template changed, and the update does not."""
    for path, note in sorted(updated.notes.items()):
        if path not in updated.conflicts and updated.before.get(path) == updated.after.get(path):
            yield ReportItem(path, note)
    if updated.moved is None:
        yours = [path for path in _differing(updated.base, updated.theirs) if find_owner(path) == "yours"]
        samples = [path for path in yours if path in updated.before and path in updated.theirs]
        if samples:
            yield ReportItem(", ".join(samples), "yours; only the template's sample changed")


def _differing(base: Tree, theirs: Tree) -> list[str]:
    return sorted(path for path in base.keys() & theirs.keys() if base[path] != theirs[path])


def _new_gates(old: LibraryFiles | None, new: LibraryFiles) -> list[ReportItem]:
    return [ReportItem(id) for id in sorted(new.gates - old.gates)] if old else []


def _new_answers(root: Path, updated: UpdatedFiles) -> list[ReportItem]:
    """Return a line for each question that the old answers lack."""
    sides = [side[ANSWERS].id for side in (updated.before, updated.after) if ANSWERS in side]
    contents = read_contents(root, sides)
    answers = [json.loads(contents[id])["answers"] for id in sides]
    if len(answers) < 2:
        return []
    return [ReportItem(name, repr(answers[1][name])) for name in answers[1] if name not in answers[0]]


def next_commands(branch: str, main: str, has_conflicts: bool, is_remote: bool) -> str:
    """Return the commands to type after an update.

    Args:
        branch: Name of the branch with the update.
        main: Name of the revision that the branch starts at.
        has_conflicts: True if files have conflict markers.
        is_remote: True if main is the remote's.
    """
    switch = f"git switch {branch}"
    merge = f"git switch main && git merge --no-ff {branch}"
    commands = {
        "Look at it": f"git diff {main}...{branch}",
        **({"Resolve it": f"{switch}, edit the files with conflicts, and commit"} if has_conflicts else
           {"Try it": f"{switch} && make setup && make check"}),
        **({"Propose it": "run the same command with --propose"} if is_remote else {"Merge it": merge}),
        "Reject it": f"git branch -D {branch}",
    }  # fmt: skip
    lines = [f"  {f'{name}:':12} {command}" for name, command in commands.items()]
    return "\n".join([f"The branch {branch} has one commit on {main}.", *lines])
