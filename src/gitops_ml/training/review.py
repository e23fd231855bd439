"""Configuration under review: by which rules a challenger is judged, and what was loosened on the way to it.

Rules are judged by what main said before the change that is being judged: whoever loosens a rule and changes what is
trained in one push would be judge in his own case. Such a push is refused; loosening in a change of its own is not, and
stands in the open where it is reviewed.
"""

from dataclasses import dataclass
from pathlib import Path

from gitops_ml import git
from gitops_ml.bound import LOCK, training_tables
from gitops_ml.config import FILE, Config, Repository, parse
from gitops_ml.errors import ConfigError
from gitops_ml.run import Document
from gitops_ml.training import contract_rules, rules

NONE = "0" * 40
SCHEMA = "schema.py"


class Review(Document):
    """What was loosened, in words.

    Attributes:
        before: The commit whose rules are compared with today's; None where there is none.
        together: What a change loosened that also changed what is trained, and is loose still.
        alone: What was loosened since `before` in a change of its own.
        since_champion: What is looser than when the champion was trained.
        unread: Why the rules of before cannot be read; None where they can.
    """

    before: str | None
    together: tuple[str, ...] = ()
    alone: tuple[str, ...] = ()
    since_champion: tuple[str, ...] = ()
    unread: str | None = None


@dataclass(frozen=True)
class Judged:
    """By which rules, and what a reviewer must know of them."""

    config: Config
    review: Review


def review(repository: Repository, before: str | None, champion: str | None) -> Judged:
    """Find the rules by which what main holds is judged.

    Args:
        repository: At the commit that is judged, with the history of main.
        before: What main was before the push, as GitHub says; None where nothing was pushed.
        champion: The commit that the champion was trained from; None without champion.
    """
    root, now = repository.root, repository.config
    since = _since(root, champion, now, repository.config.project.package)
    start = before if before and before != NONE and git.resolve(root, before) else _before_inputs(repository)
    if start is None:
        return Judged(now, Review(before=None, since_champion=since))
    then = _config(root, start)
    if then is None:
        unread = f"model.toml at {start[:12]} is of another version of gitops"
        return Judged(now, Review(before=start, since_champion=since, unread=unread))
    together, alone = _sorted_out(repository, start)
    pushed = before == start
    changed = _inputs(root, start, now) != _inputs(root, "HEAD", now)
    if pushed and changed:
        together, alone = {**together, **alone}, {}
    judged = rules.stricter(then, now) if pushed or together else now
    return Judged(judged, Review(before=start, together=_words(together), alone=_words(alone), since_champion=since))


def between(root: Path, before: str, after: str, package: str) -> dict[str, str]:
    """Everything that a change loosens, rules and schema, by its place."""
    then, now = _config(root, before), _config(root, after)
    found = rules.loosened(then, now) if then and now else {}
    path = f"src/{package}/{SCHEMA}"
    texts = [git.show(root, revision, path) for revision in (before, after)]
    if texts[0] is None or texts[1] is None or texts[0] == texts[1]:
        return found
    schemas = [contract_rules.read(text) for text in texts if text is not None]
    if schemas[0] is None or schemas[1] is None:
        return {**found, SCHEMA: "it changed, and cannot be compared"}
    return {**found, **{f"{SCHEMA}: {name}": said for name, said in
                        contract_rules.loosened(schemas[0], schemas[1]).items()}}  # fmt: skip


def _sorted_out(repository: Repository, start: str) -> tuple[dict[str, str], dict[str, str]]:
    """What is looser now than at the start: by a commit that also changed what is trained, or by another one."""
    root, package = repository.root, repository.config.project.package
    loose = between(root, start, "HEAD", package)
    together: dict[str, str] = {}
    for key, said in loose.items():
        commit = _loosened_by(root, start, key, package)
        if commit and _inputs(root, f"{commit}^", repository.config) != _inputs(root, commit, repository.config):
            together[key] = said
    return together, {key: said for key, said in loose.items() if key not in together}


def _loosened_by(root: Path, start: str, key: str, package: str) -> str | None:
    """The last commit of main that loosened one thing."""
    log = git.run(root, "rev-list", "--first-parent", f"{start}..HEAD", "--", FILE, f"src/{package}/{SCHEMA}")
    for commit in log.split():
        if key in between(root, f"{commit}^", commit, package):
            return commit
    return None


def _before_inputs(repository: Repository) -> str | None:
    """The commit before the one that brought what is trained now; None where it is the first."""
    root, now = repository.root, repository.config
    wanted, newest = _inputs(root, "HEAD", now), "HEAD"
    log = git.run(root, "rev-list", "--first-parent", "HEAD", "--", *_paths(now)) if git.resolve(root, "HEAD") else ""
    for commit in log.split():
        newest = commit
        if git.resolve(root, f"{commit}^") is None or _inputs(root, f"{commit}^", now) != wanted:
            break
    return git.resolve(root, f"{newest}^")


def _paths(config: Config) -> list[str]:
    """What training depends on, but for schema.py, whose loosening is looked at."""
    package = f"src/{config.project.package}"
    return [package, f":(exclude){package}/{SCHEMA}", LOCK, FILE, *([f":(glob){config.data.path}"] if config.data.path
            else [])]  # fmt: skip


def _inputs(root: Path, revision: str, now: Config) -> tuple[str, ...]:
    """What is trained at a revision, as Git's own hashes; rows that no file holds cannot be told."""
    files = [path for path in _paths(now) if path != FILE]
    listed = git.run(root, "ls-tree", "-r", revision) if git.resolve(root, revision) else ""
    names = set(git.run(root, "ls-tree", "-r", "--name-only", revision).splitlines()) if listed else set()
    kept = set(_matching(root, revision, files)) & names
    blobs = tuple(line for line in listed.splitlines() if line.partition("\t")[2] in kept)
    config = _config(root, revision)
    return (*blobs, str(training_tables(config)) if config else "")


def _matching(root: Path, revision: str, files: list[str]) -> list[str]:
    """The files of a revision that these path patterns name."""
    empty = git.run(root, "hash-object", "-t", "tree", "/dev/null")
    return git.run(root, "diff", "--name-only", "--no-renames", empty, revision, "--", *files).splitlines()


def _config(root: Path, revision: str) -> Config | None:
    text = git.show(root, revision, FILE)
    try:
        return parse(text) if text else None
    except ConfigError:
        return None


def _since(root: Path, champion: str | None, now: Config, package: str) -> tuple[str, ...]:
    if champion is None or git.resolve(root, champion) is None:
        return ()
    return _words(between(root, champion, "HEAD", package))


def _words(loose: dict[str, str]) -> tuple[str, ...]:
    return tuple(f"{key}: {said}" for key, said in loose.items())
