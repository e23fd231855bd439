"""Read and write trees of Git's object database, without touching working tree, index and branches."""

import os
import tempfile
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from gitops_ml import git

FILE = "100644"


@dataclass(frozen=True)
class TreeEntry:
    """A file of a tree.

    Attributes:
        mode: Git's mode of the file, such as 100644.
        id: Git's id of its content.
    """

    mode: str
    id: str


Tree = dict[str, TreeEntry]


def read_tree(root: Path, revision: str) -> Tree:
    """Return the files of a commit or tree, by path.

    Args:
        root: Root of the clone.
        revision: Commit or tree.
    """
    listed = os.fsdecode(git.run_bytes(root, "ls-tree", "-r", "-z", "--full-tree", revision))
    tree = {}
    for line in filter(None, listed.split("\0")):
        described, path = line.split("\t", 1)
        mode, _, id = described.split(" ")
        tree[path] = TreeEntry(mode, id)
    return tree


def write_tree(root: Path, tree: Mapping[str, TreeEntry]) -> str:
    """Return the id of a tree with these files, which is written to the object database.

    Args:
        root: Root of the clone.
        tree: Files by path.
    """
    lines = "".join(f"{entry.mode} {entry.id}\t{path}\0" for path, entry in tree.items())
    with tempfile.TemporaryDirectory() as scratch:
        env = {"GIT_INDEX_FILE": os.path.join(scratch, "index")}
        git.run_bytes(root, "update-index", "-z", "--index-info", env=env, stdin=os.fsencode(lines))
        return git.run(root, "write-tree", env=env)


def write_folder(root: Path, folder: Path) -> Tree:
    """Return the files of a folder by path; they are written to the object database as they are.

    Args:
        root: Root of the clone.
        folder: Folder with files.
    """
    files = sorted(file for file in folder.resolve().rglob("*") if file.is_file())
    paths = "".join(f"{file}\n" for file in files)
    ids = git.run(root, "hash-object", "-w", "--no-filters", "--stdin-paths", stdin=paths).split()
    return {file.relative_to(folder.resolve()).as_posix(): TreeEntry(FILE, id)
            for file, id in zip(files, ids, strict=True)}  # fmt: skip


def write_content(root: Path, content: bytes) -> str:
    """Return the id of a content, which is written to the object database.

    Args:
        root: Root of the clone.
        content: Content of a file.
    """
    return git.run_bytes(root, "hash-object", "-w", "--stdin", stdin=content).decode().strip()


def read_contents(root: Path, ids: Iterable[str]) -> dict[str, bytes]:
    """Return contents by their ids; ids that are not in the clone, such as those of submodules, are left out.

    Args:
        root: Root of the clone.
        ids: Git's ids.
    """
    wanted = list(dict.fromkeys(ids))
    output = git.run_bytes(root, "cat-file", "--batch", stdin="".join(f"{id}\n" for id in wanted).encode())
    contents, position = {}, 0
    for id in wanted:
        end = output.index(b"\n", position)
        header = output[position:end].split(b" ")
        position = end + 1
        if len(header) == 3:  # id, type, size
            size = int(header[2])
            contents[id] = output[position : position + size]
            position += size + 1
    return contents


def write_commit(root: Path, tree: str, parents: Collection[str], message: str, env: Mapping[str, str]) -> str:
    """Return the id of a new commit.

    Args:
        root: Root of the clone.
        tree: Id of its tree.
        parents: Ids of its parents.
        message: Message of the commit.
        env: Variables with author and committer.
    """
    options = [option for parent in parents for option in ("-p", parent)]
    return git.run(root, "commit-tree", tree, *options, "-F", "-", env=env, stdin=message)
