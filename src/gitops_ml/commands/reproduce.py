"""`gitops reproduce`"""

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gitops_ml import console
from gitops_ml.commands import find, main_revision, where
from gitops_ml.errors import ConfigError, DataUnreadable, NotReproduced, StoreError

if TYPE_CHECKING:
    import pandas as pd

    from gitops_ml.checkout import Checkout
    from gitops_ml.config import Repository
    from gitops_ml.predictions import Predictions
    from gitops_ml.run import Run


@click.command()
@click.argument("version")
@click.option("--digest", help="Of its files.  [default: what a record on main says, or else the registry]")
@click.option("--environment", help="Whose records.  [default: the last one in model.toml]")
@click.pass_obj
def command(project: Path, version: str, digest: str | None, environment: str | None) -> None:
    """Train a version again from its lineage, and compare.

    In its own commit, checked out anew, in an environment of its own that has what its lock installs and nothing else;
    what both say of the recorded rows and of the holdout must be the same.
    """
    from gitops_ml import run
    from gitops_ml.checkout import fresh_tree, own_environment
    from gitops_ml.commands.score import fetch_version
    from gitops_ml.manifest import digest_file

    repository = find(project)
    digest = digest or _pinned(repository, version, where(repository, environment))
    folder = fetch_version(repository, version, digest)
    then = run.read(folder, digest)
    with console.progress("reproduce") as progress, tempfile.TemporaryDirectory() as scratch:
        progress("check out its commit")
        tree = fresh_tree(repository, _commit(then, version))
        held_out = _held_out(tree, then, version)
        progress("install its lock")
        there = own_environment(repository, tree)
        progress("train")
        again = Path(scratch, "run")
        there.gitops("train", "--force", "--out", again)
        now = run.read(again, digest_file(again / "manifest.json"))
        progress("compare")
        rows = _compared(there, (then, folder), (now, again), held_out)
    console.table(f"Version {version}, trained again from {str(then.lineage.commit)[:12]}",
                  ["what", "rows", "largest difference", "the same"], rows)  # fmt: skip
    if any(row[-1] == "no" for row in rows):
        raise NotReproduced(
            f"Version {version}, trained again from its commit, data and lock, says something else.",
            f"Something in its training is random in spite of the seed, or differs by machine: it was trained with "
            f"Python {then.lineage.python}, and now with {now.lineage.python}.",
        )
    console.say(f"Reproduced: version {version} says the same again.")


def _pinned(repository: "Repository", version: str, environment: str) -> str:
    """The digest of a version: reviewed and merged, where a record names it; else what the registry says."""
    from gitops_ml.registry import record
    from gitops_ml.registry.store import connect
    from gitops_ml.registry.versions import known

    for entry in record.history(repository.root, environment, main_revision(repository.root)):
        if entry.record and entry.record.version == version:
            return entry.record.digest
    versions = known(connect(repository), repository.config.project.name)
    for each in versions:
        if each.number == version:
            return each.digest
    raise StoreError(
        f"There is no version {version!r}.", f"Known: {', '.join(each.number for each in versions) or 'none'}."
    )


def _commit(then: "Run", version: str) -> str:
    if then.lineage.commit is None or then.lineage.dirty:
        raise ConfigError(
            f"Version {version} was trained from files that were never committed.",
            "Nobody can make it again; commit, and train a new one.",
        )
    return then.lineage.commit


def _held_out(tree: Path, then: "Run", version: str) -> "pd.DataFrame":
    """What the version was measured on, as its own commit has it.

    Raises:
        ConfigError: The commit does not have the data that the version was trained on.
    """
    from gitops_ml import config, contract
    from gitops_ml.commands.validate import checked
    from gitops_ml.training.train import features, prepare

    old = config.find(tree)
    why = _other_data(old, then)
    if why:
        raise ConfigError(
            f"Version {version} cannot be made again: {why}.", "Data that Git keeps at its commit can be."
        )
    validation = checked(old, contract.load(old), keep=True)
    assert validation.frame is not None  # noqa: S101 (it was asked for)
    return features(old, prepare(old, validation.frame, validation.digest).held_out)[list(then.columns)]


def _other_data(old: "Repository", then: "Run") -> str | None:
    """Why a commit does not have a version's data; None where it does."""
    from gitops_ml.training.data import digest_files

    commit = str(then.lineage.commit)[:12]
    if old.config.data.query:
        return "its data came from a query, and Git does not keep what it answered"
    try:
        digest = digest_files(old)
    except DataUnreadable:
        return f"its data is not in Git at commit {commit}"
    if digest != then.lineage.data:
        return f"the data at commit {commit} is {digest[:19]}, and it was trained on {then.lineage.data[:19]}"
    return None


def _compared(
    there: "Checkout", then: "tuple[Run, Path]", now: "tuple[Run, Path]", held_out: "pd.DataFrame"
) -> list[tuple[str, int, str, str]]:
    """What both say of the recorded rows and of the holdout, each in the version's own code and environment."""
    import json

    from gitops_ml import run
    from gitops_ml.manifest import digest_file
    from gitops_ml.serving.score import table
    from gitops_ml.training.own_code import score_in

    recorded = table(then[0], json.loads((then[1] / run.EXPECTED).read_bytes())["rows"])
    rows = []
    for what, frame in (("recorded rows", recorded), ("holdout", held_out)):
        said = [score_in(there, described, folder, digest_file(folder / "manifest.json"), frame)
                for described, folder in (then, now)]  # fmt: skip
        rows.append(_row(what, *said))
    return rows


def _row(what: str, then: "Predictions", now: "Predictions") -> tuple[str, int, str, str]:
    from gitops_ml.predictions import same

    return what, len(then.values), _difference(then, now), "yes" if same(then, now) else "no"


def _difference(then: "Predictions", now: "Predictions") -> str:
    """The largest difference between probabilities or numbers, or how many labels differ where there is no more."""
    import numpy as np

    if then.probabilities is not None and now.probabilities is not None and then.classes == now.classes:
        return f"{np.abs(then.probabilities - now.probabilities).max():.2g}"
    if then.classes or now.classes:
        return f"{(then.values != now.values).sum()} label(s)"
    return f"{np.abs(then.values - now.values).max():.2g}"
