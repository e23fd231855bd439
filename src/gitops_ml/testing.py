"""Fixtures for the tests of a generated repository: your schema, your pipeline, your data.

pytest loads this module by itself where the library is installed. With the command line and model.toml, it is what the
library promises to keep stable.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    import pandas as pd
    import pandera.pandas as pa
    from sklearn.pipeline import Pipeline

    from gitops_ml.config import Repository
    from gitops_ml.contract import Yours


@pytest.fixture(scope="session")
def schema(_yours: "Yours") -> "pa.DataFrameSchema":
    """`Schema` in schema.py, as pandera checks it."""
    return _yours.schema


@pytest.fixture(scope="session")
def pipeline(_yours: "Yours") -> "Callable[[int], Pipeline]":
    """`pipeline` in estimator.py: the unfitted scikit-learn Pipeline for a seed."""
    return _yours.pipeline


@pytest.fixture(scope="session")
def frame(_repository: "Repository", _yours: "Yours") -> "pd.DataFrame":
    """Your data, with the types that the schema gives it: all rows, all columns."""
    from gitops_ml.training.validate import validate

    validation = validate(_repository, _yours, keep=True)
    assert validation.problems == ()  # noqa: S101 (this is a test)
    assert validation.frame is not None  # noqa: S101
    return validation.frame


@pytest.fixture(scope="session")
def rows(_repository: "Repository", frame: "pd.DataFrame") -> "pd.DataFrame":
    """Your data as the pipeline gets it: without the key and the target."""
    from gitops_ml.training.train import features

    return features(_repository, frame)


@pytest.fixture(scope="session")
def target_column(_repository: "Repository") -> str:
    """Name of the column to predict."""
    return _repository.config.data.target


@pytest.fixture(scope="session")
def target(frame: "pd.DataFrame", target_column: str) -> "pd.Series":
    """The column to predict, one value for each of `rows`."""
    return frame[target_column]


@pytest.fixture(scope="session")
def _repository(pytestconfig: pytest.Config) -> "Repository":
    from gitops_ml.config import find

    return find(pytestconfig.rootpath)


@pytest.fixture(scope="session")
def _yours(_repository: "Repository") -> "Yours":
    from gitops_ml.contract import load

    return load(_repository)
