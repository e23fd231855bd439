# yours
"""Tests of the schema; add errors that have occurred in your data.

`schema`, `frame` and `target_column` are fixtures of gitops_ml.testing: your schema, your data, the column to predict.
"""

import pandas as pd
import pandera.pandas as pa
import pytest


def test_the_data_matches_the_schema(frame: pd.DataFrame, schema: pa.DataFrameSchema) -> None:
    """The schema accepts every committed row."""
    assert len(schema.validate(frame, lazy=True)) == len(frame)


def test_a_missing_target_is_refused(schema: pa.DataFrameSchema, target_column: str) -> None:
    """A row without a target is useless for training."""
    assert not schema.columns[target_column].nullable


def test_an_unknown_column_is_refused(frame: pd.DataFrame, schema: pa.DataFrameSchema) -> None:
    """An undeclared column is an error or leaks the target."""
    with pytest.raises(pa.errors.SchemaErrors):
        schema.validate(frame.head(3).assign(surprise=1), lazy=True)
