# yours
"""What you expect of a model whatever its metrics are: the gate BEHAVIOUR asks this of every challenger.

Each function that begins with `test_` gets the held-out rows and a function that answers rows; a failing assert refuses
the challenger, with the first line of the docstring as what was promised.
"""

from collections.abc import Callable

import numpy as np
import pandas as pd

# One line for each row: the column `prediction`, and for classifiers `probability of LABEL` for each label.
Answer = Callable[[pd.DataFrame], pd.DataFrame]


def test_a_row_is_answered_alone(rows: pd.DataFrame, answer: Answer) -> None:
    """What a row is answered does not hang on the rows around it."""
    few = rows.iloc[::5]
    together, apart = answer(rows).loc[few.index], answer(few)
    assert (together["prediction"] == apart["prediction"]).all(), "some rows get another answer among others"
    shares = [name for name in apart.columns if name.startswith("probability of ")]
    assert np.allclose(together[shares], apart[shares]), "some rows get another probability among others"
