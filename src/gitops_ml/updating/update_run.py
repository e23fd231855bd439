"""Update a repository with the code of the new library."""

from dataclasses import dataclass
from pathlib import Path

from gitops_ml import git, library
from gitops_ml.errors import ConfigError
from gitops_ml.update_report import UpdateReport
from gitops_ml.updating import copied_library, library_files, template_rendering, three_way_merge
from gitops_ml.updating.git_trees import write_tree
from gitops_ml.updating.library_files import LibraryFiles
from gitops_ml.updating.update_branch import BRANCH, commit_update
from gitops_ml.updating.update_files import update_files
from gitops_ml.updating.update_text import next_commands, write_report


@dataclass(frozen=True)
class UpdateResult:
    """Result of an update.

    Attributes:
        text: Text for the terminal.
        commit: Commit on the branch; None if there was nothing to do.
        conflicts: Paths of files with conflict markers.
        report: Changes of the update, with reasons; None if main has it already.
    """

    text: str
    commit: str | None = None
    conflicts: tuple[str, ...] = ()
    report: UpdateReport | None = None


def update(root: Path, new: LibraryFiles, branch: str = BRANCH, from_copied: bool = False) -> UpdateResult:
    """Merge a new version of library and template into main, and leave the result on a branch.

    Args:
        root: Root of the clone.
        new: The new version.
        branch: Name of the branch.
        from_copied: True if main has a copy of the library, as 0.1 generated it.

    Returns:
        The text for the user, and what was done.

    Raises:
        GitopsError: The repository cannot be updated; nothing was changed.
    """
    three_way_merge.require_git(root)
    name = git.main_ref(root)
    main = git.resolve(root, name)
    if main is None:
        raise ConfigError("main has no commit yet.", "Commit the generated repository first.")
    (copied_library.require_copy if from_copied else copied_library.refuse_copy)(root, main)
    old = None if from_copied else library_files.read_pinned(root, main)
    if old is not None and library.read_pin(old.pin) == library.read_pin(new.pin):
        return UpdateResult(f"Nothing to do: main pins gitops-ml {new.version} already.")
    updated = update_files(root, main, old, new, template_rendering.read_answers(root, main))
    tree = write_tree(root, updated.after)
    report = write_report(root, updated, main, tree, old, new)
    commit = commit_update(root, branch, main, tree, report.message)
    if commit is None:
        return UpdateResult(f"Nothing to do: the branch {branch} has this update already.", report=report)
    short = name.removeprefix("refs/remotes/").removeprefix("refs/heads/")
    commands = next_commands(branch, short, bool(updated.conflicts), name.startswith("refs/remotes/"))
    return UpdateResult(f"{report.message}\n\n{commands}", commit, report.conflicts, report)
