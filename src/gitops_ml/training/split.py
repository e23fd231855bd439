"""The split into training rows and held-out rows, which model.toml declares; it depends on the rows alone."""

import hashlib
from typing import Any

import numpy as np
import pandas as pd

from gitops_ml.config import Config, Repository, SplitConfig
from gitops_ml.errors import ConfigError
from gitops_ml.manifest import digest_bytes
from gitops_ml.rows.cell_rules import cell_rules
from gitops_ml.rows.column_kinds import kind_of
from gitops_ml.training.data import row_hashes


def holdout_mask(repository: Repository, frame: pd.DataFrame) -> "np.ndarray[Any, Any]":
    """Return True for each row that is held out; shape (n,).

    "hash" and "group" hash the column's value, so that a row or a group always stays on its side of the split, whatever
    is added or removed. "time" holds out every row from the cutoff on; see `resolve_cutoff`.

    Args:
        repository: Repository with the split in model.toml.
        frame: All rows; shape (n, columns).

    Raises:
        ConfigError: The column does not exist, has values that are not dates, or one side of the split would be empty.
    """
    split = repository.config.split
    if split.column not in frame.columns:
        raise ConfigError(
            f"model.toml: [split] column {split.column!r} is not a column of the data.",
            f"Perhaps one of these: {', '.join(frame.columns)}.",
        )
    cutoff = resolve_cutoff(repository.config, frame)
    held_out = (row_times(repository.config, frame) >= cutoff).to_numpy() if cutoff else _by_hash(split, frame)
    if held_out.all() or not held_out.any():
        raise ConfigError(
            f"model.toml: [split] holds out {int(held_out.sum())} of {len(held_out)} rows; both sides need rows.",
            "Change `holdout` or `cutoff`, or add data.",
        )
    return held_out


def _by_hash(split: SplitConfig, frame: pd.DataFrame) -> "np.ndarray[Any, Any]":
    assert split.holdout is not None  # noqa: S101 (the configuration checks it)
    values, indices = np.unique(frame[split.column].astype(str).to_numpy(str), return_inverse=True)
    return np.fromiter((_fraction(value) < split.holdout for value in values), bool, len(values))[indices]


def _fraction(value: str) -> float:
    """Return a number in [0, 1) that depends on the value only."""
    return int.from_bytes(hashlib.sha256(value.encode()).digest()[:8]) / 2**64


def resolve_cutoff(config: Config, frame: pd.DataFrame) -> pd.Timestamp | None:
    """Return the time from which on rows are held out; None if the split is not by time.

    With a share, it is the time of the row that begins the newest share. Rows of the same time are on one side, so
    that more rows may be held out. The cutoff depends on the rows and model.toml only, and so on the commit.

    Args:
        config: Configuration with the split.
        frame: All rows; shape (n, columns).

    Raises:
        ConfigError: The column has values that are not dates, or missing ones.
    """
    split = config.split
    if split.method != "time":
        return None
    if split.cutoff is not None:
        return pd.Timestamp(str(split.cutoff), tz="UTC")
    assert split.holdout is not None  # noqa: S101 (the configuration checks it)
    times = row_times(config, frame).sort_values()
    newest: pd.Timestamp = times.iloc[min(len(times) - 1, round(len(times) * (1 - split.holdout)))]
    return newest


def row_times(config: Config, frame: pd.DataFrame) -> "pd.Series[Any]":
    """Return the time of each row in UTC, from the column of [split]; a text is read as a cell with a date.

    Args:
        config: Configuration with a split by time.
        frame: Rows of the data.

    Raises:
        ConfigError: A value is not a date, or missing.
    """
    name = config.split.column
    times = frame[name]
    if getattr(times.dtype, "kind", "O") != "M":
        kind = kind_of("datetime64[ns]", cell_rules(config.data), name)
        times, wrong = kind.parse(frame[name])
        if wrong.any():
            raise ConfigError(
                f"model.toml: [split] column {name!r} holds {frame[name][wrong].iloc[0]!r}, which is not a date: "
                f"it {kind.rule}.",
                "Set `column` to a column of dates, declare its format under [data.dates], or choose another `method`.",
            )
    if missing := int(times.isna().sum()):
        raise ConfigError(
            f"model.toml: [split] column {name!r} has no date in {missing} of {len(times)} rows.",
            "A row without a date is neither old nor new. Remove these rows, or choose another `method`.",
        )
    return pd.to_datetime(times, utc=True)


def holdout_digest(frame: pd.DataFrame) -> str:
    """Return the digest of the held-out rows, independent of their order.

    Args:
        frame: Held-out rows.
    """
    return digest_bytes(np.sort(row_hashes(frame[sorted(frame.columns)])).tobytes())


def explain_incomparable_splits(
    champion: SplitConfig, challenger: SplitConfig, subject: str = "the champion"
) -> str | None:
    """Return why two versions with these splits cannot be compared; None if they can.

    A later cutoff is allowed, since the champion was trained on no row after its own, earlier cutoff. If a cutoff moves
    with the rows, `comparable_rows` selects those that neither was trained on.

    Args:
        champion: Split that the champion was trained with.
        challenger: Current split.
        subject: Name of the first version in the sentence.
    """
    if champion == challenger:
        return None
    same_time_column = champion.method == challenger.method == "time" and champion.column == challenger.column
    moves = champion.cutoff is None or challenger.cutoff is None
    if same_time_column and (moves or champion.cutoff <= challenger.cutoff):  # type: ignore[operator]
        return None
    return (
        f"the split changed from {_describe_split(champion)} to {_describe_split(challenger)}, "
        f"so {subject} may have trained on rows that are now held out"
    )


def _describe_split(split: SplitConfig) -> str:
    if split.cutoff is not None:
        rows = f"from {split.cutoff}"
    else:
        rows = f"{'the newest ' if split.method == 'time' else ''}{split.holdout:g} of the rows"
    return f"{split.method} of {split.column!r} ({rows})"
