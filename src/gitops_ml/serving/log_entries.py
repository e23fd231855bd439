"""Entries of the prediction log, and their conversion to tables in the layout of gitops_ml.prediction_log."""

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from gitops_ml import prediction_log
from gitops_ml.bins import monitored_values
from gitops_ml.predictions import Predictions

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True)
class PredictionEntry:
    """The rows of one request with their predictions.

    Attributes:
        request: Id of the request.
        at: Time in nanoseconds of UTC.
        rows: Rows as the model received them.
        predictions: Predictions of the rows.
    """

    request: str
    at: int
    rows: pd.DataFrame
    predictions: Predictions
    kind = prediction_log.PREDICTIONS

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.rows)


@dataclass(frozen=True)
class OutcomeEntry:
    """The outcomes of one request.

    Attributes:
        at: Time in nanoseconds of UTC.
        requests: Ids of the requests that were predicted.
        row_numbers: Row number of each outcome in its request, counted from 0.
        outcomes: Class labels as text, or numbers.
    """

    at: int
    requests: list[str]
    row_numbers: list[int]
    outcomes: list[str] | list[float]
    kind = prediction_log.OUTCOMES

    def __len__(self) -> int:
        """Return the number of outcomes."""
        return len(self.requests)


@dataclass(frozen=True)
class LogFormat:
    """The format in which entries become tables.

    Attributes:
        version: Version as /metrics labels it.
        positive: Positive label of two-class metrics.
        hashed_columns: Columns that are written; True for a column of which only a keyed hash is written.
        key: Key of the hashes.
    """

    version: str
    positive: object
    hashed_columns: dict[str, bool]
    key: bytes

    def predictions_table(self, entries: Sequence[PredictionEntry]) -> "pa.Table":
        """Return the table of rows with their predictions.

        Args:
            entries: Entries of a batch, at least one.
        """
        import pyarrow as pa

        sizes = [len(entry) for entry in entries]
        predictions = [entry.predictions for entry in entries]
        monitored = [monitored_values(each, self.positive).to_numpy() for each in predictions]
        values = np.concatenate([each.values for each in predictions])
        columns = {
            prediction_log.REQUEST: _text_array(np.repeat([entry.request for entry in entries], sizes)),
            prediction_log.ROW: pa.array(np.concatenate([np.arange(size) for size in sizes])),
            prediction_log.TIME: _time_array(np.repeat([entry.at for entry in entries], sizes)),
            prediction_log.VERSION: _text_array([self.version] * sum(sizes)),
            prediction_log.PREDICTION: _value_array(values, are_labels=bool(predictions[0].classes)),
            prediction_log.MONITORED: _value_array(
                np.concatenate(monitored), are_labels=monitored[0].dtype.kind != "f"
            ),
        }
        rows = pd.concat([entry.rows[list(self.hashed_columns)] for entry in entries], ignore_index=True)
        columns |= {name: self._column(rows[name], is_hashed=hashed) for name, hashed in self.hashed_columns.items()}
        return pa.table(columns)

    def outcomes_table(self, entries: Sequence[OutcomeEntry]) -> "pa.Table":
        """Return the table of outcomes.

        Args:
            entries: Entries of a batch, at least one.
        """
        import pyarrow as pa

        return pa.table({
            prediction_log.REQUEST: _text_array([request for entry in entries for request in entry.requests]),
            prediction_log.ROW: pa.array([number for entry in entries for number in entry.row_numbers], pa.int64()),
            prediction_log.TIME: _time_array(
                np.repeat([entry.at for entry in entries], [len(entry) for entry in entries])
            ),
            prediction_log.OUTCOME: pa.array([outcome for entry in entries for outcome in entry.outcomes]),
        })  # fmt: skip

    def _column(self, values: "pd.Series[Any]", *, is_hashed: bool) -> "pa.Array":
        import pyarrow as pa

        if is_hashed:
            return _text_array([None if pd.isna(value) else keyed_hash(value, self.key) for value in values.tolist()])
        if values.dtype == object:  # types may differ between batches, so all values are written as text
            return _text_array([None if pd.isna(value) else str(value) for value in values.tolist()])
        array = pa.array(values, from_pandas=True)
        return array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array


def keyed_hash(value: object, key: bytes) -> str:
    """Return the HMAC-SHA256 of a value as hexadecimal digits; equal values have equal hashes.

    Args:
        value: Value to hash, by its text.
        key: Secret key; without it, the value cannot be guessed from the hash.
    """
    return hmac.new(key, str(value).encode(), hashlib.sha256).hexdigest()


def _value_array(values: "np.ndarray[Any, Any]", *, are_labels: bool) -> "pa.Array":
    import pyarrow as pa

    return _text_array([str(value) for value in values.tolist()]) if are_labels else pa.array(values.astype(float))


def _text_array(values: Any) -> "pa.Array":
    import pyarrow as pa

    return pa.array(values, pa.string())


def _time_array(nanoseconds: "np.ndarray[Any, Any]") -> "pa.Array":
    import pyarrow as pa

    return pa.array(nanoseconds // 1000, pa.timestamp("us", tz="UTC"))
