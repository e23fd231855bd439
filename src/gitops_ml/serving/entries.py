"""What goes into the log, and how it becomes a table of the layout that gitops_ml.logged describes."""

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from gitops_ml import logged
from gitops_ml.bins import watched
from gitops_ml.predictions import Predictions

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True)
class Answers:
    """Rows of one request, and what was said of them.

    Attributes:
        request: Its id.
        at: When, in nanoseconds of UTC.
        rows: As the model was asked.
        predictions: What it said.
    """

    request: str
    at: int
    rows: pd.DataFrame
    predictions: Predictions
    kind = logged.PREDICTIONS

    def __len__(self) -> int:
        """How many rows."""
        return len(self.rows)


@dataclass(frozen=True)
class Truths:
    """Outcomes that were told at once.

    Attributes:
        at: When, in nanoseconds of UTC.
        requests: The ids of the requests.
        places: The row of each in its request, from 0.
        outcomes: Labels as text, or numbers.
    """

    at: int
    requests: list[str]
    places: list[int]
    outcomes: list[str] | list[float]
    kind = logged.OUTCOMES

    def __len__(self) -> int:
        """How many rows."""
        return len(self.requests)


@dataclass(frozen=True)
class Form:
    """How rows are written down.

    Attributes:
        version: As /metrics labels it.
        positive: The label that two-class metrics look for.
        kept: The columns that are written, with whether only a keyed hash of each is.
        key: Of those hashes.
    """

    version: str
    positive: object
    kept: dict[str, bool]
    key: bytes

    def answers(self, entries: Sequence[Answers]) -> "pa.Table":
        """Rows with their predictions, as a table."""
        import pyarrow as pa

        sizes = [len(entry) for entry in entries]
        said = [entry.predictions for entry in entries]
        looked = [watched(predictions, self.positive).to_numpy() for predictions in said]
        columns = {
            logged.REQUEST: _texts(np.repeat([entry.request for entry in entries], sizes)),
            logged.ROW: pa.array(np.concatenate([np.arange(size) for size in sizes])),
            logged.TIME: _times(np.repeat([entry.at for entry in entries], sizes)),
            logged.VERSION: _texts([self.version] * sum(sizes)),
            logged.PREDICTION: _said(np.concatenate([one.values for one in said]), bool(said[0].classes)),
            logged.WATCHED: _said(np.concatenate(looked), looked[0].dtype.kind != "f"),
        }
        rows = pd.concat([entry.rows[list(self.kept)] for entry in entries], ignore_index=True)
        columns |= {name: self._column(rows[name], hidden=hidden) for name, hidden in self.kept.items()}
        return pa.table(columns)

    def truths(self, entries: Sequence[Truths]) -> "pa.Table":
        """Outcomes, as a table."""
        import pyarrow as pa

        return pa.table({
            logged.REQUEST: _texts([request for entry in entries for request in entry.requests]),
            logged.ROW: pa.array([place for entry in entries for place in entry.places], pa.int64()),
            logged.TIME: _times(np.repeat([entry.at for entry in entries], [len(entry) for entry in entries])),
            logged.OUTCOME: pa.array([outcome for entry in entries for outcome in entry.outcomes]),
        })  # fmt: skip

    def _column(self, values: "pd.Series[Any]", *, hidden: bool) -> "pa.Array":
        import pyarrow as pa

        if hidden:
            return _texts([None if pd.isna(value) else hashed(value, self.key) for value in values.tolist()])
        if values.dtype == object:  # of one kind in this batch, and of another in the next
            return _texts([None if pd.isna(value) else str(value) for value in values.tolist()])
        found = pa.array(values, from_pandas=True)
        return found.combine_chunks() if isinstance(found, pa.ChunkedArray) else found


def hashed(value: object, key: bytes) -> str:
    """What stands for a value that nobody may read: the same for the same value, and worth nothing without the key."""
    return hmac.new(key, str(value).encode(), hashlib.sha256).hexdigest()


def _said(values: "np.ndarray[Any, Any]", labels: bool) -> "pa.Array":
    import pyarrow as pa

    return _texts([str(value) for value in values.tolist()]) if labels else pa.array(values.astype(float))


def _texts(values: Any) -> "pa.Array":
    import pyarrow as pa

    return pa.array(values, pa.string())


def _times(nanoseconds: "np.ndarray[Any, Any]") -> "pa.Array":
    import pyarrow as pa

    return pa.array(nanoseconds // 1000, pa.timestamp("us", tz="UTC"))
