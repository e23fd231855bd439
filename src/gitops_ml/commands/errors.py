"""`gitops errors`"""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from gitops_ml import console
from gitops_ml.commands import find_repository

if TYPE_CHECKING:
    import pandas as pd

    from gitops_ml.config import Repository
    from gitops_ml.predictions import Predictions
    from gitops_ml.training.train import PreparedData
    from gitops_ml.user_package import UserPackage

SHOWN = 10
COST = (
    "Each look at the held-out rows costs evidence: whatever you change because of them is then judged by the same "
    "rows, and looks better than it is. The errors of the training rows cost nothing."
)


@click.command()
@click.option(
    "--folds", type=click.IntRange(min=2), default=5, show_default=True, help="Folds of the cross-validation."
)
@click.option("--held-out", is_flag=True, help="The errors of the held-out rows, of a model of all training rows.")
@click.option("--out", type=click.Path(path_type=Path), help="CSV file to write.  [default: .gitops/errors.csv]")
@click.pass_obj
def command(project: Path, folds: int, held_out: bool, out: Path | None) -> None:
    """List the rows with the largest errors, to study them.

    The model of the present files is cross-validated on the training rows: each row is predicted by a model that was
    not fitted on it. The file has each row's key, target, prediction and loss, the largest loss first.
    """
    from gitops_ml import user_package
    from gitops_ml.commands.validate import validate_data
    from gitops_ml.training.train import prepare

    repository = find_repository(project)
    out = out or repository.scratch / "errors.csv"
    package = user_package.load_user_package(repository)
    validation = validate_data(repository, package, keep_rows=True)
    assert validation.frame is not None  # noqa: S101 (keep_rows=True)
    prepared = prepare(repository, validation.frame, validation.digest)
    if held_out:
        console.echo(COST)
    errors = _measure(repository, package, prepared, None if held_out else folds)
    out.parent.mkdir(parents=True, exist_ok=True)
    errors.to_csv(out, index=False)
    shown = errors.head(SHOWN).astype(object)
    shown["loss"] = [f"{loss:.4g}" for loss in shown["loss"]]
    console.table(f"The {len(shown)} rows with the largest loss", list(shown.columns), shown.to_numpy().tolist())
    console.echo(f"Wrote the errors of {len(errors)} rows to {console.relative_path(out)}.")


def _measure(
    repository: "Repository", package: "UserPackage", prepared: "PreparedData", folds: int | None
) -> "pd.DataFrame":
    """Return key, target, prediction and loss of each row; of the held-out rows if there are no folds."""
    from gitops_ml.predictions import predict, to_frame
    from gitops_ml.training.cross_validation import cross_validate
    from gitops_ml.training.features import select_features
    from gitops_ml.training.row_losses import measure_row_losses
    from gitops_ml.training.search import fit
    from gitops_ml.training.train import build_pipeline

    data = repository.config.data

    def predict_fold(fitted: "pd.DataFrame", held: "pd.DataFrame") -> "Predictions":
        pipeline = build_pipeline(repository, package)
        model = fit(repository, pipeline, select_features(data, fitted), fitted).model
        return predict(model, select_features(data, held))

    with console.progress("errors", timed=True) as progress:
        if folds:
            validated = cross_validate(repository, predict_fold, prepared.rows, folds, progress)
            rows, predictions = validated.rows, validated.predictions
        else:
            progress("fit")
            rows = prepared.held_out
            predictions = predict_fold(prepared.rows, rows)
    # Fixed names, because a column of the data may be called "prediction" itself.
    errors = to_frame(predictions)
    errors.insert(0, "key", rows[data.key].to_numpy())
    errors.insert(1, "target", rows[data.target].to_numpy())
    errors["loss"] = measure_row_losses(rows[data.target].to_numpy(), predictions)
    if folds:
        errors["fold"] = validated.folds
    return errors.sort_values("loss", ascending=False, kind="stable", ignore_index=True)
