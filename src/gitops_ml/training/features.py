"""The columns of a row that a model may receive."""

from typing import TYPE_CHECKING

from gitops_ml.config import DataConfig

if TYPE_CHECKING:
    import pandas as pd


def select_features(data: DataConfig, rows: "pd.DataFrame") -> "pd.DataFrame":
    """Return the columns that a model receives: all but the key, the target, and those that are known later.

    Args:
        data: Table [data] of model.toml.
        rows: Rows of the data.
    """
    return rows.drop(columns=[data.key, data.target, *data.known_later], errors="ignore")


def drop_key_and_target(data: DataConfig, rows: "pd.DataFrame") -> "pd.DataFrame":
    """Return the columns that a version may have been trained on, also before one was declared as known later.

    Args:
        data: Table [data] of model.toml.
        rows: Rows of the data.
    """
    return rows.drop(columns=[data.key, data.target], errors="ignore")
