"""Repositories that 0.1 generated: they have a copy of the library in src/gitops and tests/gitops.

`data/template-0.1.0.tar.xz` has the template of 0.1 without these copies, locks, and files that are not in the template
any more, with empty files for the sample data. Its `digests.json` has the first digits of the SHA-256 of what it leaves
out, so that changes of people are noticed.
tests/fixtures/make-template-0.1.0 makes it.
"""

import hashlib
import json
import re
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from gitops_ml import git, library
from gitops_ml.bundled import DATA
from gitops_ml.errors import ConfigError
from gitops_ml.updating.git_trees import FILE, Tree, TreeEntry, read_contents, write_content

ARCHIVE = DATA / "template-0.1.0.tar.xz"
VERSION = "0.1.0"
DIGESTS = "digests.json"
COPIES = ("src/gitops/", "tests/gitops/")
PACKAGE = "src/gitops/__init__.py"  # with this file, commands take the repository for one with a copy
SCHEMA = b"src/gitops/model.schema.json"
OLD_TESTS, TESTS = "tests/model/", "tests/"
IMPORTS = re.compile(rb"^\s*(?:from|import) gitops(?:\.|\s|$)", re.MULTILINE)


@dataclass
class Moved:
    """A repository of 0.1 as if its template had had the layout of 0.2.

    Attributes:
        base: Files of the old template.
        ours: Files of the repository.
        removed: Number of copied files that are removed.
        renamed: Old paths of moved files, by their new paths.
        todo: Phrases about what is left to people, by path.
    """

    base: Tree
    ours: Tree
    removed: int = 0
    renamed: dict[str, str] = field(default_factory=dict)
    todo: dict[str, str] = field(default_factory=dict)


def require_copy(root: Path, revision: str) -> None:
    """Check that a commit has a copy of the library.

    Args:
        root: Root of the clone.
        revision: Commit.

    Raises:
        ConfigError: It has none.
    """
    if git.read_file(root, revision, PACKAGE) is None:
        raise ConfigError(
            f"main has no copy of the library ({PACKAGE} is missing), as repositories that 0.1 generated have.",
            "Run the command without `--from-copied`.",
        )


def refuse_copy(root: Path, revision: str) -> None:
    """Check that a commit has no copy of the library.

    Args:
        root: Root of the clone.
        revision: Commit.

    Raises:
        ConfigError: It has one.
    """
    if git.read_file(root, revision, library.PIN) is None and git.read_file(root, revision, PACKAGE) is not None:
        raise ConfigError(
            "0.1 generated this repository: it has a copy of the library in src/gitops.",
            "Add `--from-copied` to the command; `gitops docs update` explains what it does.",
        )


def unpack(folder: Path) -> tuple[Path, dict[str, str]]:
    """Unpack the template of 0.1.

    Args:
        folder: Empty folder.

    Returns:
        The folder of the template, and the first digits of the SHA-256 of the files that it leaves out, by path.
    """
    with tarfile.open(ARCHIVE) as archive:
        archive.extractall(folder, filter="data")
    return folder, json.loads((folder / DIGESTS).read_text(encoding="utf-8"))


def move_to_library(root: Path, base: Tree, ours: Tree, digests: Mapping[str, str]) -> Moved:
    """Remove the copy of the library from a repository, and move the tests.

    Args:
        root: Root of the clone.
        base: Files of the rendered template of 0.1.
        ours: Files of the repository.
        digests: First digits of the SHA-256 of the files that the archive leaves out, by path.

    Returns:
        Both sides as if 0.1 had had the layout of 0.2.
    """
    contents = read_contents(root, [entry.id for path, entry in ours.items() if path in digests or _is_read(path)])
    unchanged = {
        path for path, digest in digests.items()
        if path in ours and hashlib.sha256(contents.get(ours[path].id, b"")).hexdigest().startswith(digest)
    }  # fmt: skip
    # The archive has no content of these files; only a comparison with the repository's needs them.
    other = TreeEntry(FILE, write_content(root, b"another content than the repository's\n"))
    left_out = {path: ours[path] if path in unchanged else other for path in digests}
    moved = Moved({**base, **{path: entry for path, entry in left_out.items() if not path.startswith(COPIES)}}, {})
    for path, entry in ours.items():
        if path.startswith(COPIES):
            _remove_copy(moved, path, entry, unchanged, digests)
        elif path.startswith(OLD_TESTS):
            _move_test(moved, path, entry, ours)
        else:
            moved.ours[path] = entry
    moved.base = {_new_path(path, moved): entry for path, entry in moved.base.items()}
    _drop_samples(moved, contents)
    config = ours.get("model.toml")
    if config is not None and SCHEMA in contents.get(config.id, b""):
        moved.todo["model.toml"] = (
            "editors look for its schema in the copied library; change the line with `#:schema` to "
            "`#:schema ./.venv/lib/python3.11/site-packages/gitops_ml/data/model.schema.json` (with your Python)"
        )
    return moved


def _is_read(path: str) -> bool:
    return path == "model.toml" or _may_import(path)


def _may_import(path: str) -> bool:
    return path.endswith(".py") and path.startswith(("src/", "tests/")) and not path.startswith(COPIES)


def _remove_copy(moved: Moved, path: str, entry: TreeEntry, unchanged: set[str], digests: Mapping[str, str]) -> None:
    """Remove a copied file; keep it if a person wrote or changed it."""
    if path in unchanged:
        moved.removed += 1
    elif path == PACKAGE:
        moved.todo[path] = (
            f"you changed this file of the library; it is removed all the same, because commands would take the "
            f"repository for one with a copied library; `git show main:{path}` shows it"
        )
    else:
        moved.ours[path] = entry
        whose = "you changed this file of the library" if path in digests else "you added this file to the library"
        moved.todo[path] = f"{whose}; it is kept, but no command reads it: move your change, and remove the file"


def _move_test(moved: Moved, path: str, entry: TreeEntry, ours: Tree) -> None:
    """Move a test to the folder where the new template has it."""
    new = TESTS + path.removeprefix(OLD_TESTS)
    if new in ours:
        moved.ours[path] = entry
        moved.todo[path] = f"it is not moved to {new}, because you have a file there: move it"
    else:
        moved.ours[new] = entry
        moved.renamed[new] = path


def _new_path(path: str, moved: Moved) -> str:
    new = TESTS + path.removeprefix(OLD_TESTS)
    return new if path.startswith(OLD_TESTS) and path not in moved.ours else path


def _drop_samples(moved: Moved, contents: Mapping[str, bytes]) -> None:
    """Remove samples of 0.1 that import its copy, so that the new samples replace them; list other such files."""
    for path, entry in list(moved.ours.items()):
        if not _may_import(path) or not IMPORTS.search(contents.get(entry.id, b"")):
            continue
        if moved.base.get(path) == entry:
            del moved.ours[path], moved.base[path]
            moved.renamed.pop(path, None)
        else:
            moved.todo.setdefault(
                path,
                "it imports `gitops`, the copied library; use the fixtures of gitops_ml.testing instead, as "
                "tests/test_schema.py and tests/test_pipeline.py of a new repository do",
            )


def merge_requirements(base: str, ours: str, theirs: str) -> str:
    """Merge three versions of a .in file line by line: packages have no order, so there are no conflicts.

    Args:
        base: The file as the old template has it.
        ours: The file of the repository.
        theirs: The file of the new template.

    Returns:
        The new template's lines, without those that the repository removed, and with those that it added.
    """
    old, own, new = (text.splitlines() for text in (base, ours, theirs))
    removed = set(old) - set(own)
    added = [line for line in own if line not in old and line not in new and line.strip()]
    return "".join(f"{line}\n" for line in [*(line for line in new if line not in removed), *added])
