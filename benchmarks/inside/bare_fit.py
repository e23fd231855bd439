"""Fit the pipeline alone, for comparison with gitops train: bare_fit.py REPOSITORY FILE."""

import importlib
import sys

import pandas as pd

TRAINING_SHARE = 0.7


def main(root: str, file: str) -> None:
    """Fit the pipeline on as many rows as gitops train; the key is the first column, the target the last."""
    sys.path.insert(0, f"{root}/src")
    rows = pd.read_csv(file)
    rows = rows.head(int(TRAINING_SHARE * len(rows)))
    importlib.import_module("bench.estimator").pipeline(0).fit(rows.iloc[:, 1:-1], rows.iloc[:, -1])


if __name__ == "__main__":
    main(*sys.argv[1:])
