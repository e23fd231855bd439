"""Evidently's report on two samples: a script that runs in an environment of its own, without gitops.

    python evidently_report.py REFERENCE.parquet CURRENT.parquet PAGE.html

Evidently needs an older pandas than this repository. requirements/evidently.txt pins its environment.
"""

import sys
from pathlib import Path

import pandas as pd

MAX_CATEGORIES = 50


def main(reference: str, current: str, page: str) -> None:
    """Write the HTML page.

    Args:
        reference: Path of the Parquet file with the reference rows.
        current: Path of the Parquet file with the current rows.
        page: Path of the HTML file to write.
    """
    from evidently import DataDefinition, Dataset, Report
    from evidently.presets import DataDriftPreset, DataSummaryPreset

    frames = {"reference": pd.read_parquet(reference), "current": pd.read_parquet(current)}
    numerical, categorical = _split_columns(frames)
    definition = DataDefinition(numerical_columns=numerical, categorical_columns=categorical)
    columns = [*numerical, *categorical]
    datasets = {
        name: Dataset.from_pandas(frame[columns].astype(dict.fromkeys(categorical, object)), definition)
        for name, frame in frames.items()
    }
    snapshot = Report([DataDriftPreset(), DataSummaryPreset()]).run(datasets["current"], datasets["reference"])
    Path(page).write_text(snapshot.get_html_str(as_iframe=False), encoding="utf-8")


def _split_columns(frames: dict[str, pd.DataFrame]) -> tuple[list[str], list[str]]:
    """Return the numerical and the categorical columns.

    Columns that are empty in one of the samples, or that have more than MAX_CATEGORIES texts, are left out.
    """
    numerical, categorical = [], []
    for name in frames["reference"].columns:
        samples = [frame[name].dropna() for frame in frames.values()]
        if any(sample.empty for sample in samples):
            continue
        if all(pd.api.types.is_numeric_dtype(it) and not pd.api.types.is_bool_dtype(it) for it in samples):
            numerical.append(str(name))
        elif all(sample.nunique() <= MAX_CATEGORIES for sample in samples):
            categorical.append(str(name))
    return numerical, categorical


if __name__ == "__main__":
    main(*sys.argv[1:])
