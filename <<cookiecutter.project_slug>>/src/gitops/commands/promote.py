# machinery
"""`gitops promote`"""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from gitops import console
from gitops.commands import champion, find
from gitops.errors import ConfigError, GateRefused, IntegrityError

if TYPE_CHECKING:
    from gitops.config import Repository
    from gitops.registry.record import Figure, Record
    from gitops.registry.store import Store
    from gitops.run import Run
    from gitops.training.compare import Comparison, Side


@click.command()
@click.option("--local", is_flag=True, help="Propose on a branch of this clone, without GitHub.")
@click.option(
    "--comparison", type=click.Path(path_type=Path), help="What `compare` left.  [default: .gitops/comparison]"
)
@click.option("--comparison-digest", envvar="GITOPS_COMPARISON_DIGEST", help="Its digest, as `compare` gave it out.")
@click.option(
    "--environment", default="production", show_default=True, envvar="GITOPS_ENVIRONMENT", help="Where to promote."
)
@click.pass_obj
def command(
    project: Path, local: bool, comparison: Path | None, comparison_digest: str | None, environment: str
) -> None:
    """Propose the challenger as champion.

    The proposal is a pull request whose one change is the record; merging it is the promotion.
    """
    repository = find(project)
    found = _read(comparison or repository.scratch / "comparison", comparison_digest)
    if found.verdict == "refuse":
        raise GateRefused(
            f"Version {found.challenger.version} is refused by {', '.join(found.refused)}; nothing was proposed.",
            "`gitops compare` says why.",
        )
    if local:
        _locally(repository, found, environment)
    else:
        from gitops.commands.pull_request import keep

        keep(repository, found, environment)


def _locally(repository: "Repository", found: "Comparison", environment: str) -> None:
    from gitops.registry.propose import branch_name, propose
    from gitops.registry.store import connect

    if found.verdict == "champion":
        console.say(f"Nothing to promote: version {found.challenger.version} is the champion already.")
        return
    if not against_champion(repository, found, environment):
        raise ConfigError("The champion has changed since the comparison.", "Run `gitops compare` again.")
    wanted = record_of(repository, connect(repository), found, environment)
    branch = branch_name(environment)
    if propose(repository.root, wanted):
        console.say(f"Proposed: branch {branch} makes version {wanted.version} the champion, release {wanted.release}.")
    else:
        console.say(f"Nothing to do: branch {branch} proposes version {wanted.version} already.")
    console.say(
        f"Look at it:  git show {branch}\nPromote it:  git merge --no-ff {branch}\nRefuse it:   git branch -D {branch}"
    )


def _read(folder: Path, digest: str | None) -> "Comparison":
    """The comparison, verified where its digest came by a safer way than itself."""
    from pydantic import ValidationError

    from gitops.commands.compare import RESULT
    from gitops.manifest import digest_file
    from gitops.training.compare import Comparison

    try:
        if digest and digest_file(folder / RESULT) != digest:
            raise IntegrityError(f"{folder / RESULT} is not the one that {digest} names.", "Run Train again.")
        return Comparison.model_validate_json((folder / RESULT).read_bytes())
    except (OSError, ValidationError) as error:
        raise ConfigError(f"There is no comparison in {folder}.", "Run `gitops compare` first.") from error


def against_champion(repository: "Repository", found: "Comparison", environment: str) -> bool:
    """Whether the champion that the challenger was compared with is still the champion."""
    now = champion(repository, environment)
    return (now.digest if now else None) == (found.champion.digest if found.champion else None)


def record_of(repository: "Repository", store: "Store", found: "Comparison", environment: str) -> "Record":
    """The record that the comparison earned.

    Raises:
        ConfigError: The version is not what was compared.
        GateRefused: The version was trained from uncommitted files.
    """
    from gitops.registry import record

    before = champion(repository, environment)
    run, described = _version(repository, store, found.challenger)
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


def _version(repository: "Repository", store: "Store", side: "Side") -> "tuple[str, Run]":
    """MLflow's run behind the version that was compared, and what its training said of itself, verified."""
    from gitops import run
    from gitops.registry.versions import fetch, known, place

    model = repository.config.project.name
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
