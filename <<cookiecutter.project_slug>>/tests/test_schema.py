# yours
"""What the schema must accept and refuse; add the mistakes that your data once had.

`schema`, `frame` and `target_column` come from gitops_ml.testing: your schema, your data, the column to predict.
"""

import pandas as pd
import pandera.pandas as pa
import pytest


def test_the_data_keeps_the_schema(frame: pd.DataFrame, schema: pa.DataFrameSchema) -> None:
    """Every committed row is accepted."""
    assert len(schema.validate(frame, lazy=True)) == len(frame)


def test_a_missing_target_is_refused(frame: pd.DataFrame, schema: pa.DataFrameSchema, target_column: str) -> None:
    """A row without a target teaches nothing."""
    broken = frame.head(3).assign(**{target_column: None})
    with pytest.raises(pa.errors.SchemaErrors):
        schema.validate(broken, lazy=True)


def test_an_unknown_column_is_refused(frame: pd.DataFrame, schema: pa.DataFrameSchema) -> None:
    """A column that nobody declared is a mistake, or a leak."""
    with pytest.raises(pa.errors.SchemaErrors):
        schema.validate(frame.head(3).assign(surprise=1), lazy=True)
