"""Digests of the inputs that the evidence of a comparison depends on; when one of them changes, the evidence expires.

Git already has a digest of every file, so only model.toml is read: neither the data nor your package is needed, nor any
machine learning library. Inputs that Git does not hold, such as the rows of a SQL query, are left out.
"""

import json
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from gitops_ml import git
from gitops_ml.config import FILE, Config, Repository, parse_config
from gitops_ml.errors import ConfigError
from gitops_ml.manifest import digest_json
from gitops_ml.run import Document

LOCK = "requirements/train.txt"
BEHAVIOUR = "tests/behaviour.py"
# Version of the method that computes digests: 1 as in 0.1, of each key of model.toml with its default; 2 of the keys
# that are written in model.toml.
SCHEME = 2
# Keys of [data] that decide what the cells of the same file become.
CELL_KEYS = ("missing", "true", "false", "dates")
COPIED_BEHAVIOUR = "tests/model/behaviour.py"
COPIED_KEYS = Path(__file__).parent / "data" / "keys-0.1.json"
COPIED_P95_MS = 100.0  # the default in 0.1, for which 0.2 has none
# Name of each part in a sentence.
PHRASES = {
    "data": "the data",
    "split": "the split",
    "package": "your package",
    "training": "the training settings",
    "lock": "the lock",
    "gates": "the gates",
    "behaviour": "behaviour.py",
    "champion": "the champion",
}


class EvidenceInputs(Document):
    """Digests of the state of main when champion and challenger were compared, part by part.

    The training digest combines the first five; the holdout follows from data and split.

    Attributes:
        data: Digest of the data files; None if Git holds none, as for a query.
        split: Digest of the table [split].
        package: Digest of your package.
        training: Digest of the training settings of model.toml, without the split.
        lock: Git's id of requirements/train.txt; None if there is none.
        gates: Digest of the gates' configuration: [gates], [slices], [evaluation], and the positive label.
        behaviour: Git's id of your behaviour tests; None if there are none.
        champion: Digest of the version that the challenger was compared with, or None.
        scheme: Version of the method that computed the digests of the tables.
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
        """Eight hexadecimal digits that identify this state of main."""
        return digest_json(self.model_dump())[7:15]

    def describe_changes(self, now: "EvidenceInputs") -> str:
        """Return the parts that differ now, as in "the data and the gates"; an empty text if the evidence is valid.

        Args:
            now: The inputs of another revision, by the same scheme; inputs of another scheme always differ.
        """
        before, after = self.model_dump(), now.model_dump()
        return join_phrases([phrase for part, phrase in PHRASES.items() if before[part] != after[part]])


def join_phrases(phrases: Sequence[str]) -> str:
    """Return phrases as one enumeration, such as "the data, the lock and the gates".

    Args:
        phrases: Phrases in their order.
    """
    return " and ".join(filter(None, [", ".join(phrases[:-1]), *phrases[-1:]]))


def collect_evidence_inputs(root: Path, revision: str, champion: str | None, scheme: int = SCHEME) -> EvidenceInputs:
    """Collect the inputs of evidence that is gathered at a revision.

    Args:
        root: Root of the clone.
        revision: Revision whose files count; it is not checked out.
        champion: Digest of the champion at that revision, or None.
        scheme: Version of the method that computes digests: that of the evidence to compare with.

    Returns:
        The digests of the inputs.

    Raises:
        ConfigError: The revision has no model.toml, or this version cannot read it.
    """
    text = git.read_file(root, revision, FILE)
    if text is None:
        raise ConfigError(f"{revision} has no {FILE}.", "Push main first.")
    config = parse_config(text)
    document = written_keys(config) if scheme == SCHEME else _keys_of_0_1(config)
    tables = _training_tables(config, document)
    gate_tables = {name: document.get(name) for name in ("gates", "slices", "evaluation")}
    package = f"src/{config.project.package}"
    # `gitops update --from-copied` moves the file of 0.1, unchanged.
    behaviour = (BEHAVIOUR,) if scheme == SCHEME else (COPIED_BEHAVIOUR, BEHAVIOUR)
    objects = _objects(root, revision, *map(_pathspec, (package, LOCK, *behaviour)))
    data = _objects(root, revision, _pathspec(config.data.path)) if config.data.path else {}
    return EvidenceInputs(
        # As in the training digest, the names of data files do not matter.
        data=digest_json([data[name] for name in sorted(data, key=PurePosixPath)]) if data else None,
        split=digest_json(tables.pop("split")),
        package=digest_json({name: id for name, id in objects.items() if name.startswith(f"{package}/")}),
        training=digest_json(tables),
        lock=objects.get(LOCK),
        gates=digest_json({**gate_tables, "positive": config.data.positive}),
        behaviour=next((objects[path] for path in behaviour if path in objects), None),
        champion=champion,
        scheme=scheme,
    )


def has_uncommitted_inputs(repository: Repository) -> bool:
    """Return whether an input of evidence differs from HEAD, so that no other clone has it.

    Args:
        repository: Repository to look at.
    """
    root, config = repository.root, repository.config
    if git.resolve(root, "HEAD") is None:
        return True
    paths = [FILE, f"src/{config.project.package}", LOCK, BEHAVIOUR, *([config.data.path] if config.data.path else [])]
    return bool(git.run(root, "status", "--porcelain", "--", *map(_pathspec, paths)))


def written_keys(config: Config) -> dict[str, Any]:
    """Return model.toml with the keys that are written in it, and no others.

    Digests are computed from this. A newer library may know more keys, each with a default that keeps the former
    behaviour; they change no digest, so an update of the library retrains nothing and expires no evidence.

    Args:
        config: The configuration, as it was parsed.
    """
    return config.model_dump(mode="json", exclude_unset=True)


def training_tables(config: Config) -> dict[str, object]:
    """Return the keys of model.toml that training depends on; the path of the data is not one, for data has a digest.

    Args:
        config: The configuration, as it was parsed.
    """
    return _training_tables(config, written_keys(config))


def _keys_of_0_1(config: Config) -> dict[str, Any]:
    """Return model.toml with every key that 0.1 knew of the tables that evidence depends on, with its default."""
    document, keys = config.model_dump(mode="json"), json.loads(COPIED_KEYS.read_text(encoding="utf-8"))
    latency = document["gates"]["latency"]
    latency["p95_ms"] = latency["p95_ms"] or COPIED_P95_MS
    return {**document, **{table: _select(document[table], keys[table]) for table in keys}}


def _select(value: Any, keys: dict[str, Any] | None) -> Any:
    """Return a table with these keys alone; None selects every key."""
    if keys is None or not isinstance(value, dict):
        return value
    return {key: _select(value[key], below) for key, below in keys.items() if key in value}


def _training_tables(config: Config, document: dict[str, Any]) -> dict[str, object]:
    tables: dict[str, object] = {name: document.get(name) for name in ("split", "training")}
    tables["task"] = config.project.task
    data = document["data"]
    tables["data"] = {name: data.get(name) for name in ("key", "target", "positive")} | {
        name: data[name] for name in (*CELL_KEYS, "known_later") if name in config.data.model_fields_set
    }
    tables["metric"] = config.evaluation.metric if config.training.search else None
    return tables


def _pathspec(path: str) -> str:
    """Return Git's pathspec for a path, a folder or a glob of model.toml."""
    return f":(top,{'glob' if any(sign in path for sign in '*?[') else 'literal'}){path}"


def _objects(root: Path, revision: str, *pathspecs: str) -> dict[str, str]:
    """Return Git's id of each file of a revision that matches, by path."""
    empty_tree = git.run(root, "mktree", stdin="")
    output = git.run(
        root, "diff-tree", "-r", "-z", "--no-renames", empty_tree, f"{revision}^{{tree}}", "--", *pathspecs
    )
    parts = output.split("\0")
    return {path: entry.split()[3] for entry, path in zip(parts[::2], parts[1::2], strict=False)}
