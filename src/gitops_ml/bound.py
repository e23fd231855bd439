"""What the evidence of a comparison is bound to, as digests; when one of them changes, the evidence has expired.

Git knows every file by a digest already, so no file is read but model.toml: neither data nor your package is needed,
nor any library that learns. What Git does not keep, such as the rows of a SQL query, cannot be told, and is left out.
"""

import json
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from gitops_ml import git
from gitops_ml.config import FILE, Config, Repository, parse
from gitops_ml.errors import ConfigError
from gitops_ml.manifest import digest_json
from gitops_ml.run import Document

LOCK = "requirements/train.txt"
BEHAVIOUR = "tests/behaviour.py"
# How digests are made: 1 as 0.1 did, of each key of model.toml with its default; 2 of the keys as they are written.
SCHEME = 2
COPIED_BEHAVIOUR = "tests/model/behaviour.py"
COPIED_KEYS = Path(__file__).parent / "data" / "keys-0.1.json"
# What each part is called in a sentence.
WORDS = {
    "data": "the data",
    "split": "the split",
    "package": "your package",
    "training": "the training tables",
    "lock": "the lock",
    "gates": "the gates",
    "behaviour": "behaviour.py",
    "champion": "the champion",
}


class Bound(Document):
    """What main was when champion and challenger were compared, part by part.

    The first five are what the training digest sums up; the holdout follows from data and split.

    Attributes:
        data: The data files; None where Git keeps none, as for a query.
        split: Which rows are held out.
        package: Your package.
        training: The training tables of model.toml, without the split.
        lock: requirements/train.txt; None where there is none.
        gates: The gates' configuration: [gates], [slices], [evaluation], and the positive label.
        behaviour: Your behaviour tests; None where there are none.
        champion: The version that both were compared with, or None.
        scheme: How the digests of the tables were made.
    """

    data: str | None
    split: str
    package: str
    training: str
    lock: str | None
    gates: str
    behaviour: str | None
    champion: str | None
    scheme: int = 1

    @property
    def key(self) -> str:
        """Eight digits that tell one state of main from another."""
        return digest_json(self.model_dump())[7:15]

    def changed(self, now: "Bound") -> str:
        """Return what differs now, as in "the data and the gates"; empty where the evidence holds.

        Args:
            now: The same parts of another revision, by the same scheme; parts of another scheme differ.
        """
        ours, theirs = self.model_dump(), now.model_dump()
        return listed([words for part, words in WORDS.items() if ours[part] != theirs[part]])


def listed(words: Sequence[str]) -> str:
    """As in a sentence."""
    return " and ".join(filter(None, [", ".join(words[:-1]), *words[-1:]]))


def bound(root: Path, revision: str, champion: str | None, scheme: int = SCHEME) -> Bound:
    """What evidence is bound to that is gathered at a revision.

    Args:
        root: Of the clone.
        revision: Whose files count; none of them is checked out.
        champion: The digest of the champion there.
        scheme: How digests are made; that of the evidence that the result is compared with.

    Raises:
        ConfigError: The revision has no model.toml, or one that this version does not know.
    """
    text = git.show(root, revision, FILE)
    if text is None:
        raise ConfigError(f"{revision} has no {FILE}.", "Push main first.")
    config = parse(text)
    whole = written(config) if scheme == SCHEME else _as_0_1_read_it(config)
    tables = _training_tables(config, whole)
    judged = {name: whole.get(name) for name in ("gates", "slices", "evaluation")}
    package = f"src/{config.project.package}"
    behaviour = BEHAVIOUR if scheme == SCHEME else COPIED_BEHAVIOUR
    found = _objects(root, revision, *map(_spec, (package, LOCK, behaviour)))
    data = _objects(root, revision, _spec(config.data.path)) if config.data.path else {}
    return Bound(
        # As for the training digest, what a data file is called does not matter.
        data=digest_json([data[name] for name in sorted(data, key=PurePosixPath)]) if data else None,
        split=digest_json(tables.pop("split")),
        package=digest_json({name: id for name, id in found.items() if name.startswith(f"{package}/")}),
        training=digest_json(tables),
        lock=found.get(LOCK),
        gates=digest_json({**judged, "positive": config.data.positive}),
        behaviour=found.get(behaviour),
        champion=champion,
        scheme=scheme,
    )


def uncommitted(repository: Repository) -> bool:
    """Whether anything that evidence is bound to differs from HEAD, so that no other clone has it."""
    root, config = repository.root, repository.config
    if git.resolve(root, "HEAD") is None:
        return True
    paths = [FILE, f"src/{config.project.package}", LOCK, BEHAVIOUR, *([config.data.path] if config.data.path else [])]
    return bool(git.run(root, "status", "--porcelain", "--", *map(_spec, paths)))


def written(config: Config) -> dict[str, Any]:
    """Return model.toml with the keys that are written in it, and no others.

    Digests are made of this. A newer library may know more keys, each with a default that keeps what was so before;
    that changes no digest, so an update retrains nothing and expires no evidence.
    """
    return config.model_dump(mode="json", exclude_unset=True)


def training_tables(config: Config) -> dict[str, object]:
    """Return what training depends on in model.toml; where the data lies does not matter, its digest stands beside."""
    return _training_tables(config, written(config))


def _as_0_1_read_it(config: Config) -> dict[str, Any]:
    """Return model.toml with every key that 0.1 knew of the tables that evidence rests on, defaults filled in."""
    whole, keys = config.model_dump(mode="json"), json.loads(COPIED_KEYS.read_text(encoding="utf-8"))
    return {**whole, **{table: _only(whole[table], keys[table]) for table in keys}}


def _only(value: Any, keys: dict[str, Any] | None) -> Any:
    """Return a table with these keys alone; None stands for whatever is in it."""
    if keys is None or not isinstance(value, dict):
        return value
    return {key: _only(value[key], below) for key, below in keys.items() if key in value}


def _training_tables(config: Config, whole: dict[str, Any]) -> dict[str, object]:
    tables: dict[str, object] = {name: whole.get(name) for name in ("split", "training")}
    tables["task"] = config.project.task
    tables["data"] = {name: whole["data"].get(name) for name in ("key", "target", "positive")}
    tables["metric"] = config.evaluation.metric if config.training.search else None
    return tables


def _spec(path: str) -> str:
    """A path, a folder or a glob of model.toml, as Git reads it."""
    return f":(top,{'glob' if any(sign in path for sign in '*?[') else 'literal'}){path}"


def _objects(root: Path, revision: str, *specs: str) -> dict[str, str]:
    """Git's digest of each file that a revision has there, by path."""
    nothing = git.run(root, "mktree", stdin="")
    told = git.run(root, "diff-tree", "-r", "-z", "--no-renames", nothing, f"{revision}^{{tree}}", "--", *specs)
    parts = told.split("\0")
    return {path: about.split()[3] for about, path in zip(parts[::2], parts[1::2], strict=False)}
