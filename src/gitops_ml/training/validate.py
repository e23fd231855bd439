"""Validation of all rows against the user's schema, in chunks; all problems are reported at once."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from gitops_ml.config import Repository
from gitops_ml.manifest import digest_bytes
from gitops_ml.rows.cell_rules import cell_rules
from gitops_ml.rows.schema_check import MEANINGS
from gitops_ml.training.data import Chunk, digest_files, read_chunks, row_hashes
from gitops_ml.training.labels import count_labels
from gitops_ml.training.row_checker import RowChecker, SchemaChecker
from gitops_ml.user_package import UserPackage

EXAMPLES = 3


@dataclass(frozen=True)
class SchemaViolation:
    """A rule that the data breaks.

    Attributes:
        column: Name of the column, or "" for a rule about whole rows.
        check: Rule, as text.
        failing: Number of rows that break the rule; 0 for a rule about the column itself.
        examples: Up to three failing values, with file and row.
    """

    column: str
    check: str
    failing: int
    examples: tuple[str, ...]


@dataclass(frozen=True)
class Validation:
    """Result of a validation.

    Attributes:
        rows: Number of rows that were read.
        digest: Digest of the data's content.
        problems: Rules that the data breaks; empty if the data is accepted.
        frame: Rows with the schema's types, sorted by key; None if they were not requested or not accepted.
        labels: Number of rows of each label of a classification; empty for a regression.
        unlabeled: Number of rows without a target.
        present: Number of rows with a value in each column.
    """

    rows: int
    digest: str
    problems: tuple[SchemaViolation, ...]
    frame: pd.DataFrame | None = None
    labels: Mapping[Any, int] = field(default_factory=dict)
    unlabeled: int = 0
    present: Mapping[str, int] = field(default_factory=dict)


@dataclass
class _Progress:
    """Results for the chunks read so far.

    The size is independent of the number of rows, except for sixteen bytes for each row and unique rule.
    """

    groups: tuple[tuple[str, ...], ...] = ()
    rows: int = 0
    failing: dict[tuple[str, str], int] = field(default_factory=dict)
    examples: dict[tuple[str, str], list[str]] = field(default_factory=dict)
    present: dict[str, int] = field(default_factory=dict)
    hashes: dict[tuple[str, ...], list[np.ndarray]] = field(default_factory=dict)
    content: list[np.ndarray] = field(default_factory=list)
    labels: Counter[Any] = field(default_factory=Counter)

    def add(self, column: str, rule: str, failing: int, examples: list[str]) -> None:
        rule_key = (column, rule)
        self.failing[rule_key] = self.failing.get(rule_key, 0) + failing
        known_examples = self.examples.setdefault(rule_key, [])
        known_examples += [example for example in examples if example not in known_examples][
            : EXAMPLES - len(known_examples)
        ]

    def problems(self) -> tuple[SchemaViolation, ...]:
        return tuple(
            SchemaViolation(column, MEANINGS.get(rule, rule), failing, tuple(self.examples[column, rule]))
            for (column, rule), failing in sorted(self.failing.items())
        )


def validate(
    repository: Repository, code: UserPackage | RowChecker, *, keep_rows: bool = False, is_partial: bool = False,
    progress: Callable[[int], object] | None = None,
) -> Validation:  # fmt: skip
    """Read and check all rows.

    Args:
        repository: Repository with the source of the data in model.toml.
        code: User's package with the schema, or a checker that has the schema elsewhere.
        keep_rows: Return the rows too; otherwise the memory use is independent of the number of rows.
        is_partial: The rows are a part of the data, so a column that may have missing values may miss all of them.
        progress: Function that is called with the number of rows read so far.

    Returns:
        The result, with all problems.

    Raises:
        DataUnreadable: A file or the database cannot be read.
    """
    key, rules = repository.config.data.key, cell_rules(repository.config.data)
    checker = SchemaChecker(code.schema, key, rules) if isinstance(code, UserPackage) else code
    state, kept = _Progress(checker.unique), list[pd.DataFrame]()
    for chunk in read_chunks(repository):
        checked = _check(checker, chunk, state)
        _count(chunk, checked, state, content=repository.config.data.query is not None)
        if repository.config.project.task == "classification" and not state.failing:
            state.labels.update(count_labels(checker.restore(checked)[repository.config.data.target]))
        if keep_rows and not state.failing:
            kept.append(checker.restore(checked))
        if progress:
            progress(state.rows)
    if state.rows == 0:
        state.add("", "there is a header but no rows", 0, [])
    else:
        _check_unique(read_chunks(repository), checker, state)
        if not is_partial:
            _check_present(state)
    problems = state.problems()
    whole = keep_rows and not problems
    frame = _concatenate(kept).sort_values(key, ignore_index=True) if whole else None
    unlabeled = state.rows - state.present.get(repository.config.data.target, state.rows)
    labels = dict(sorted(state.labels.items(), key=lambda item: str(item[0])))
    return Validation(state.rows, _digest(repository, state), problems, frame, labels, unlabeled, state.present)


def _concatenate(parts: list[pd.DataFrame]) -> pd.DataFrame:
    """Return all rows; a column of categories stays one, although each chunk has its own set."""
    frame = pd.concat(parts)
    return frame.astype(dict.fromkeys(parts[0].select_dtypes("category"), "category"))


def _digest(repository: Repository, state: _Progress) -> str:
    """Return the digest of the files' bytes, or of a query's rows in any order."""
    if repository.config.data.query is None:
        return digest_files(repository)
    return digest_bytes(np.sort(np.concatenate([np.empty(0, np.uint64), *state.content])).tobytes())


def _check(checker: RowChecker, chunk: Chunk, state: _Progress) -> pd.DataFrame:
    """Return the chunk with the schema's types, where its values allow it."""
    checked, broken = checker.check(chunk.frame)
    for rule in broken:
        examples = [_example(chunk, value, row) for row, value in rule.values.head(EXAMPLES).items()]
        state.add(rule.column, rule.rule, len(rule.values) + rule.more, examples or [chunk.source])
    return checked


def _example(chunk: Chunk, value: Any, row: object) -> str:
    text = "nothing" if pd.isna(value) or value == "" else repr(value) if isinstance(value, str) else str(value)
    return f"{text[:60]} in {chunk.source} row {row}"


def _count(chunk: Chunk, checked: pd.DataFrame, state: _Progress, *, content: bool) -> None:
    """Add one chunk to the figures about all rows."""
    state.rows += len(checked)
    for name, present in checked.notna().sum().items():
        state.present[str(name)] = state.present.get(str(name), 0) + int(present)
    for group in state.groups:
        if set(group) <= set(checked.columns):
            state.hashes.setdefault(group, []).append(row_hashes(checked[list(group)].dropna()))
    if content:
        state.content.append(row_hashes(checked))


def _check_present(state: _Progress) -> None:
    """Report columns without any value, even if single values may be missing: the export is probably broken."""
    broken = {column for column, _ in state.failing}
    for name, present in state.present.items():
        if present == 0 and name not in broken:
            state.add(name, "present", state.rows, [])


def _check_unique(chunks: Iterable[Chunk], checker: RowChecker, state: _Progress) -> None:
    """Find values that repeat within or across chunks; the rows are read again only if some do.

    Missing values do not count as repeated.
    """
    repeated = {group: _repeated(np.concatenate(parts)) for group, parts in state.hashes.items()}
    if not any(len(hashes) for hashes in repeated.values()):
        return
    for chunk in chunks:
        checked = _check(checker, chunk, _Progress())
        for group, hashes in repeated.items():
            present_rows = checked[list(group)].dropna() if set(group) <= set(checked.columns) else checked.head(0)
            repeated_rows = present_rows[np.isin(row_hashes(present_rows), hashes)]
            if len(repeated_rows):
                values = {row: ", ".join(map(str, value)) for row, *value in repeated_rows.head(EXAMPLES).itertuples()}
                examples = [_example(chunk, value, row) for row, value in values.items()]
                state.add(", ".join(group), "unique", len(repeated_rows), examples)


def _repeated(hashes: np.ndarray) -> np.ndarray:
    hashes.sort()  # in place: there may be hundreds of millions
    return np.unique(hashes[1:][hashes[1:] == hashes[:-1]])
