"""Check all rows against your schema, piece by piece, and list every problem at once."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import pandera.pandas as pa

from gitops_ml.check import MEANINGS, check
from gitops_ml.coerce import restored
from gitops_ml.config import Repository
from gitops_ml.contract import Yours
from gitops_ml.manifest import digest_bytes
from gitops_ml.training.data import Chunk, chunks, digest_files, row_hashes

EXAMPLES = 3


@dataclass(frozen=True)
class Problem:
    """One rule that the data breaks.

    Attributes:
        column: The column, or "" where the rule is about whole rows.
        check: The rule, in words.
        failing: How many rows break it; 0 where the rule is about the column itself.
        examples: Up to three of them: value, file and row.
    """

    column: str
    check: str
    failing: int
    examples: tuple[str, ...]


@dataclass(frozen=True)
class Validation:
    """What validating found.

    Attributes:
        rows: How many rows were read.
        digest: Of the data's content.
        problems: Every broken rule; none when the data is accepted.
        frame: The rows, typed as the schema says and sorted by key, where they were asked for and are accepted.
    """

    rows: int
    digest: str
    problems: tuple[Problem, ...]
    frame: pd.DataFrame | None = None


@dataclass
class _Findings:
    """What is known so far; its size does not grow with the rows, but for sixteen bytes a row for each unique rule."""

    key: str
    groups: tuple[tuple[str, ...], ...] = ()
    rows: int = 0
    failing: dict[tuple[str, str], int] = field(default_factory=dict)
    examples: dict[tuple[str, str], list[str]] = field(default_factory=dict)
    present: dict[str, int] = field(default_factory=dict)
    hashes: dict[tuple[str, ...], list[np.ndarray]] = field(default_factory=dict)
    content: list[np.ndarray] = field(default_factory=list)

    def add(self, column: str, rule: str, failing: int, examples: list[str]) -> None:
        place = (column, rule)
        self.failing[place] = self.failing.get(place, 0) + failing
        known = self.examples.setdefault(place, [])
        known += [example for example in examples if example not in known][: EXAMPLES - len(known)]

    def problems(self) -> tuple[Problem, ...]:
        return tuple(
            Problem(column, MEANINGS.get(rule, rule), failing, tuple(self.examples[column, rule]))
            for (column, rule), failing in sorted(self.failing.items())
        )


def validate(
    repository: Repository, yours: Yours, *, keep: bool = False, part: bool = False,
    progress: Callable[[int], object] = lambda rows: None,
) -> Validation:  # fmt: skip
    """Read and check all rows.

    Args:
        repository: Whose model.toml says where the data lies.
        yours: Whose schema the rows must keep.
        keep: Return the rows too; otherwise memory stays flat, whatever the number of rows.
        part: These are some rows of many: what may be missing in one of them may be missing in all.
        progress: Told how many rows were read so far.

    Raises:
        DataUnreadable: A file or the database cannot be read.
    """
    schema, key = yours.schema, repository.config.data.key
    groups = _unique_groups(schema, key)
    text = frozenset(name for name, column in schema.columns.items() if "str" in str(column.dtype))
    findings, kept = _Findings(key, groups), list[pd.DataFrame]()
    for chunk in chunks(repository, text):
        checked = _check(schema, chunk, findings)
        _count(chunk, checked, findings, content=repository.config.data.query is not None)
        if keep and not findings.failing:
            kept.append(restored(schema, checked))
        progress(findings.rows)
    if findings.rows == 0:
        findings.add("", "there is a header but no rows", 0, [])
    else:
        _check_unique(chunks(repository, text), schema, findings)
        if not part:
            _check_present(findings)
    problems = findings.problems()
    whole = keep and not problems
    frame = pd.concat(kept).sort_values(key, ignore_index=True) if whole else None
    return Validation(findings.rows, _digest(repository, findings), problems, frame)


def _digest(repository: Repository, findings: _Findings) -> str:
    """Of the files' bytes; of a query, of its rows in whatever order they came."""
    if repository.config.data.query is None:
        return digest_files(repository)
    return digest_bytes(np.sort(np.concatenate([np.empty(0, np.uint64), *findings.content])).tobytes())


def _unique_groups(schema: pa.DataFrameSchema, key: str) -> tuple[tuple[str, ...], ...]:
    """The columns, and sets of columns, whose values may not repeat: the key, and what the schema says."""
    single = {(name,) for name, column in schema.columns.items() if column.unique}
    together = {tuple(schema.unique)} if schema.unique else set()
    return tuple(sorted({(key,), *single, *together}))


def _check(schema: pa.DataFrameSchema, chunk: Chunk, findings: _Findings) -> pd.DataFrame:
    """The chunk with the schema's types, as far as its values allow."""
    checked, broken = check(schema, findings.key, chunk.frame)
    for rule in broken:
        examples = [_example(chunk, value, row) for row, value in rule.values.head(EXAMPLES).items()]
        findings.add(rule.column, rule.check, len(rule.values), examples or [chunk.source])
    return checked


def _example(chunk: Chunk, value: Any, row: object) -> str:
    shown = "nothing" if pd.isna(value) else repr(value) if isinstance(value, str) else str(value)
    return f"{shown[:60]} in {chunk.source} row {row}"


def _count(chunk: Chunk, checked: pd.DataFrame, findings: _Findings, *, content: bool) -> None:
    """Add one chunk to what only the whole data can tell."""
    findings.rows += len(checked)
    for name, present in chunk.frame.notna().sum().items():
        findings.present[str(name)] = findings.present.get(str(name), 0) + int(present)
    for group in findings.groups:
        if set(group) <= set(checked.columns):
            findings.hashes.setdefault(group, []).append(row_hashes(checked[list(group)].dropna()))
    if content:
        findings.content.append(row_hashes(checked))


def _check_present(findings: _Findings) -> None:
    """A column without a single value is a broken export, even where single values may be missing."""
    for name, present in findings.present.items():
        if present == 0 and (name, "not_nullable") not in findings.failing:
            findings.add(name, "present", findings.rows, [])


def _check_unique(again: Iterable[Chunk], schema: pa.DataFrameSchema, findings: _Findings) -> None:
    """Find values that repeat, within a chunk or across chunks; the rows are read again only where some do.

    What is missing repeats nothing."""
    repeated = {group: _repeated(np.concatenate(parts)) for group, parts in findings.hashes.items()}
    if not any(len(hashes) for hashes in repeated.values()):
        return
    for chunk in again:
        checked = _check(schema, chunk, _Findings(findings.key))
        for group, hashes in repeated.items():
            there = checked[list(group)].dropna() if set(group) <= set(checked.columns) else checked.head(0)
            hit = there[np.isin(row_hashes(there), hashes)]
            if len(hit):
                values = {row: ", ".join(map(str, value)) for row, *value in hit.head(EXAMPLES).itertuples()}
                examples = [_example(chunk, value, row) for row, value in values.items()]
                findings.add(", ".join(group), "unique", len(hit), examples)


def _repeated(hashes: np.ndarray) -> np.ndarray:
    hashes.sort()  # in place: there may be hundreds of millions
    return np.unique(hashes[1:][hashes[1:] == hashes[:-1]])
