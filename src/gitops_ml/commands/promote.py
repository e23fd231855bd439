"""`gitops promote`"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gitops_ml import console, git
from gitops_ml.commands import champion, find
from gitops_ml.errors import ConfigError, GateRefused, IntegrityError

if TYPE_CHECKING:
    from gitops_ml.config import Repository
    from gitops_ml.registry.record import Built, Figure, Record
    from gitops_ml.registry.store import Store
    from gitops_ml.run import Run
    from gitops_ml.training.compare import Comparison, Side


@click.command()
@click.option("--local", is_flag=True, help="Propose on a branch of this clone, without GitHub.")
@click.option(
    "--comparison", type=click.Path(path_type=Path), help="What `compare` left.  [default: .gitops/comparison]"
)
@click.option("--comparison-digest", envvar="GITOPS_COMPARISON_DIGEST", help="Its digest, as `compare` gave it out.")
@click.option(
    "--environment", envvar="GITOPS_ENVIRONMENT", help="Where to promote.  [default: the first one in model.toml]"
)
@click.option("--image", envvar="GITOPS_IMAGE", help="Its image, as `gitops image` gave it out.")
@click.option("--signature", envvar="GITOPS_SIGNATURE", help="The signature of that image, likewise.")
@click.pass_obj
def command(
    project: Path, local: bool, comparison: Path | None, comparison_digest: str | None, environment: str | None,
    image: str | None, signature: str | None,
) -> None:  # fmt: skip
    """Propose the challenger as champion.

    The proposal is a pull request whose one change is the record; merging it is the promotion.
    """
    from gitops_ml.registry.record import Built

    repository = find(project)
    environment = environment or repository.config.deploy.environments[0]
    found = _read(comparison or repository.scratch / "comparison", comparison_digest)
    if found.verdict == "refuse":
        raise GateRefused(
            f"Version {found.challenger.version} is refused by {', '.join(found.refused)}; nothing was proposed.",
            "`gitops compare` says why.",
        )
    built = Built(image or None, signature or None)
    if local:
        _locally(repository, found, environment, built)
    else:
        from gitops_ml.commands.pull_request import keep

        keep(repository, found, environment, built)


def _locally(repository: "Repository", found: "Comparison", environment: str, built: "Built") -> None:
    from gitops_ml.registry.admission import barred
    from gitops_ml.registry.propose import branch_name, promotion, propose
    from gitops_ml.registry.store import connect

    if found.verdict == "champion":
        console.say(f"Nothing to promote: version {found.challenger.version} is the champion already.")
        return
    store = connect(repository)
    # Here main is what lies here: what is not pushed yet will be, or the merge finds out.
    changed = outdated(repository, store, found, environment, "HEAD")
    if changed:
        raise ConfigError(f"The comparison is out of date: {changed} changed since.", "Run `gitops compare` again.")
    wanted = record_of(repository, store, found, environment, built)
    why_not = barred(repository, store, environment, wanted.digest)
    if why_not:
        raise GateRefused(
            f"Version {wanted.version} is not proposed: {why_not}.", "`gitops at` and `gitops history` say what serves."
        )
    branch = branch_name(environment)
    if propose(repository.root, promotion(wanted, beside(repository, wanted, found.model_dump(mode="json")))):
        console.say(f"Proposed: branch {branch} makes version {wanted.version} the champion, release {wanted.release}.")
    else:
        console.say(f"Nothing to do: branch {branch} proposes version {wanted.version} already.")
    console.say(
        f"Look at it:  git show {branch}\nPromote it:  git merge --no-ff {branch}\nRefuse it:   git branch -D {branch}"
    )


def _read(folder: Path, digest: str | None) -> "Comparison":
    """The comparison, verified where its digest came by a safer way than itself."""
    from pydantic import ValidationError

    from gitops_ml.commands.compare import RESULT
    from gitops_ml.manifest import digest_file
    from gitops_ml.training.compare import Comparison

    try:
        if digest and digest_file(folder / RESULT) != digest:
            raise IntegrityError(f"{folder / RESULT} is not the one that {digest} names.", "Run Train again.")
        return Comparison.model_validate_json((folder / RESULT).read_bytes())
    except (OSError, ValidationError) as error:
        raise ConfigError(f"There is no comparison in {folder}.", "Run `gitops compare` first.") from error


def outdated(repository: "Repository", store: "Store", found: "Comparison", environment: str, revision: str) -> str:
    """What changed since the comparison, in words; empty where it holds.

    Raises:
        GateRefused: It rests on files that nobody else has.
    """
    from gitops_ml.bound import bound

    if found.bound is None:
        raise GateRefused(
            "The comparison rests on files that are not committed.", "Commit, then run `gitops compare` again."
        )
    now = champion(repository, environment, store)
    return found.bound.changed(bound(repository.root, revision, now.digest if now else None))


def beside(repository: "Repository", wanted: "Record", comparison: dict[str, Any]) -> "dict[str, str | None]":
    """What a promotion writes beside the record, by path: the model card, and what Argo CD follows where it does."""
    from gitops_ml.forge import card
    from gitops_ml.registry.propose import card_of

    about = card.render(wanted.model_dump(mode="json"), comparison, repository.config.card)
    return {
        card_of(wanted.environment, repository.config.deploy.environments): about,
        **followed(repository, wanted.environment, wanted),
    }


def restored(repository: "Repository", environment: str, to: "Record | None") -> "dict[str, str | None]":
    """What a reversal writes beside the record: the card of then, and what Argo CD follows; None removes a file."""
    from gitops_ml.registry import record
    from gitops_ml.registry.propose import card_of

    path = card_of(environment, repository.config.deploy.environments)
    root, main = repository.root, git.main_ref(repository.root)
    entry = next((entry for entry in record.history(root, environment, main) if to and entry.record == to), None)
    return {path: git.show(root, entry.commit, path) if entry else None, **followed(repository, environment, to)}


def followed(repository: "Repository", environment: str, wanted: "Record | None") -> "dict[str, str | None]":
    """The file that Argo CD follows, by its path, where it keeps the cluster; nothing elsewhere.

    Where nothing may serve, it names nothing; without the file Argo CD would keep what it has.
    """
    from gitops_ml.deploying.target import Rollout
    from gitops_ml.deploying.targets.argocd import NOTHING, content, path

    if repository.config.target(environment).kind != "argocd":
        return {}
    if wanted is None:
        return {path(environment): NOTHING}
    rollout = Rollout(
        environment=wanted.environment, model=wanted.model, version=wanted.version, release=wanted.release,
        digest=wanted.digest, image=wanted.image, commit=wanted.lineage.commit, files=repository.scratch,
    )  # fmt: skip
    return {path(wanted.environment): content(rollout, repository)}


def record_of(
    repository: "Repository", store: "Store", found: "Comparison", environment: str, built: "Built"
) -> "Record":
    """The record that the comparison earned, with the image that was built for it, or that another record names.

    Raises:
        ConfigError: The version is not what was compared.
        GateRefused: The version was trained from uncommitted files.
    """
    from gitops_ml.registry import record
    from gitops_ml.registry.elsewhere import same_version

    before = champion(repository, environment, store)
    names, root = repository.config.deploy.environments, repository.root
    # A place that is new goes on with the numbers of the one where promotion ends.
    before = before or champion(repository, names[-1], store)
    twins = same_version(repository, found.challenger.digest)
    theirs = next((twin.release for twin in twins if twin.environment != environment), None)
    past = [entry for name in names for entry in record.history(root, name, git.main_ref(root))]
    taken = [entry.record.release for entry in past if entry.record]
    if built.image is None:
        built = next((record.Built(twin.image, twin.signature) for twin in twins if twin.image), built)
    run, described = _version(repository, store, found.challenger)
    return record.Record(
        environment=environment,
        model=described.model,
        version=found.challenger.version,
        release=theirs or record.release(before, described, found.challenger.digest, taken),
        digest=found.challenger.digest,
        image=built.image,
        signature=built.signature,
        run=run,
        columns=described.columns,
        classes=described.classes,
        figure=_measured(found),
        lineage=described.lineage,
        evidence=found.bound,
    )


def _version(repository: "Repository", store: "Store", side: "Side") -> "tuple[str, Run]":
    """MLflow's run behind the version that was compared, and what its training said of itself, verified."""
    from gitops_ml import run
    from gitops_ml.registry.versions import fetch, known, place

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
    from gitops_ml.registry.record import Figure

    value, baseline = found.challenger.metrics[found.metric], found.baseline[found.metric]
    assert value is not None  # noqa: S101
    assert baseline is not None  # noqa: S101
    theirs = found.champion.metrics[found.metric] if found.champion else None
    return Figure(metric=found.metric, value=value, baseline=baseline, champion=theirs)
