"""Rows on their way to a confined process, and predictions on their way back."""

import io
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from gitops_ml.predictions import Predictions

NUMBER = np.dtype("<f8")


def rows_to_bytes(rows: pd.DataFrame) -> bytes:
    """Return rows as an Arrow stream that keeps the types of pandas.

    Args:
        rows: Rows; their index is not kept.
    """
    table = pa.Table.from_pandas(rows, preserve_index=False)
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()


def rows_from_bytes(content: bytes) -> pd.DataFrame:
    """Return the rows of a stream that `rows_to_bytes` has written; only a trusted process may have written it.

    Args:
        content: The stream.
    """
    with pa.ipc.open_stream(content) as reader:
        frame: pd.DataFrame = reader.read_all().to_pandas()
    return frame


def predictions_size(rows: int, classes: int, has_probabilities: bool) -> int:
    """Return the number of bytes of predictions.

    Args:
        rows: Number of rows.
        classes: Number of classes; 0 for a regression.
        has_probabilities: True if there is a probability for each class.
    """
    return NUMBER.itemsize * rows * (1 + (classes if has_probabilities else 0))


def predictions_to_bytes(predictions: Predictions, classes: tuple[Any, ...]) -> bytes:
    """Return predictions as numbers: for each row the label's index or the number, then the probabilities by row.

    Args:
        predictions: Predictions of n rows.
        classes: Classes that the judging process expects; the probability of one that the model does not have is 0.

    Raises:
        ValueError: The model has other classes, or predicts a label that is none of them.
    """
    if not set(predictions.classes) <= set(classes):
        raise ValueError(f"the model has the classes {list(predictions.classes)}, and not {list(classes)}")
    values = predictions.values
    if classes:
        codes = pd.Index(classes).get_indexer(pd.Index(values))
        if (codes < 0).any():
            raise ValueError(f"the model predicts {values[codes < 0][0]!r}, which is none of its classes")
        values = codes
    parts = [np.asarray(values, NUMBER)]
    if predictions.probabilities is not None:
        probabilities = np.zeros((len(values), len(classes)), NUMBER)
        probabilities[:, [classes.index(label) for label in predictions.classes]] = predictions.probabilities
        parts.append(probabilities)
    return b"".join(part.tobytes() for part in parts)


def predictions_from_bytes(content: bytes, rows: int, classes: tuple[Any, ...], has_probabilities: bool) -> Predictions:
    """Return predictions that a confined process sent.

    Args:
        content: Bytes of the length that `predictions_size` returns.
        rows: Number of rows.
        classes: Classes of the version; empty for a regression.
        has_probabilities: True if there is a probability for each class.

    Raises:
        ValueError: A label is none of the classes.
    """
    numbers = np.frombuffer(content, NUMBER)
    values, rest = numbers[:rows], numbers[rows:]
    probabilities = rest.reshape(rows, len(classes)).copy() if classes and has_probabilities else None
    if not classes:
        return Predictions(values.astype(float), None, ())
    codes = values.astype(np.int64)
    if not ((codes == values) & (codes >= 0) & (codes < len(classes))).all():
        raise ValueError("a label is none of the version's classes")
    return Predictions(np.asarray(classes)[codes], probabilities, tuple(classes))
