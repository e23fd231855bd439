"""A seal of a set of rows: enough to tell later which of them were changed, taken away, or given another label.

It holds the rows with the smallest hashes of their keys, which are a uniform sample of all (A. Broder, "On the
resemblance and containment of documents", 1997): every row of a small data set, ten thousand of a large one.
"""

import numpy as np
import pandas as pd

from gitops_ml.run import Document
from gitops_ml.training.data import row_hashes

SIZE = 10_000
HALF = np.uint64(2**32 - 1)


class Seal(Document):
    """Of each row that was noted, in the order of the hashes of their keys.

    Attributes:
        keys: Hash of the key.
        held: Whether it was held out.
        rows: Half a hash of its columns, without the key.
        targets: Half a hash of its target.
        columns: The columns that were hashed, in order.
    """

    keys: tuple[int, ...]
    held: tuple[bool, ...]
    rows: tuple[int, ...]
    targets: tuple[int, ...]
    columns: tuple[str, ...]


class Broken(Document):
    """What became of the rows that were noted.

    Attributes:
        held: Held-out rows that were noted, but those that another split trains on as they were.
        changed: How many of those have another value somewhere.
        gone: How many of those are not there any more.
        trained: Training rows that were noted and are there now.
        relabelled: How many of those have another target.
        gone_share: Which share of all training rows that were noted is gone.
    """

    held: int
    changed: int
    gone: int
    trained: int
    relabelled: int
    gone_share: float


def sealed(rows: pd.DataFrame, held_out: pd.DataFrame, key: str, target: str) -> Seal:
    """Note the rows of both sides of the split."""
    columns = sorted(set(rows.columns) - {key})
    noted = _noted(rows, held_out, key, target, columns).iloc[:SIZE]
    return Seal(
        keys=tuple(map(int, noted.index)), held=tuple(map(bool, noted["held"])), rows=tuple(map(int, noted["row"])),
        targets=tuple(map(int, noted["target"])), columns=tuple(columns),
    )  # fmt: skip


def broken(seal: Seal, rows: pd.DataFrame, held_out: pd.DataFrame, key: str, target: str) -> Broken | None:
    """What became of the rows since; None where the columns are others now, so that nothing can be told.

    A row that was held out and is trained on now, as it was, is no matter of the seal: the split says whether it may
    be. One that had to be changed for that, such as its date, was changed.
    """
    if not set(seal.columns) <= set(rows.columns):
        return None
    then = pd.DataFrame({"held": seal.held, "row": seal.rows, "target": seal.targets}, index=np.array(seal.keys, "u8"))
    now = _noted(rows, held_out, key, target, list(seal.columns))
    both = then.join(now.add_suffix("_now"), how="left")
    there = both["held_now"].notna()
    held = both[both["held"] & (~there | both["held_now"].eq(True) | (both["row"] != both["row_now"]))]
    trained = both[~both["held"]]
    known = trained[trained["held_now"].notna()]
    return Broken(
        held=len(held),
        changed=int((held["held_now"].notna() & (held["row"] != held["row_now"])).sum()),
        gone=int(held["held_now"].isna().sum()),
        trained=len(known),
        relabelled=int((known["target"] != known["target_now"]).sum()),
        gone_share=float(trained["held_now"].isna().mean()) if len(trained) else 0.0,
    )


def _noted(rows: pd.DataFrame, held_out: pd.DataFrame, key: str, target: str, columns: list[str]) -> pd.DataFrame:
    """Half hashes of all rows, by the hash of their key, ascending."""
    whole = pd.concat([rows, held_out], ignore_index=True)
    return pd.DataFrame(
        {
            "held": np.arange(len(whole)) >= len(rows),
            "row": row_hashes(whole[columns]) & HALF,
            "target": row_hashes(whole[[target]]) & HALF,
        },
        index=row_hashes(whole[[key]]),
    ).sort_index()
