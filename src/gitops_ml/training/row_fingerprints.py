"""Fingerprints of a set of rows, from which later changes, removals and new labels of these rows are detected.

They cover the rows with the smallest hashes of their keys, which are a uniform sample of all rows (A. Broder, "On the
resemblance and containment of documents", 1997): every row of a small data set, ten thousand of a large one.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from gitops_ml.run import Document
from gitops_ml.training.data import row_hashes

SIZE = 10_000
LOWER_HALF = np.uint64(2**32 - 1)
# Types that a column of numbers may have had, tried in this order where the type was not recorded.
NUMBER_TYPES = ("int64", "float64")
LARGEST_EXACT = 2**53  # larger integers are not exact as float64


class RowFingerprints(Document):
    """Fingerprints of the sampled rows, in the order of the hashes of their keys.

    Attributes:
        keys: Hash of each key.
        held: True for each row that is held out.
        rows: Lower half of the hash of each row, without the key.
        targets: Lower half of the hash of each target.
        columns: Columns that were hashed, in order.
    """

    keys: tuple[int, ...]
    held: tuple[bool, ...]
    rows: tuple[int, ...]
    targets: tuple[int, ...]
    columns: tuple[str, ...]


class RowChanges(Document):
    """Changes of the sampled rows since their fingerprints were taken.

    Attributes:
        held: Number of held-out rows in the sample, without those that another split trains on unchanged.
        changed: Number of these rows with another value in some column.
        gone: Number of these rows that no longer exist.
        trained: Number of training rows in the sample that still exist.
        relabelled: Number of these rows with another target.
        gone_share: Share of the training rows in the sample that no longer exist, in [0, 1].
        moved: Number of training rows in the sample that were changed and are held out now, as by another date.
    """

    held: int
    changed: int
    gone: int
    trained: int
    relabelled: int
    gone_share: float
    moved: int = 0


def fingerprint_rows(rows: pd.DataFrame, held_out: pd.DataFrame, key: str, target: str) -> RowFingerprints:
    """Return the fingerprints of training rows and held-out rows.

    Args:
        rows: Training rows with key and target.
        held_out: Held-out rows with key and target.
        key: Name of the key column.
        target: Name of the target column.
    """
    columns = sorted(set(rows.columns) - {key})
    hashed = _hash_rows(rows, held_out, key, target, columns).iloc[:SIZE]
    return RowFingerprints(
        keys=tuple(map(int, hashed.index)), held=tuple(map(bool, hashed["held"])), rows=tuple(map(int, hashed["row"])),
        targets=tuple(map(int, hashed["target"])), columns=tuple(columns),
    )  # fmt: skip


def find_row_changes(
    fingerprints: RowFingerprints, rows: pd.DataFrame, held_out: pd.DataFrame, key: str, target: str,
    types: Mapping[str, str] | None = None, set_aside: pd.DataFrame | None = None,
) -> RowChanges | None:  # fmt: skip
    """Return the changes of rows since their fingerprints were taken; None if a hashed column no longer exists.

    A held-out row that is now a training row without other changes is not counted: the split decides whether that is
    allowed, and a cutoff that moves with the rows allows it. A row that was changed for it, such as in its date, counts
    as changed; so does a training row that was changed and is held out now. An integer that is a floating-point number
    now, or the reverse, is no change: a column has another type once one of its values may be missing.

    Args:
        fingerprints: Fingerprints of the earlier rows.
        rows: Current training rows with key and target.
        held_out: Current held-out rows with key and target.
        key: Name of the key column.
        target: Name of the target column.
        types: Types that the columns had when the fingerprints were taken, by name.
        set_aside: Held-out rows that are not compared.
    """
    held_out = held_out if set_aside is None else pd.concat([held_out, set_aside], ignore_index=True)
    if not set(fingerprints.columns) <= set(rows.columns):
        return None
    earlier = pd.DataFrame(
        {"held": fingerprints.held, "row": fingerprints.rows, "target": fingerprints.targets},
        index=np.array(fingerprints.keys, "u8"),
    )
    joined = _join_current(earlier, rows, held_out, (key, target), list(fingerprints.columns), types or {})
    present = joined["held_now"].notna()
    held = joined[joined["held"] & (~present | joined["held_now"].eq(True) | (joined["row"] != joined["row_now"]))]
    trained = joined[~joined["held"]]
    present_rows = trained[trained["held_now"].notna()]
    return RowChanges(
        held=len(held),
        changed=int((held["held_now"].notna() & (held["row"] != held["row_now"])).sum()),
        gone=int(held["held_now"].isna().sum()),
        trained=len(present_rows),
        relabelled=int((present_rows["target"] != present_rows["target_now"]).sum()),
        gone_share=float(trained["held_now"].isna().mean()) if len(trained) else 0.0,
        moved=int((present_rows["held_now"].eq(True) & (present_rows["row"] != present_rows["row_now"])).sum()),
    )


def _join_current(
    earlier: pd.DataFrame, rows: pd.DataFrame, held_out: pd.DataFrame, names: tuple[str, str], columns: list[str],
    types: Mapping[str, str],
) -> pd.DataFrame:  # fmt: skip
    """Return the earlier hashes beside the current ones, of values with the types that they had earlier.

    The type of the target was not recorded: it is the one with which most targets are the earlier ones.
    """
    key, target = names
    targets = NUMBER_TYPES if pd.api.types.is_numeric_dtype(rows[target]) else (str(rows[target].dtype),)
    attempts = [
        earlier.join(
            _hash_rows(rows, held_out, key, target, columns, {**types, target: name}).add_suffix("_now"), how="left"
        )
        for name in targets
    ]
    return max(attempts, key=lambda joined: int((joined["target"] == joined["target_now"]).sum()))


def _hash_rows(
    rows: pd.DataFrame, held_out: pd.DataFrame, key: str, target: str, columns: list[str],
    types: Mapping[str, str] | None = None,
) -> pd.DataFrame:  # fmt: skip
    """Return the lower half of the hashes of all rows and targets, sorted by the hash of the key."""
    everything = pd.concat([rows, held_out], ignore_index=True)
    restored = {name: _restore_type(everything[name], (types or {}).get(name, "")) for name in {*columns, target}}
    values = everything.assign(**{name: column for name, (column, _) in restored.items()})
    changed = np.logical_or.reduce([restored[name][1] for name in columns])
    return pd.DataFrame(
        {
            "held": np.arange(len(everything)) >= len(rows),
            # A value that the earlier type cannot hold has changed, whatever stands in for it.
            "row": (row_hashes(values[columns]) ^ changed.astype("u8")) & LOWER_HALF,
            "target": (row_hashes(values[[target]]) ^ restored[target][1].astype("u8")) & LOWER_HALF,
        },
        index=row_hashes(everything[[key]]),
    ).sort_index()


def _restore_type(column: pd.Series, earlier: str) -> tuple[pd.Series, "np.ndarray[tuple[int], np.dtype[np.bool_]]"]:
    """Return a column of numbers with an earlier type, and True for each value that this type cannot hold."""
    kinds = {"int": "iu", "float": "f"}
    kind = next((letters for name, letters in kinds.items() if earlier.lower().lstrip("u").startswith(name)), "")
    same = not kind or str(column.dtype) == earlier or getattr(column.dtype, "kind", "") not in "iuf"
    if same:
        return column, np.zeros(len(column), bool)
    numbers = column.to_numpy(float, na_value=np.nan)
    if kind == "f":
        return pd.Series(numbers.astype(earlier.lower()), column.index), np.zeros(len(column), bool)
    exact = np.isfinite(numbers) & (numbers == np.trunc(numbers)) & (np.abs(numbers) <= LARGEST_EXACT)
    return pd.Series(np.where(exact, numbers, 0).astype("int64"), column.index), ~exact
