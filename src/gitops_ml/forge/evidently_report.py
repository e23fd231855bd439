"""Script that writes Evidently's report on two samples.

    python evidently_report.py REFERENCE.parquet CURRENT.parquet PAGE.html

Evidently needs an older pandas than the library. Therefore the script runs in its own Python environment, which
requirements/evidently.txt pins, and it cannot import `gitops_ml`.
"""

import sys
from pathlib import Path

import pandas as pd

MAX_CATEGORIES = 50


def main(reference: str, current: str, page: str) -> None:
    """Write the HTML page with Evidently's data drift and data summary of both samples.

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
    """Return the names of the numerical columns and of the categorical columns.

    Two kinds of columns are left out: those without a value in one of the samples, and those that are not numerical and
    have more than MAX_CATEGORIES distinct values.
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
