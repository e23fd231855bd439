# machinery
"""`gitops promote`"""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from gitops import console
from gitops.commands import champion, find
from gitops.errors import ConfigError, GateRefused

if TYPE_CHECKING:
    from gitops.config import Repository
    from gitops.registry.record import Figure, Record
    from gitops.run import Run
    from gitops.training.compare import Comparison, Side


@click.command()
@click.option("--local", is_flag=True, required=True, help="Propose on a branch of this clone, without a forge.")
@click.option(
    "--comparison", type=click.Path(path_type=Path), help="What `compare` left.  [default: .gitops/comparison]"
)
@click.option("--environment", default="production", show_default=True, help="Where to promote.")
@click.pass_obj
def command(project: Path, local: bool, comparison: Path | None, environment: str) -> None:
    """Propose the challenger as champion.

    The proposal is a branch whose one change is the record; merging it is the promotion.
    """
    from gitops.registry.propose import branch_name, propose

    repository = find(project)
    found = _read(comparison or repository.scratch / "comparison")
    if found.verdict == "champion":
        console.say(f"Nothing to promote: version {found.challenger.version} is the champion already.")
        return
    if found.verdict == "refuse":
        raise GateRefused(
            f"Version {found.challenger.version} is refused by {', '.join(found.refused)}; nothing was proposed.",
            "`gitops compare` says why.",
        )
    record = _record(repository, found, environment)
    branch = branch_name(environment)
    if propose(repository.root, record):
        console.say(f"Proposed: branch {branch} makes version {record.version} the champion, release {record.release}.")
    else:
        console.say(f"Nothing to do: branch {branch} proposes version {record.version} already.")
    console.say(
        f"Look at it:  git show {branch}\nPromote it:  git merge --no-ff {branch}\nRefuse it:   git branch -D {branch}"
    )


def _read(folder: Path) -> "Comparison":
    from pydantic import ValidationError

    from gitops.commands.compare import RESULT
    from gitops.training.compare import Comparison

    try:
        return Comparison.model_validate_json((folder / RESULT).read_bytes())
    except (OSError, ValidationError) as error:
        raise ConfigError(f"There is no comparison in {folder}.", "Run `gitops compare` first.") from error


def _record(repository: "Repository", found: "Comparison", environment: str) -> "Record":
    """The record that the comparison earned.

    Raises:
        ConfigError: The champion, or the version, is not what was compared.
        GateRefused: The version was trained from uncommitted files.
    """
    from gitops.registry import record

    before = champion(repository, environment)
    if (before.digest if before else None) != (found.champion.digest if found.champion else None):
        raise ConfigError("The champion has changed since the comparison.", "Run `gitops compare` again.")
    run, described = _version(repository, found.challenger)
    return record.Record(
        environment=environment,
        model=described.model,
        version=found.challenger.version,
        release=record.release(before, described, found.challenger.digest),
        digest=found.challenger.digest,
        image=None,
        run=run,
        columns=described.columns,
        classes=described.classes,
        figure=_measured(found),
        lineage=described.lineage,
    )


def _version(repository: "Repository", side: "Side") -> "tuple[str, Run]":
    """MLflow's run behind the version that was compared, and what its training said of itself, verified."""
    from gitops import run
    from gitops.registry.store import connect
    from gitops.registry.versions import fetch, known, place

    store, model = connect(repository), repository.config.project.name
    version = next((v for v in known(store, model) if v.number == side.version), None)
    if version is None or version.digest != side.digest:
        raise ConfigError(
            f"The registry's version {side.version} is not the one that was compared.", "Run `gitops compare` again."
        )
    folder = place(repository, side.version, side.digest)
    fetch(store, model, side.version, side.digest, folder)
    described = run.read(folder, side.digest)
    if described.lineage.dirty:
        raise GateRefused(
            f"Version {side.version} was trained from files that are not committed, so nobody could make it again.",
            "Commit, then run `gitops train` again.",
        )
    return version.run, described


def _measured(found: "Comparison") -> "Figure":
    """The figures that earned the place; a gate refuses what is not finite, so these are."""
    from gitops.registry.record import Figure

    value, baseline = found.challenger.metrics[found.metric], found.baseline[found.metric]
    assert value is not None  # noqa: S101
    assert baseline is not None  # noqa: S101
    theirs = found.champion.metrics[found.metric] if found.champion else None
    return Figure(metric=found.metric, value=value, baseline=baseline, champion=theirs)
