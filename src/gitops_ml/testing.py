"""Fixtures for the tests of a generated repository: your schema, your pipeline, your data.

pytest loads this module as a plugin if the library is installed. Its fixtures, the command line and model.toml are the
stable interface of the library.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    import pandas as pd
    import pandera.pandas as pa
    from sklearn.pipeline import Pipeline

    from gitops_ml.config import Repository
    from gitops_ml.user_package import UserPackage


@pytest.fixture(scope="session")
def schema(_user_package: "UserPackage") -> "pa.DataFrameSchema":
    """`Schema` in schema.py, as pandera checks it."""
    return _user_package.schema


@pytest.fixture(scope="session")
def pipeline(_user_package: "UserPackage") -> "Callable[[int], Pipeline]":
    """`pipeline` in estimator.py: the unfitted scikit-learn Pipeline for a seed."""
    return _user_package.pipeline


@pytest.fixture(scope="session")
def frame(_repository: "Repository", _user_package: "UserPackage") -> "pd.DataFrame":
    """Your data with the types of the schema: all rows, all columns."""
    from gitops_ml.training.validate import validate

    validation = validate(_repository, _user_package, keep=True)
    assert validation.problems == ()  # noqa: S101 (this is a test)
    assert validation.frame is not None  # noqa: S101
    return validation.frame


@pytest.fixture(scope="session")
def rows(_repository: "Repository", frame: "pd.DataFrame") -> "pd.DataFrame":
    """Your data as the pipeline receives it: without the key and the target."""
    from gitops_ml.training.train import select_features

    return select_features(_repository, frame)


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
    from gitops_ml.config import find_repository

    return find_repository(pytestconfig.rootpath)


@pytest.fixture(scope="session")
def _user_package(_repository: "Repository") -> "UserPackage":
    from gitops_ml.user_package import load_user_package

    return load_user_package(_repository)
