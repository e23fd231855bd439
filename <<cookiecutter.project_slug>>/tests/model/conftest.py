# yours
"""Your data and your code, as gitops sees them."""

from pathlib import Path

import pandas as pd
import pytest

from gitops import contract
from gitops.config import Repository, find
from gitops.contract import Yours
from gitops.training.validate import validate


@pytest.fixture(scope="session")
def repository() -> Repository:
    """This repository."""
    return find(Path(__file__))


@pytest.fixture(scope="session")
def yours(repository: Repository) -> Yours:
    """Your schema and your pipeline."""
    return contract.load(repository)


@pytest.fixture(scope="session")
def frame(repository: Repository, yours: Yours) -> pd.DataFrame:
    """Your data, as the schema types it."""
    validation = validate(repository, yours, keep=True)
    assert validation.problems == ()
    assert validation.frame is not None
    return validation.frame
