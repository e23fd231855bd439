"""The folder of a private clone, in the temporary folder that other processes may clean."""

import shutil
import tempfile
import weakref
from pathlib import Path

from gitops_ml import git
from gitops_ml.errors import StoreError


class CloneRemoved(StoreError):
    """Another process removed the private clone, or files in it, while a command used it.

    The temporary folder is shared: tools and people clean it. Nothing is lost, because the branch is on its remote.
    """

    def __init__(self, root: Path) -> None:
        super().__init__(
            f"Another process removed files from {root}, the copy of the store for this command.",
            "Set TMPDIR to a folder that no other process cleans, then run the same command again. Nothing was lost.",
        )


def create_clone_folder(owner: object) -> Path:
    """Return the path for a new clone, which is deleted together with its owner.

    Args:
        owner: Object that uses the clone.

    Raises:
        StoreError: There is no temporary folder, or it is full.
    """
    try:
        folder = tempfile.mkdtemp(prefix="gitops-store-")
    except OSError as error:
        raise StoreError(
            f"The store needs a temporary folder, and none can be created: {error.strerror or error}.",
            "Set TMPDIR to a folder with free space that this user may write to.",
        ) from error
    weakref.finalize(owner, shutil.rmtree, folder, ignore_errors=True)
    return Path(folder).resolve() / "store"


def is_intact(root: Path, tip: str | None) -> bool:
    """Return whether a private clone has all its files; one that was never made has.

    Args:
        root: Root folder of the clone.
        tip: Commit that was checked out; None if there was none.
    """
    if not root.exists():
        return root.parent.exists() and tip is None
    git_folder = root / ".git"
    present = (git_folder / "HEAD").exists() and (git_folder / "objects").exists()
    return present and git.succeeds(root, "status") and not git.run(root, "ls-files", "--deleted")
