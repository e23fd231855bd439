"""Which rows are held out: declared in model.toml, and the same for every version."""

import datetime
import hashlib
from typing import Any

import numpy as np
import pandas as pd

from gitops_ml.config import Repository, Split
from gitops_ml.errors import ConfigError
from gitops_ml.manifest import digest_bytes
from gitops_ml.training.data import row_hashes


def holdout_mask(repository: Repository, frame: pd.DataFrame) -> "np.ndarray[Any, Any]":
    """True for each row that is held out.

    "hash" and "group" hash the column's value, so a row, or a group, stays on its side for ever, whatever is added
    or removed around it. "time" holds out every row from the cutoff on.

    Raises:
        ConfigError: The column is not there, holds no dates, or one side would be empty.
    """
    split = repository.config.split
    if split.column not in frame.columns:
        raise ConfigError(
            f"model.toml: [split] column {split.column!r} is not a column of the data.",
            f"Perhaps one of these: {', '.join(frame.columns)}.",
        )
    held = _by_time(split, frame) if split.method == "time" else _by_hash(split, frame)
    if held.all() or not held.any():
        raise ConfigError(
            f"model.toml: [split] holds out {int(held.sum())} of {len(held)} rows; both sides need rows.",
            "Change `holdout` or `cutoff`, or add data.",
        )
    return held


def _by_hash(split: Split, frame: pd.DataFrame) -> "np.ndarray[Any, Any]":
    assert split.holdout is not None  # noqa: S101 (the configuration has checked it)
    names, places = np.unique(frame[split.column].astype(str).to_numpy(str), return_inverse=True)
    return np.fromiter((_fraction(name) < split.holdout for name in names), bool, len(names))[places]


def _fraction(name: str) -> float:
    """A number in [0, 1) that depends on the name alone."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8]) / 2**64


def _by_time(split: Split, frame: pd.DataFrame) -> "np.ndarray[Any, Any]":
    try:
        when = pd.to_datetime(frame[split.column], utc=True)
    except (ValueError, TypeError) as error:
        raise ConfigError(
            f"model.toml: [split] column {split.column!r} holds something that is not a date: {error}.",
            "Choose a column of dates, or another method.",
        ) from error
    return (when >= pd.Timestamp(str(split.cutoff), tz="UTC")).to_numpy()


def holdout_digest(frame: pd.DataFrame) -> str:
    """The digest of the held-out rows, whatever their order."""
    return digest_bytes(np.sort(row_hashes(frame[sorted(frame.columns)])).tobytes())


def incomparable(champion: Split, challenger: Split, whose: str = "the champion") -> str | None:
    """Why two versions with these splits cannot be compared, or None when they can.

    A cutoff that moved forward is no reason: the champion trained on nothing after its own, earlier one.

    Args:
        champion: What it was trained under.
        challenger: What holds now.
        whose: The first one's name in the sentence.
    """
    if champion == challenger:
        return None
    same_clock = champion.method == challenger.method == "time" and champion.column == challenger.column
    if same_clock and (champion.cutoff or datetime.date.max) <= (challenger.cutoff or datetime.date.max):
        return None
    return (
        f"the split changed from {_words(champion)} to {_words(challenger)}, "
        f"so {whose} may have trained on rows that are now held out"
    )


def _words(split: Split) -> str:
    what = f"from {split.cutoff}" if split.method == "time" else f"{split.holdout:g} of the rows"
    return f"{split.method} of {split.column!r} ({what})"
