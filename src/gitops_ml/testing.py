"""pytest fixtures for the tests of a repository made from the template: your schema, your pipeline and your data.

pytest loads this module as a plugin if the library is installed. The stable interface of the library consists of these
fixtures, gitops_ml.notebook, the command line and model.toml.
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
    """The pandera schema of your data: `Schema` in schema.py, converted to a `DataFrameSchema`."""
    return _user_package.schema


@pytest.fixture(scope="session")
def pipeline(_user_package: "UserPackage") -> "Callable[[int], Pipeline]":
    """The function `pipeline` in estimator.py; `pipeline(seed)` returns an unfitted scikit-learn Pipeline."""
    return _user_package.pipeline


@pytest.fixture(scope="session")
def frame(_repository: "Repository", _user_package: "UserPackage") -> "pd.DataFrame":
    """All rows and columns of your data, validated and converted to the types of the schema.

    A test that needs them is skipped in a pull request from a fork if they come from a query: it has no secrets.
    """
    from gitops_ml.query import DatabaseWithheld
    from gitops_ml.training.validate import validate

    try:
        validation = validate(_repository, _user_package, keep_rows=True)
    except DatabaseWithheld as error:
        pytest.skip(error.problem)
    assert validation.problems == ()  # noqa: S101 (pytest shows the problems)
    assert validation.frame is not None  # noqa: S101
    return validation.frame


@pytest.fixture(scope="session")
def rows(_repository: "Repository", frame: "pd.DataFrame") -> "pd.DataFrame":
    """Features of all rows, as the pipeline receives them: `frame` without the key, the target and `known_later`."""
    from gitops_ml.training.features import select_features

    return select_features(_repository.config.data, frame)


@pytest.fixture(scope="session")
def target_column(_repository: "Repository") -> str:
    """Name of the target, the column to predict."""
    return _repository.config.data.target


@pytest.fixture(scope="session")
def target(frame: "pd.DataFrame", target_column: str) -> "pd.Series":
    """Values of the target, one for each row of `rows`."""
    return frame[target_column]


@pytest.fixture(scope="session")
def _repository(pytestconfig: pytest.Config) -> "Repository":
    from gitops_ml.config import find_repository

    return find_repository(pytestconfig.rootpath)


@pytest.fixture(scope="session")
def _user_package(_repository: "Repository") -> "UserPackage":
    from gitops_ml.user_package import load_user_package

    return load_user_package(_repository)
