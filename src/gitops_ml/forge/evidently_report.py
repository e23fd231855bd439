"""Evidently's own report of two samples: a program that runs in an environment of its own, without gitops.

    python evidently_report.py REFERENCE.parquet CURRENT.parquet PAGE.html

Evidently cannot be imported beside the pandas of this repository; requirements/evidently.txt has what it needs.
"""

import sys
from pathlib import Path

import pandas as pd

CATEGORIES = 50


def main(reference: str, current: str, page: str) -> None:
    """Write the page."""
    from evidently import DataDefinition, Dataset, Report
    from evidently.presets import DataDriftPreset, DataSummaryPreset

    frames = {"reference": pd.read_parquet(reference), "current": pd.read_parquet(current)}
    numbers, words = _kinds(frames)
    definition = DataDefinition(numerical_columns=numbers, categorical_columns=words)
    sides = {
        name: Dataset.from_pandas(frame[[*numbers, *words]].astype(dict.fromkeys(words, object)), definition)
        for name, frame in frames.items()
    }
    snapshot = Report([DataDriftPreset(), DataSummaryPreset()]).run(sides["current"], sides["reference"])
    Path(page).write_text(snapshot.get_html_str(as_iframe=False), encoding="utf-8")


def _kinds(frames: dict[str, pd.DataFrame]) -> tuple[list[str], list[str]]:
    """Columns of numbers, and of categories; what is empty on a side, or names each row, is no distribution."""
    numbers, words = [], []
    for name in frames["reference"].columns:
        sides = [frame[name].dropna() for frame in frames.values()]
        if any(side.empty for side in sides):
            continue
        if all(pd.api.types.is_numeric_dtype(side) and not pd.api.types.is_bool_dtype(side) for side in sides):
            numbers.append(str(name))
        elif all(side.nunique() <= CATEGORIES for side in sides):
            words.append(str(name))
    return numbers, words


if __name__ == "__main__":
    main(*sys.argv[1:])
