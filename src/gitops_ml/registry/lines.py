"""Lines of versions: the versions that are compared with one another, and whose rules are protected.

The first promotion begins a line. `gitops start-over` ends it by a pull request that adds a file to registry/ended/;
the next promotion begins another line. The record on main does not change, so its version serves until then.

Whether a version was ever promoted follows from Git's history of registry/*.json on main and from the ledger, and not
from the files that main has now. A commit that deletes a record therefore begins no line.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from pydantic import ValidationError

from gitops_ml import git
from gitops_ml.errors import IntegrityError
from gitops_ml.registry.ledger import AnyFact, Asked, Compared
from gitops_ml.registry.record import FOLDER, Record
from gitops_ml.run import Document

ENDED = f"{FOLDER}/ended"
_NUMBER = re.compile(r"line-(\d+)\.json$")
# Facts about versions that were perhaps never promoted.
_BEFORE_A_MERGE = (Asked, Compared)
_RECORDS = f":(glob){FOLDER}/*.json"


class EndedLine(Document):
    """End of a line of versions.

    Attributes:
        why: Reason, in the words of the person who ended the line.
        versions: Version number that the record named when the line ended, by environment.
    """

    why: str
    versions: dict[str, str]


@dataclass(frozen=True)
class Ending:
    """Merge that ended a line.

    Attributes:
        commit: Commit of main that added the file.
        when: Time of the commit.
        path: Path of the file.
        line: Content of the file.
    """

    commit: str
    when: datetime
    path: str
    line: EndedLine


@dataclass(frozen=True)
class Line:
    """The current line of versions.

    Attributes:
        ending: Merge that ended the line before; None if no line was ended.
        begun_at: Commit of main that promoted the first version of this line; None if the history has none.
        has_versions: True if a version of this line was ever promoted.
        ended_digests: Digests of the versions of all ended lines.
        ignored: Files in registry/ended/ that end nothing, because they came with other changes.
    """

    ending: Ending | None
    begun_at: str | None
    has_versions: bool
    ended_digests: frozenset[str]
    ignored: tuple[str, ...] = ()

    def select_champion(self, champion: Record | None) -> Record | None:
        """Return the champion if challengers are compared with it; None if its line was ended.

        Args:
            champion: Record of the version that should serve, or None.
        """
        return None if champion is None or champion.digest in self.ended_digests else champion


def load_line(root: Path, main: str, facts: Sequence[AnyFact]) -> Line:
    """Return the current line of versions.

    Args:
        root: Root folder of the clone.
        main: Git revision of main, with its history.
        facts: The ledger.

    Raises:
        IntegrityError: A file in registry/ended/ was changed by hand.
    """
    if git.resolve(root, main) is None:
        return Line(None, None, any(not isinstance(fact, _BEFORE_A_MERGE) for fact in facts), frozenset())
    endings, ignored = _find_endings(root, main)
    ending = _load_ending(root, *endings[0]) if endings else None
    ended_digests = frozenset(digest for _, digest in _promotions(root, ending.commit)) if ending else frozenset()
    scope = f"{ending.commit}..{main}" if ending else main
    own = [commit for commit, digest in _promotions(root, scope) if digest not in ended_digests]
    known = [fact for fact in facts if not isinstance(fact, _BEFORE_A_MERGE) and fact.digest not in ended_digests]
    has_facts = any(ending is None or fact.at > ending.when for fact in known)
    # A clone without the whole history cannot show that nothing was promoted.
    is_shallow = git.run(root, "rev-parse", "--is-shallow-repository") == "true"
    return Line(
        ending=ending,
        begun_at=own[-1] if own else None,
        has_versions=bool(own) or has_facts or is_shallow,
        ended_digests=ended_digests,
        ignored=ignored,
    )


def load_ended_digests(root: Path, revision: str) -> frozenset[str]:
    """Return the digests of the versions of all lines that were ended at a revision.

    Args:
        root: Root folder of the clone.
        revision: Git revision, such as main.
    """
    endings, _ = _find_endings(root, revision)
    return frozenset(digest for _, digest in _promotions(root, endings[0][0])) if endings else frozenset()


def next_ending_path(root: Path, main: str) -> str:
    """Return the path of the file that ends the current line; it is the same until its merge.

    Args:
        root: Root folder of the clone.
        main: Git revision of main.
    """
    # Not the number of files, because a file may have been removed, and a commit that changes a file ends no line.
    numbers = [int(found[1]) for path in _list_files(root, main) if (found := _NUMBER.search(path))]
    return f"{ENDED}/line-{max(numbers, default=0) + 1}.json"


def _find_endings(root: Path, main: str) -> tuple[list[tuple[str, datetime, str]], tuple[str, ...]]:
    """Return commit, time and file of the merges that ended lines, newest first, and the files of other commits."""
    files = set(_list_files(root, main))
    endings, ignored = list[tuple[str, datetime, str]](), list[str]()
    for commit, when, paths in _log(root, main, f"{ENDED}/", "A") if files else []:
        added = sorted(files & set(paths))
        files -= set(added)
        if _changes_only_endings(root, commit):
            endings += [(commit, when, path) for path in added]
        else:
            ignored += added
    return endings, tuple(ignored)


def _list_files(root: Path, revision: str) -> list[str]:
    if git.resolve(root, revision) is None:
        return []
    return git.run(root, "ls-tree", "--name-only", revision, f"{ENDED}/").splitlines()


def _changes_only_endings(root: Path, commit: str) -> bool:
    """Return whether a commit of main changes nothing else, so that a person reviewed the end of the line alone."""
    if git.resolve(root, f"{commit}^") is None:
        return False
    changed = git.run(root, "diff", "--name-only", "--no-renames", f"{commit}^", commit).splitlines()
    return all(path.startswith(f"{ENDED}/") for path in changed)


def _load_ending(root: Path, commit: str, when: datetime, path: str) -> Ending:
    try:
        return Ending(commit, when, path, EndedLine.model_validate_json(git.read_file(root, commit, path) or ""))
    except ValidationError as error:
        first = error.errors()[0]
        raise IntegrityError(
            f"{path} at {commit[:12]}: {'.'.join(map(str, first['loc']))}: {first['msg']}.",
            "Remove the file by a pull request. Only `gitops start-over` writes this file.",
        ) from error


def _promotions(root: Path, scope: str) -> list[tuple[str, str]]:
    """Return each commit of a range that wrote a record of any environment, newest first, with the record's digest."""
    return [(commit, _read_digest(root, commit, path))
            for commit, _, paths in _log(root, scope, _RECORDS, "AM") for path in paths]  # fmt: skip


def _read_digest(root: Path, commit: str, path: str) -> str:
    """Return the digest in a record; an empty text if it has none, which is the digest of no version."""
    try:
        return str(json.loads(git.read_file(root, commit, path) or "{}").get("digest", ""))
    except (ValueError, AttributeError):
        return ""


def _log(root: Path, scope: str, pathspec: str, filters: str) -> list[tuple[str, datetime, list[str]]]:
    """Return commit, time and changed paths of the commits of main that changed a path, newest first."""
    if git.resolve(root, scope.rpartition("..")[2]) is None:
        return []
    output = git.run(
        root, "log", "--first-parent", "-m", "--no-renames", f"--diff-filter={filters}", "--name-only",
        "--format=%x00%H %cI", scope, "--", pathspec,
    )  # fmt: skip
    entries = []
    for text in filter(None, (part.strip() for part in output.split("\0"))):
        head, *paths = text.splitlines()
        commit, when = head.split()
        entries.append((commit, datetime.fromisoformat(when), [path for path in paths if path]))
    return entries
