"""`gitops reproduce`"""

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gitops_ml import console
from gitops_ml.commands import find_repository, main_revision, resolve_environment
from gitops_ml.errors import ConfigError, DataUnreadable, NotReproduced, StoreError

if TYPE_CHECKING:
    import pandas as pd

    from gitops_ml.checkout import Checkout
    from gitops_ml.config import Repository
    from gitops_ml.predictions import Predictions
    from gitops_ml.run import Run


@click.command()
@click.argument("version")
@click.option(
    "--digest", help="The digest of its files.  [default: from the record on main, or else from the registry]"
)
@click.option("--environment", help="The environment of the records.  [default: the last one in model.toml]")
@click.pass_obj
def command(project: Path, version: str, digest: str | None, environment: str | None) -> None:
    """Train a version again and compare the predictions.

    The training uses a fresh checkout of the version's commit and a new environment that contains only the packages of
    its lock. Both models must make the same predictions for the recorded rows and for the holdout.
    """
    from gitops_ml import run
    from gitops_ml.checkout import check_out_files, install_environment
    from gitops_ml.commands.score import fetch_version
    from gitops_ml.manifest import digest_file

    repository = find_repository(project)
    digest = digest or _find_digest(repository, version, resolve_environment(repository, environment))
    folder = fetch_version(repository, version, digest)
    original = run.read_run(folder, digest)
    with console.progress("reproduce") as progress, tempfile.TemporaryDirectory() as scratch:
        progress("check out its commit")
        tree = check_out_files(repository, _require_commit(original, version))
        holdout = _load_holdout(tree, original, version)
        progress("install its lock")
        checkout = install_environment(repository, tree)
        progress("train")
        repeated_folder = Path(scratch, "run")
        checkout.run_gitops("train", "--force", "--out", repeated_folder)
        repeated = run.read_run(repeated_folder, digest_file(repeated_folder / "manifest.json"))
        progress("compare")
        rows = _compare_predictions(checkout, (original, folder), (repeated, repeated_folder), holdout)
    console.table(f"Version {version}, trained again from {str(original.lineage.commit)[:12]}",
                  ["data", "rows", "largest difference", "the same"], rows)  # fmt: skip
    if any(row[-1] == "no" for row in rows):
        raise NotReproduced(
            f"Version {version} is not reproducible: trained again from its commit, data and lock, it makes other "
            "predictions.",
            "The training is random in spite of the seed, or differs by machine. The version was trained with "
            f"Python {original.lineage.python}, now with {repeated.lineage.python}. Set every random_state from the "
            "seed.",
        )
    console.echo(f"Reproduced: version {version} makes the same predictions again.")


def _find_digest(repository: "Repository", version: str, environment: str) -> str:
    """Return the digest of a version from the records on main or, if no record names it, from the registry."""
    from gitops_ml.registry import record
    from gitops_ml.registry.store import connect
    from gitops_ml.registry.versions import list_versions

    for entry in record.load_history(repository.root, environment, main_revision(repository.root)):
        if entry.record and entry.record.version == version:
            return entry.record.digest
    versions = list_versions(connect(repository), repository.config.project.name)
    for each in versions:
        if each.number == version:
            return each.digest
    raise StoreError(
        f"There is no version {version!r}.",
        f"Use one of these versions: {', '.join(each.number for each in versions) or 'none is registered'}.",
    )


def _require_commit(original: "Run", version: str) -> str:
    """Return the commit of the version, or raise ConfigError if its files were not committed."""
    if original.lineage.commit is None or original.lineage.dirty:
        raise ConfigError(
            f"Version {version} was trained from files that were never committed, so it cannot be reproduced.",
            "Commit your changes, then train a new version.",
        )
    return original.lineage.commit


def _load_holdout(tree: Path, original: "Run", version: str) -> "pd.DataFrame":
    """Return the features of the holdout from the version's own commit.

    Raises:
        ConfigError: The commit does not have the data that the version was trained on.
    """
    from gitops_ml import config, user_package
    from gitops_ml.commands.validate import validate_data
    from gitops_ml.training.features import select_features
    from gitops_ml.training.train import prepare

    old = config.find_repository(tree)
    reason = _describe_other_data(old, original)
    if reason:
        raise ConfigError(
            f"Version {version} cannot be reproduced: {reason}.",
            "A version can be reproduced only if Git keeps its data at its commit.",
        )
    validation = validate_data(old, user_package.load_user_package(old), keep_rows=True)
    assert validation.frame is not None  # noqa: S101 (keep_rows=True)
    held_out = prepare(old, validation.frame, validation.digest).held_out
    return select_features(old.config.data, held_out)[list(original.columns)]


def _describe_other_data(old: "Repository", original: "Run") -> str | None:
    """Return why a commit does not have the data of a version, or None if it has."""
    from gitops_ml.training.data import digest_files

    commit = str(original.lineage.commit)[:12]
    if old.config.data.query:
        return "its data came from a query, and Git does not keep the result"
    try:
        digest = digest_files(old)
    except DataUnreadable:
        return f"its data is not in Git at commit {commit}"
    if digest != original.lineage.data:
        return f"the data at commit {commit} is {digest[:19]}, but it was trained on {original.lineage.data[:19]}"
    return None


def _compare_predictions(
    checkout: "Checkout", original: "tuple[Run, Path]", repeated: "tuple[Run, Path]", holdout: "pd.DataFrame"
) -> list[tuple[str, int, str, str]]:
    """Compare the predictions of both models, each in the version's own code and environment."""
    import json

    from gitops_ml import run
    from gitops_ml.manifest import digest_file
    from gitops_ml.serving.score import to_typed_rows
    from gitops_ml.training.commit_scoring import score_in_checkout

    recorded = to_typed_rows(original[0], json.loads((original[1] / run.EXPECTED).read_bytes())["rows"])
    rows = []
    for data, frame in (("recorded rows", recorded), ("holdout", holdout)):
        predictions = [score_in_checkout(checkout, described, folder, digest_file(folder / "manifest.json"), frame)
                       for described, folder in (original, repeated)]  # fmt: skip
        rows.append(_row(data, *predictions))
    return rows


def _row(data: str, original: "Predictions", repeated: "Predictions") -> tuple[str, int, str, str]:
    from gitops_ml.predictions import are_close

    return data, len(original.values), _difference(original, repeated), "yes" if are_close(original, repeated) else "no"


def _difference(original: "Predictions", repeated: "Predictions") -> str:
    """Return the largest difference of probabilities or numbers, or the number of labels that differ."""
    import numpy as np

    if (
        original.probabilities is not None
        and repeated.probabilities is not None
        and original.classes == repeated.classes
    ):
        return f"{np.abs(original.probabilities - repeated.probabilities).max():.2g}"
    if original.classes or repeated.classes:
        return f"{(original.values != repeated.values).sum()} label(s)"
    return f"{np.abs(original.values - repeated.values).max():.2g}"
