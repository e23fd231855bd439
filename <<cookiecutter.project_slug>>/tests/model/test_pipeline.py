# yours
"""What the pipeline must do; add what its answers must never depend on."""

import numpy as np
import pandas as pd

from gitops.config import Repository
from gitops.contract import Yours
from gitops.training.train import features


def test_it_fits_and_answers(frame: pd.DataFrame, yours: Yours, repository: Repository) -> None:
    """Every row gets an answer, and not all get the same."""
    rows, target = features(repository, frame), frame[repository.config.data.target]
    answers = yours.pipeline(0).fit(rows, target).predict(rows)
    assert len(answers) == len(rows)
    assert len(set(answers)) > 1


def test_the_same_seed_gives_the_same_answers(frame: pd.DataFrame, yours: Yours, repository: Repository) -> None:
    """Training twice is training once."""
    rows, target = features(repository, frame), frame[repository.config.data.target]
    first, second = (yours.pipeline(7).fit(rows, target).predict(rows) for _ in range(2))
    assert np.array_equal(first, second)


def test_it_does_not_matter_in_which_order_columns_come(
    frame: pd.DataFrame, yours: Yours, repository: Repository
) -> None:
    """A client may send the columns in any order."""
    rows, target = features(repository, frame), frame[repository.config.data.target]
    model = yours.pipeline(0).fit(rows, target)
    assert np.array_equal(model.predict(rows), model.predict(rows[rows.columns[::-1]]))
