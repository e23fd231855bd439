"""Review of the rules: the rules that apply to a challenger, and those that were loosened before it was trained.

A push that changes what is trained is judged by the rules of main before the push. Otherwise an author could loosen a
rule and profit from it in the same change. Such a push is refused; loosening a rule in a change of its own is allowed,
and reviewers see it.

Rules are protected from the first promotion on. Before it, a challenger is judged by the rules of its own commit.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from gitops_ml import git
from gitops_ml.config import FILE, Config, Repository, parse_config
from gitops_ml.errors import ConfigError
from gitops_ml.evidence_inputs import LOCK, training_tables
from gitops_ml.run import Document
from gitops_ml.training import gate_strictness
from gitops_ml.training.schema_strictness import compare_texts

NO_COMMIT = "0" * 40
SCHEMA = "schema.py"
SchemaComparison = Callable[[str, str], dict[str, str] | None]


class Review(Document):
    """Loosened rules, as text.

    Attributes:
        before: Commit whose rules are compared with the current ones; None if there is none.
        together: Rules that are loosened by a change that also changed what is trained.
        alone: Rules that were loosened since `before` in a change of their own.
        since_champion: Rules that are looser than when the champion was trained.
        unread: Reason why the earlier rules cannot be read; None if they can.
        first: Reason why the rules of the commit itself apply; None if earlier rules are protected.
    """

    before: str | None
    together: tuple[str, ...] = ()
    alone: tuple[str, ...] = ()
    since_champion: tuple[str, ...] = ()
    unread: str | None = None
    first: str | None = None


@dataclass(frozen=True)
class Protection:
    """Since when the rules of main are protected.

    Attributes:
        since: Commit of main that promoted the first version; None if there is none, or if it is not known.
        unprotected: Reason why no rules are protected, as a clause; None if they are.
        ended_at: Commit of main that ended the protection of earlier rules; None if none did.
    """

    since: str | None = None
    unprotected: str | None = None
    ended_at: str | None = None


@dataclass(frozen=True)
class ReviewedRules:
    """The rules that apply.

    Attributes:
        config: Configuration with the rules.
        review: Loosened rules, for reviewers.
    """

    config: Config
    review: Review


def review(
    repository: Repository, before: str | None, champion: str | None, protection: Protection = Protection(),
    compare_schemas: SchemaComparison = compare_texts,
) -> ReviewedRules:  # fmt: skip
    """Return the rules that apply to the commit that is checked out.

    Args:
        repository: Repository at the commit that is judged, with the history of main.
        before: Commit of main before the push, as GitHub reports it; None without a push.
        champion: Commit that the champion was trained from; None without a champion.
        protection: Since when the rules of main are protected.
        compare_schemas: Function that compares two texts of schema.py; by default it executes them in this process.
    """
    root, config = repository.root, repository.config
    pushed = git.resolve(root, before) if before and before != NO_COMMIT else None
    if protection.unprotected and _is_ended_before(root, protection, pushed):
        return ReviewedRules(config, Review(before=None, first=_describe_own_rules(root, config, protection)))
    since_champion = _loosened_since(root, champion, config, compare_schemas)
    changed = pushed is not None and _inputs(root, pushed, config) != _inputs(root, "HEAD", config)
    pushed = _not_before(root, pushed, protection.since)
    start = pushed if changed else _not_before(root, _before_inputs(repository), protection.since) or pushed
    if start is None:
        return ReviewedRules(config, Review(before=None, since_champion=since_champion))
    earlier = _config(root, start)
    if earlier is None:
        unread = f"model.toml at {start[:12]} cannot be read by this version of gitops"
        return ReviewedRules(config, Review(before=start, since_champion=since_champion, unread=unread))
    together, alone = _split_by_commit(repository, start, compare_schemas)
    if changed and _inputs(root, start, config) != _inputs(root, "HEAD", config):
        together, alone = {**together, **alone}, {}
    applicable = [_config(root, pushed)] if pushed else []
    strictest = config
    for other in [*applicable, *([earlier] if together else [])]:
        strictest = gate_strictness.combine_strictest(other, strictest) if other else strictest
    return ReviewedRules(
        strictest,
        Review(
            before=start, together=_as_sentences(together), alone=_as_sentences(alone), since_champion=since_champion
        ),
    )


def _is_ended_before(root: Path, protection: Protection, pushed: str | None) -> bool:
    """Return whether the protection of earlier rules ended before the push, and not in the push that is judged."""
    ended_at = protection.ended_at
    return ended_at is None or pushed is None or git.succeeds(root, "merge-base", "--is-ancestor", ended_at, pushed)


def _not_before(root: Path, commit: str | None, since: str | None) -> str | None:
    """Return the commit, or the one since which rules are protected if that is later."""
    if since is None or not git.succeeds(root, "merge-base", "--is-ancestor", since, "HEAD"):
        return commit
    is_later = commit is not None and git.succeeds(root, "merge-base", "--is-ancestor", since, commit)
    return commit if is_later else since


def _describe_own_rules(root: Path, config: Config, protection: Protection) -> str:
    """Return the sentences about a version that is judged by the rules of its own commit."""
    floors = ", ".join(f"{metric} {floor:g}" for metric, floor in config.gates.floor.items()) or "none"
    off = ", ".join(config.gates.off) or "none"
    commit = (git.resolve(root, "HEAD") or "")[:12]
    return (
        f"{protection.unprotected}, so there are no earlier rules to protect. The rules of commit {commit} itself "
        f"apply. Floors: {floors}. Gates that are off: {off}."
    )


def find_loosened(
    root: Path, before: str, after: str, package: str, compare_schemas: SchemaComparison = compare_texts
) -> dict[str, str]:
    """Return the settings and schema checks that are looser at a later commit, by name, as text.

    Args:
        root: Root of the repository.
        before: Earlier revision.
        after: Later revision.
        package: Name of the user's package.
        compare_schemas: Function that compares two texts of schema.py; by default it executes them in this process.
    """
    earlier, later = _config(root, before), _config(root, after)
    loosened = gate_strictness.find_loosened_settings(earlier, later) if earlier and later else {}
    path = f"src/{package}/{SCHEMA}"
    texts = [git.read_file(root, revision, path) for revision in (before, after)]
    if texts[0] is None or texts[1] is None or texts[0] == texts[1]:
        return loosened
    checks = compare_schemas(texts[0], texts[1])
    if checks is None:
        return {**loosened, SCHEMA: "it changed, and the two versions cannot be compared"}
    return {**loosened, **{f"{SCHEMA}: {name}": change for name, change in checks.items()}}


def _split_by_commit(
    repository: Repository, start: str, compare_schemas: SchemaComparison
) -> tuple[dict[str, str], dict[str, str]]:
    """Return the rules that are looser now than at the start, split by the commit that loosened them.

    Returns:
        The rules of commits that also changed what is trained, and the other rules.
    """
    root, package = repository.root, repository.config.project.package
    loosened = find_loosened(root, start, "HEAD", package, compare_schemas)
    together: dict[str, str] = {}
    for key, change in loosened.items():
        commit = _loosened_by(root, start, key, package, compare_schemas)
        if commit and _inputs(root, f"{commit}^", repository.config) != _inputs(root, commit, repository.config):
            together[key] = change
    return together, {key: change for key, change in loosened.items() if key not in together}


def _loosened_by(root: Path, start: str, key: str, package: str, compare_schemas: SchemaComparison) -> str | None:
    """Return the last commit of main that loosened a rule."""
    log = git.run(root, "rev-list", "--first-parent", f"{start}..HEAD", "--", FILE, f"src/{package}/{SCHEMA}")
    for commit in log.split():
        if key in find_loosened(root, f"{commit}^", commit, package, compare_schemas):
            return commit
    return None


def _before_inputs(repository: Repository) -> str | None:
    """Return the commit before the one that introduced the current training inputs; None if it is the first."""
    root, config = repository.root, repository.config
    current_inputs, newest = _inputs(root, "HEAD", config), "HEAD"
    log = (
        git.run(root, "rev-list", "--first-parent", "HEAD", "--", *_input_paths(config))
        if git.resolve(root, "HEAD")
        else ""
    )
    for commit in log.split():
        newest = commit
        if git.resolve(root, f"{commit}^") is None or _inputs(root, f"{commit}^", config) != current_inputs:
            break
    return git.resolve(root, f"{newest}^")


def _input_paths(config: Config) -> list[str]:
    """Return the paths that training depends on, except schema.py, whose checks are compared one by one."""
    package = f"src/{config.project.package}"
    return [package, f":(exclude){package}/{SCHEMA}", LOCK, FILE, *([f":(glob){config.data.path}"] if config.data.path
            else [])]  # fmt: skip


def _inputs(root: Path, revision: str, config: Config) -> tuple[str, ...]:
    """Return the Git hashes of the training inputs at a revision; data of a query is not covered."""
    files = [path for path in _input_paths(config) if path != FILE]
    listed = git.run(root, "ls-tree", "-r", revision) if git.resolve(root, revision) else ""
    names = set(git.run(root, "ls-tree", "-r", "--name-only", revision).splitlines()) if listed else set()
    kept = set(_matching(root, revision, files)) & names
    blobs = tuple(line for line in listed.splitlines() if line.partition("\t")[2] in kept)
    at_revision = _config(root, revision)
    return (*blobs, str(training_tables(at_revision)) if at_revision else "")


def _matching(root: Path, revision: str, files: list[str]) -> list[str]:
    """Return the files of a revision that match the path patterns."""
    empty = git.run(root, "hash-object", "-t", "tree", "/dev/null")
    return git.run(root, "diff", "--name-only", "--no-renames", empty, revision, "--", *files).splitlines()


def _config(root: Path, revision: str) -> Config | None:
    text = git.read_file(root, revision, FILE)
    try:
        return parse_config(text) if text else None
    except ConfigError:
        return None


def _loosened_since(
    root: Path, champion: str | None, config: Config, compare_schemas: SchemaComparison
) -> tuple[str, ...]:
    if champion is None or git.resolve(root, champion) is None:
        return ()
    return _as_sentences(find_loosened(root, champion, "HEAD", config.project.package, compare_schemas))


def _as_sentences(loosened: dict[str, str]) -> tuple[str, ...]:
    return tuple(f"{key}: {change}" for key, change in loosened.items())
