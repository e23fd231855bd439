"""Score rows with a version's own commit and lock, where today's code or libraries would change what it says."""

import tempfile
from pathlib import Path

import pandas as pd

from gitops_ml import predictions
from gitops_ml.checkout import Checkout, CheckoutFailed, check_out
from gitops_ml.config import Repository
from gitops_ml.errors import ConfigError
from gitops_ml.predictions import Predictions
from gitops_ml.run import Run


def score(repository: Repository, run: Run, folder: Path, digest: str, rows: pd.DataFrame) -> Predictions:
    """Check out the version's commit beside this one, in the environment of its lock, and score the rows there.

    Args:
        repository: Whose history holds the commit.
        run: What the version says of itself.
        folder: Its files, verified.
        digest: Of its manifest.
        rows: What the model sees.

    Raises:
        ConfigError: It cannot be had: the commit is unknown, or was not all there was. A version that cannot be
            scored neither wins nor loses.
    """
    commit = run.lineage.commit
    if commit is None or run.lineage.dirty:
        raise _cannot(run, "it was trained from files that were never committed")
    try:
        return score_in(check_out(repository, commit), run, folder, digest, rows)
    except CheckoutFailed as error:
        raise _cannot(run, error.what.rstrip(".")) from error


def score_in(there: Checkout, run: Run, folder: Path, digest: str, rows: pd.DataFrame) -> Predictions:
    """Score the rows in a commit that was checked out.

    Raises:
        CheckoutFailed: The commit's own code cannot do it.
    """
    with tempfile.TemporaryDirectory() as scratch:
        source, target = Path(scratch, "rows.parquet"), Path(scratch, "predictions.parquet")
        rows.to_parquet(source, index=False)
        there.gitops("score", "--run", folder.resolve(), "--digest", digest, "--rows", source, "--out", target)
        return predictions.read(target, run.classes)


def _cannot(run: Run, why: str) -> ConfigError:
    return ConfigError(
        f"The version of {run.model} with training digest {run.lineage.training[:19]} says something else under "
        f"today's code, and could not be scored by its own: {why}.",
        "Undo the change in src/ that alters what it says, or remove the record in registry/ by pull request to start "
        "over without a champion.",
    )
