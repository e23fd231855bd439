"""Scoring with a version's own commit and lock, if the current code or libraries would change its predictions."""

import tempfile
from pathlib import Path

import pandas as pd

from gitops_ml import predictions
from gitops_ml.checkout import Checkout, CheckoutFailed, check_out
from gitops_ml.config import Repository
from gitops_ml.errors import ConfigError
from gitops_ml.predictions import Predictions
from gitops_ml.run import Run


def check_out_version(repository: Repository, run: Run) -> Checkout:
    """Check out the commit of a version, with the environment of its lock.

    Args:
        repository: Repository with the commit in its history.
        run: Record of the version's training.

    Returns:
        The commit's files, and an interpreter with its packages.

    Raises:
        ConfigError: The commit is unknown, was not complete, or its lock cannot be installed.
    """
    commit = run.lineage.commit
    if commit is None or run.lineage.dirty:
        raise not_scorable(run, "it was trained from files that were never committed")
    try:
        return check_out(repository, commit)
    except CheckoutFailed as error:
        raise not_scorable(run, error.problem.rstrip(".")) from error


def score_in_checkout(checkout: Checkout, run: Run, folder: Path, digest: str, rows: pd.DataFrame) -> Predictions:
    """Score the rows with the code of a checked-out commit.

    Args:
        checkout: Checked-out commit with its environment.
        run: Record of the version's training.
        folder: Verified folder with the version's files.
        digest: Digest of the folder's manifest.
        rows: Features, shape (n, columns).

    Returns:
        The predictions for the rows.

    Raises:
        CheckoutFailed: The commit's own code cannot score the rows.
    """
    with tempfile.TemporaryDirectory() as scratch:
        rows_file, predictions_file = Path(scratch, "rows.parquet"), Path(scratch, "predictions.parquet")
        rows.to_parquet(rows_file, index=False)
        checkout.run_gitops(
            "score", "--run", folder.resolve(), "--digest", digest, "--rows", rows_file, "--out", predictions_file
        )
        return predictions.read_predictions(predictions_file, run.classes)


def not_scorable(run: Run, reason: str) -> ConfigError:
    """Return the error for a version that cannot be scored.

    Args:
        run: Record of the version's training.
        reason: Why, as a clause.
    """
    return ConfigError(
        f"With the current code, the predictions of the version of {run.model} with training digest "
        f"{run.lineage.training[:19]} differ from its recorded ones, and its own code cannot score it: {reason}.",
        "Undo the change in src/ that changes its predictions, or run `gitops start-over`, so that the next version is "
        "compared with no champion.",
    )
