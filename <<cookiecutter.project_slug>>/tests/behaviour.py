# yours
"""Requirements for every model, independent of its metrics: the gate BEHAVIOUR runs these tests on every challenger.

Each function whose name begins with `test_` gets the held-out rows and a function that predicts rows. If an assert
fails, the challenger is refused, and the report shows the first line of the docstring as the broken requirement.
"""

from collections.abc import Callable

import numpy as np
import pandas as pd

# Returns a row for each input row: the column `prediction`, and for classifiers `probability of LABEL` for each label.
Predict = Callable[[pd.DataFrame], pd.DataFrame]


def test_predictions_are_independent(rows: pd.DataFrame, predict: Predict) -> None:
    """The prediction of a row does not depend on the other rows."""
    sample = rows.iloc[::5]
    together, apart = predict(rows).loc[sample.index], predict(sample)
    assert (together["prediction"] == apart["prediction"]).all(), "some predictions depend on the other rows"
    probabilities = [name for name in apart.columns if name.startswith("probability of ")]
    assert np.allclose(together[probabilities], apart[probabilities]), "some probabilities depend on the other rows"
