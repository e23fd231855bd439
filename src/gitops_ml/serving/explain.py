"""What moved each prediction of a request, as the answer says it."""

import math
from typing import TYPE_CHECKING, Any

import pandas as pd

from gitops_ml.reasons import Basis, NoReasons, explain
from gitops_ml.serving.refusal import Problem, Refusal

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

ROWS = 100
MOST = 5
NONE = "no_reasons"


def check_explained(known: Basis, rows: int) -> None:
    """Whether so many rows can be explained; raises Refusal."""
    if known.unavailable:
        raise Refusal(422, f"Reasons are not available: {known.unavailable}. Ask without `explain`.", code=NONE)
    if rows > ROWS:
        raise Refusal(413, f"At most {ROWS} rows are explained at once; send them in parts, or without `explain`.")


def reasons(model: "Pipeline", known: Basis, rows: pd.DataFrame) -> list[dict[str, Any]]:
    """The reasons of each row: what an average row would get, the columns that moved it most, and the rest as a sum.

    Raises:
        Refusal: There are none.
    """
    try:
        found = explain(model, known, rows)
    except NoReasons as error:
        raise Refusal(422, f"Reasons are not available: {error}. Ask without `explain`.", code=NONE) from None
    said = []
    for row in range(len(rows)):
        largest, moved = dict(found.largest(row, MOST)), found.contributions[row].tolist()
        others = sum(one for column, one in zip(found.columns, moved, strict=True) if column not in largest)
        if not math.isfinite(sum(largest.values()) + others):
            rule = "what its columns add is no finite number"
            raise Refusal(422, "A row has no reasons.", [Problem(row + 1, None, rule)], code=NONE)
        listed = [{"column": column, "value": _value(rows, row, column), "contribution": one}
                  for column, one in largest.items()]  # fmt: skip
        said.append({"of": found.of[row], "unit": found.unit, "base": float(found.base[row]), "contributions": listed,
                     "others": others})  # fmt: skip
    return said


def _value(rows: pd.DataFrame, row: int, column: str) -> Any:
    """As it came, or nearly; nothing for what is made of several columns."""
    value = rows[column].iloc[row] if column in rows.columns else None
    if value is None or pd.isna(value):
        return None
    value = value.item() if hasattr(value, "item") else value
    return value if isinstance(value, str | int | float | bool) else str(value)
