"""Fingerprints of a set of rows, from which later changes, removals and new labels of these rows are detected.

They cover the rows with the smallest hashes of their keys, which are a uniform sample of all rows (A. Broder, "On the
resemblance and containment of documents", 1997): every row of a small data set, ten thousand of a large one.
"""

import numpy as np
import pandas as pd

from gitops_ml.run import Document
from gitops_ml.training.data import row_hashes

SIZE = 10_000
LOWER_HALF = np.uint64(2**32 - 1)


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
    set_aside: pd.DataFrame | None = None,
) -> RowChanges | None:  # fmt: skip
    """Return the changes of rows since their fingerprints were taken; None if a hashed column no longer exists.

    A held-out row that is now a training row without other changes is not counted: the split decides whether that is
    allowed, and a cutoff that moves with the rows allows it. A row that was changed for it, such as in its date, counts
    as changed; so does a training row that was changed and is held out now.

    Args:
        fingerprints: Fingerprints of the earlier rows.
        rows: Current training rows with key and target.
        held_out: Current held-out rows with key and target.
        key: Name of the key column.
        target: Name of the target column.
        set_aside: Held-out rows that are not compared.
    """
    held_out = held_out if set_aside is None else pd.concat([held_out, set_aside], ignore_index=True)
    if not set(fingerprints.columns) <= set(rows.columns):
        return None
    earlier = pd.DataFrame(
        {"held": fingerprints.held, "row": fingerprints.rows, "target": fingerprints.targets},
        index=np.array(fingerprints.keys, "u8"),
    )
    current = _hash_rows(rows, held_out, key, target, list(fingerprints.columns))
    joined = earlier.join(current.add_suffix("_now"), how="left")
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


def _hash_rows(rows: pd.DataFrame, held_out: pd.DataFrame, key: str, target: str, columns: list[str]) -> pd.DataFrame:
    """Return the lower half of the hashes of all rows and targets, sorted by the hash of the key."""
    everything = pd.concat([rows, held_out], ignore_index=True)
    return pd.DataFrame(
        {
            "held": np.arange(len(everything)) >= len(rows),
            "row": row_hashes(everything[columns]) & LOWER_HALF,
            "target": row_hashes(everything[[target]]) & LOWER_HALF,
        },
        index=row_hashes(everything[[key]]),
    ).sort_index()
