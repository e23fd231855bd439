"""Explanations of the predictions for the rows of a request, in the JSON format of the response."""

import math
from typing import TYPE_CHECKING, Any

import pandas as pd

from gitops_ml.explanations import AttributionBaseline, NotExplainable, explain
from gitops_ml.serving.api_error import ApiError, RequestProblem

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

MAX_ROWS = 100
# Number of columns that an explanation lists; the contributions of the other columns are added up in `others`.
MAX_COLUMNS = 5
# Error code of a response whose predictions cannot be explained.
NO_REASONS = "no_reasons"


def check_explainable(attribution_baseline: AttributionBaseline, rows: int) -> None:
    """Check that the version has explanations, and that the request does not have too many rows to explain.

    Args:
        attribution_baseline: Averages of the version that contributions are measured from.
        rows: Number of rows in the request.

    Raises:
        ApiError: 422 if predictions of the version cannot be explained; 413 if there are too many rows.
    """
    if attribution_baseline.unavailable:
        raise _unavailable(attribution_baseline.unavailable)
    if rows > MAX_ROWS:
        raise ApiError(
            413,
            f"The request has {rows} rows, and at most {MAX_ROWS} rows are explained per request. Split the request, "
            "or omit `explain`.",
        )


def explain_rows(
    model: "Pipeline", attribution_baseline: AttributionBaseline, rows: pd.DataFrame
) -> list[dict[str, Any]]:
    """Return the explanation of each row's prediction.

    Args:
        model: Fitted pipeline.
        attribution_baseline: Averages of the version that contributions are measured from.
        rows: Rows of the request; shape (n, columns).

    Returns:
        One document for each row: `of` is the class that the contributions speak for (None for regression), `unit` the
        unit of all numbers, `base` the decision value of an average training row, `contributions` the columns that
        contributed most, and `others` the sum of the contributions of all other columns.

    Raises:
        ApiError: 422 if the predictions of the version, or of a row, cannot be explained.
    """
    try:
        explanations = explain(model, attribution_baseline, rows)
    except NotExplainable as error:
        raise _unavailable(str(error)) from None
    documents = []
    for row in range(len(rows)):
        largest = dict(explanations.largest_contributions(row, MAX_COLUMNS))
        contributions = explanations.contributions[row].tolist()
        others = sum(
            value for column, value in zip(explanations.columns, contributions, strict=True) if column not in largest
        )
        if not math.isfinite(sum(largest.values()) + others):
            problem = RequestProblem(row + 1, None, "the contributions of its columns are not finite")
            raise ApiError(
                422,
                "The prediction of a row cannot be explained. Remove the row from the request, or omit `explain`.",
                [problem],
                code=NO_REASONS,
            )
        listed = [{"column": column, "value": _to_json(rows, row, column), "contribution": value}
                  for column, value in largest.items()]  # fmt: skip
        documents.append({
            "of": explanations.classes[row], "unit": explanations.unit, "base": float(explanations.base[row]),
            "contributions": listed, "others": others,
        })  # fmt: skip
    return documents


def _unavailable(reason: str) -> ApiError:
    return ApiError(
        422, f"The predictions of this version cannot be explained: {reason}. Omit `explain`.", code=NO_REASONS
    )


def _to_json(rows: pd.DataFrame, row: int, column: str) -> Any:
    """Return a value as a JSON type; None for a missing value, or if the request has no such column."""
    value = rows[column].iloc[row] if column in rows.columns else None
    if value is None or pd.isna(value):
        return None
    value = value.item() if hasattr(value, "item") else value
    return value if isinstance(value, str | int | float | bool) else str(value)
