"""Find the row, and the column, for which a model cannot predict a request."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from gitops_ml.serving.api_error import RequestProblem

if TYPE_CHECKING:
    import pandas as pd

UNKNOWN = "the model cannot predict this row, although the schema allows it"
VALUE = "the model cannot predict this value, although the schema allows it"
MAX_COLUMNS = 200  # each is tried with one prediction


def locate_problem(
    predict: Callable[["pd.DataFrame"], object], rows: "pd.DataFrame", example: Mapping[str, Any]
) -> RequestProblem:
    """Return the first row that a model cannot predict, and the column whose value is the reason.

    The row is found by halves, which predicts about as many rows as the request has. The column is found by
    predictions of the row with another row's value in each column in turn.

    Args:
        predict: Function that raises an exception for rows that the model cannot predict.
        rows: Rows of the request, which cannot be predicted together; shape (n, columns).
        example: A row that the model can predict.

    Returns:
        The problem: without a column if no single value is the reason, and without a row if each row can be predicted.
    """
    first, end = 0, len(rows)
    while end - first > 1:
        middle = (first + end) // 2
        if _is_refused(predict, rows.iloc[first:middle]):
            end = middle
        else:
            first = middle
    row = rows.iloc[first : first + 1]
    if not _is_refused(predict, row):
        return RequestProblem(None, None, "the model cannot predict these rows, although the schema allows them")
    for name in rows.columns[:MAX_COLUMNS]:
        value = example.get(str(name))
        if value is not None and not _is_refused(predict, row.assign(**{name: _as_type(value, row[name])})):
            return RequestProblem(first + 1, str(name), VALUE)
    return RequestProblem(first + 1, None, UNKNOWN)


def _as_type(value: Any, column: "pd.Series[Any]") -> "pd.Series[Any]":
    """Return a column of one row with another value."""
    import pandas as pd

    return pd.Series([value], index=column.index).astype(column.dtype)


def _is_refused(predict: Callable[["pd.DataFrame"], object], rows: "pd.DataFrame") -> bool:
    """Return whether the model raises an exception for these rows."""
    try:
        predict(rows.copy(deep=False))
    except (MemoryError, OSError):  # not caused by the rows
        raise
    except Exception:  # user code may raise errors of any type
        return True
    return False
