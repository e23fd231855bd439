# yours
"""What the schema must accept and refuse; add the mistakes that your data once had."""

import pandas as pd
import pandera.pandas as pa
import pytest

from gitops.config import Repository
from gitops.contract import Yours


def test_the_data_keeps_the_schema(frame: pd.DataFrame, yours: Yours) -> None:
    """Every committed row is accepted."""
    assert len(yours.schema.validate(frame, lazy=True)) == len(frame)


def test_a_missing_target_is_refused(frame: pd.DataFrame, yours: Yours, repository: Repository) -> None:
    """A row without an answer teaches nothing."""
    broken = frame.head(3).assign(**{repository.config.data.target: None})
    with pytest.raises(pa.errors.SchemaErrors):
        yours.schema.validate(broken, lazy=True)


def test_an_unknown_column_is_refused(frame: pd.DataFrame, yours: Yours) -> None:
    """A column that nobody declared is a mistake, or a leak."""
    with pytest.raises(pa.errors.SchemaErrors):
        yours.schema.validate(frame.head(3).assign(surprise=1), lazy=True)
