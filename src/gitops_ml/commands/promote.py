"""`gitops promote`"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gitops_ml import console, git
from gitops_ml.commands import find_champion_and_line, find_repository
from gitops_ml.errors import ConfigError, GateRefused, IntegrityError

if TYPE_CHECKING:
    from gitops_ml.config import Repository
    from gitops_ml.registry.record import BuiltImage, PromotionMetric, Record
    from gitops_ml.registry.store import Store
    from gitops_ml.run import Run
    from gitops_ml.training.compare import ComparedVersion, Comparison


@click.command()
@click.option("--local", is_flag=True, help="Propose on a branch of this clone, without GitHub.")
@click.option(
    "--comparison", "folder", type=click.Path(path_type=Path),
    help="The folder that `compare` wrote.  [default: .gitops/comparison]",
)  # fmt: skip
@click.option(
    "--comparison-digest", envvar="GITOPS_COMPARISON_DIGEST", help="The digest of the comparison, printed by `compare`."
)
@click.option(
    "--environment", envvar="GITOPS_ENVIRONMENT",
    help="The environment to promote to.  [default: the first one in model.toml]",
)  # fmt: skip
@click.option("--image", envvar="GITOPS_IMAGE", help="The image of the version, printed by `gitops image`.")
@click.option("--signature", envvar="GITOPS_SIGNATURE", help="The signature of the image, printed by `gitops image`.")
@click.option(
    "--overrule", "why", metavar="WHY",
    help="With --local: propose the version although gates refused it; the record gets your name and this reason.",
)  # fmt: skip
@click.pass_obj
def command(
    project: Path, local: bool, folder: Path | None, comparison_digest: str | None, environment: str | None,
    image: str | None, signature: str | None, why: str | None,
) -> None:  # fmt: skip
    """Propose the challenger as the new champion.

    The proposal is a pull request that changes the record of the environment. The merge of the pull request is the
    promotion.
    """
    from gitops_ml.registry.record import BuiltImage

    if why is not None and not (local and why.strip()):
        raise click.UsageError("--overrule needs --local, and a reason that is not empty.")
    repository = find_repository(project)
    environment = environment or repository.config.deploy.environments[0]
    comparison, comparison_digest = _read_comparison(folder or repository.scratch / "comparison", comparison_digest)
    if comparison.verdict == "refuse" and why is None:
        raise GateRefused(
            f"Version {comparison.challenger.version} was not proposed: the gates {', '.join(comparison.refused)} "
            "refused it.",
            "Run `gitops compare` to see why, fix the cause, then train a new version.",
        )
    built_image = BuiltImage(image or None, signature or None)
    if local:
        _propose_locally(repository, comparison, comparison_digest, environment, built_image, why)
    else:
        from gitops_ml.commands.promotion_pull_request import update_pull_request

        update_pull_request(repository, comparison, comparison_digest, environment, built_image)


def _propose_locally(
    repository: "Repository", comparison: "Comparison", digest: str, environment: str, built_image: "BuiltImage",
    why: str | None,
) -> None:  # fmt: skip
    from gitops_ml.commands.deploy_context import user_name
    from gitops_ml.registry.admission import find_blocker, find_held_environment
    from gitops_ml.registry.ledger import append_comparison
    from gitops_ml.registry.propose import commit_proposal, promotion_branch, promotion_change
    from gitops_ml.registry.reconcile import load_current_facts, open_ledger
    from gitops_ml.registry.record import Overruling
    from gitops_ml.registry.store import connect

    if comparison.verdict == "champion":
        console.echo(f"Nothing to promote: version {comparison.challenger.version} is the champion already.")
        return
    store = connect(repository)
    # Without GitHub, main is the local checkout.
    changed = changed_inputs(repository, store, comparison, environment, "HEAD")
    if changed:
        raise ConfigError(f"The comparison is out of date: {changed} changed since.", "Run `gitops compare` again.")
    wanted = build_record(repository, store, comparison, digest, environment, built_image)
    if why is None:
        reason = find_blocker(repository, store, environment, wanted.digest)
    else:
        wanted = wanted.model_copy(update={"overruled": Overruling(by=_find_person(repository.root), why=why)})
        held = find_held_environment(repository, load_current_facts(repository, store), wanted.digest)
        reason = f"it is held in {held}" if held else None
    if reason:
        raise GateRefused(
            f"Version {wanted.version} was not proposed: {reason}.",
            "Run `gitops at` and `gitops history` to see which versions serve.",
        )
    # Before the branch: the review of the proposal looks for it.
    append_comparison(open_ledger(repository, store), wanted, user_name(repository))
    branch = promotion_branch(environment)
    files = promotion_files(repository, wanted, comparison.model_dump(mode="json"))
    if commit_proposal(repository.root, promotion_change(wanted, files)):
        console.echo(
            f"Proposed: the merge of the branch {branch} makes version {wanted.version} the champion, as release "
            f"{wanted.release}."
        )
    else:
        console.echo(f"Nothing to do: branch {branch} proposes version {wanted.version} already.")
    console.echo(
        f"Look at it:  git show {branch}\nPromote it:  git switch main && git merge --no-ff {branch}\n"
        f"Deploy it:   gitops deploy --environment {environment}\nDiscard it:  git branch -D {branch}"
    )


def _find_person(root: Path) -> str:
    """Return the name that Git writes into the user's commits."""
    if not git.succeeds(root, "var", "GIT_AUTHOR_IDENT"):
        raise ConfigError("Git does not know your name.", "Set it: `git config user.name NAME`, and `user.email`.")
    return git.run(root, "var", "GIT_AUTHOR_IDENT").partition(" <")[0]


def _read_comparison(folder: Path, digest: str | None) -> "tuple[Comparison, str]":
    """Read the comparison and its digest, and verify it if the digest was passed separately."""
    from pydantic import ValidationError

    from gitops_ml.commands.compare import RESULT
    from gitops_ml.manifest import digest_bytes
    from gitops_ml.training.compare import Comparison

    try:
        content = (folder / RESULT).read_bytes()
        if digest and digest_bytes(content) != digest:
            raise IntegrityError(
                f"{folder / RESULT} does not have the digest {digest}: the file was changed after the comparison.",
                "Run Train again.",
            )
        return Comparison.model_validate_json(content), digest_bytes(content)
    except (OSError, ValidationError) as error:
        raise ConfigError(f"There is no comparison in {folder}.", "Run `gitops compare` first.") from error


def changed_inputs(
    repository: "Repository", store: "Store", comparison: "Comparison", environment: str, revision: str
) -> str:
    """Return the inputs that changed since the comparison, as text; empty if the comparison is up to date.

    Args:
        repository: The local clone.
        store: Model store with the ledger.
        comparison: Comparison of challenger and champion.
        environment: Environment to promote to.
        revision: Git revision to compare with, such as main.

    Raises:
        GateRefused: The comparison used files that are not committed.
    """
    from gitops_ml.evidence_inputs import collect_evidence_inputs

    if comparison.bound is None:
        raise GateRefused(
            "The comparison used files that are not committed.",
            "Commit your changes, then run `gitops compare` again.",
        )
    served, line = find_champion_and_line(repository, environment, store)
    now = served if served and served.digest == comparison.challenger.digest else line.select_champion(served)
    return comparison.bound.describe_changes(
        collect_evidence_inputs(repository.root, revision, now.digest if now else None)
    )


def promotion_files(repository: "Repository", wanted: "Record", comparison: dict[str, Any]) -> "dict[str, str | None]":
    """Return the files that a promotion writes together with the record: model card and manifests of Argo CD.

    Args:
        repository: The local clone.
        wanted: Record of the promoted version.
        comparison: Comparison as a JSON document.

    Returns:
        Content by path in the repository.
    """
    from gitops_ml.forge import model_card
    from gitops_ml.registry.propose import card_path

    card = model_card.render_model_card(wanted.model_dump(mode="json"), comparison, repository.config.card)
    return {
        card_path(wanted.environment, repository.config.deploy.environments): card,
        **argocd_files(repository, wanted.environment, wanted),
    }


def rollback_files(repository: "Repository", environment: str, to: "Record | None") -> "dict[str, str | None]":
    """Return the files that a rollback writes together with the record: earlier model card and manifests of Argo CD.

    Args:
        repository: The local clone.
        environment: Environment to roll back.
        to: Record to restore; None removes the record.

    Returns:
        Content by path in the repository; None deletes the file.
    """
    from gitops_ml.registry import record
    from gitops_ml.registry.propose import card_path

    path = card_path(environment, repository.config.deploy.environments)
    root, main = repository.root, git.main_ref(repository.root)
    entry = next((entry for entry in record.load_history(root, environment, main) if to and entry.record == to), None)
    return {
        path: git.read_file(root, entry.commit, path) if entry else None,
        **argocd_files(repository, environment, to),
    }


def argocd_files(repository: "Repository", environment: str, wanted: "Record | None") -> "dict[str, str | None]":
    """Return the file that Argo CD follows, if the target is Argo CD.

    When no version may serve, the file names none. Without the file Argo CD would keep the current version.

    Args:
        repository: The local clone.
        environment: Name of the environment.
        wanted: Record of the version to serve; None when no version may serve.

    Returns:
        Content by path in the repository; empty for other targets.
    """
    from gitops_ml.deploying.target import Rollout
    from gitops_ml.deploying.targets.argocd import (
        EMPTY_KUSTOMIZATION,
        argocd_kustomization_path,
        render_argocd_kustomization,
    )

    if repository.config.target(environment).kind != "argocd":
        return {}
    if wanted is None:
        return {argocd_kustomization_path(environment): EMPTY_KUSTOMIZATION}
    rollout = Rollout(
        environment=wanted.environment, model=wanted.model, version=wanted.version, release=wanted.release,
        digest=wanted.digest, image=wanted.image, commit=wanted.lineage.commit, files=repository.scratch,
    )  # fmt: skip
    return {argocd_kustomization_path(wanted.environment): render_argocd_kustomization(rollout, repository)}


def build_record(
    repository: "Repository", store: "Store", comparison: "Comparison", digest: str, environment: str,
    built_image: "BuiltImage",
) -> "Record":  # fmt: skip
    """Return the record of the challenger, with the image that was built for it or that another record names.

    Args:
        repository: The local clone.
        store: Model store with versions and ledger.
        comparison: Comparison of challenger and champion.
        digest: Digest of the comparison.
        environment: Environment to promote to.
        built_image: Image of the version and its signature; both may be None.

    Raises:
        ConfigError: The version number has another digest in the registry than in the comparison.
        GateRefused: The version was trained from uncommitted files.
    """
    from gitops_ml.registry import record
    from gitops_ml.registry.other_environments import records_of_version

    names, root = repository.config.deploy.environments, repository.root
    # A new environment continues the release numbers of the last environment.
    served = (find_champion_and_line(repository, name, store) for name in (environment, names[-1]))
    champion = next((champion for record, line in served if (champion := line.select_champion(record))), None)
    same_digest = records_of_version(repository, comparison.challenger.digest)
    release = next((other.release for other in same_digest if other.environment != environment), None)
    entries = [entry for name in names for entry in record.load_history(root, name, git.main_ref(root))]
    taken = [entry.record.release for entry in entries if entry.record]
    if built_image.image is None:
        built_image = next(
            (record.BuiltImage(other.image, other.signature) for other in same_digest if other.image), built_image
        )
    run, described = _fetch_compared(repository, store, comparison.challenger)
    return record.Record(
        environment=environment,
        model=described.model,
        version=comparison.challenger.version,
        release=release or record.next_release(champion, described, comparison.challenger.digest, taken),
        digest=comparison.challenger.digest,
        image=built_image.image,
        signature=built_image.signature,
        run=run,
        columns=described.columns,
        classes=described.classes,
        figure=_promotion_metric(comparison),
        lineage=described.lineage,
        evidence=comparison.bound,
        comparison=digest,
    )


def _fetch_compared(repository: "Repository", store: "Store", compared: "ComparedVersion") -> "tuple[str, Run]":
    """Return the MLflow run of the compared version and its verified run description."""
    from gitops_ml import run
    from gitops_ml.registry.versions import download_version, list_versions, version_folder

    model = repository.config.project.name
    version = next((v for v in list_versions(store, model) if v.number == compared.version), None)
    if version is None or version.digest != compared.digest:
        raise ConfigError(
            f"Version {compared.version} in the registry has another digest than the compared version.",
            "Run `gitops compare` again.",
        )
    folder = version_folder(repository, compared.version, compared.digest)
    download_version(store, model, compared.version, compared.digest, folder)
    described = run.read_run(folder, compared.digest)
    if described.lineage.dirty:
        raise GateRefused(
            f"Version {compared.version} was trained from files that are not committed, so it cannot be reproduced.",
            "Commit your changes, then run `gitops train` again.",
        )
    return version.run_id, described


def _promotion_metric(comparison: "Comparison") -> "PromotionMetric":
    """Return the metric values of the comparison.

    Raises:
        GateRefused: A value is not finite; the gate FINITE refuses it, and a person cannot overrule that.
    """
    from gitops_ml.registry.record import PromotionMetric

    value, baseline = comparison.challenger.metrics[comparison.metric], comparison.baseline[comparison.metric]
    if value is None or baseline is None:
        raise GateRefused(
            f"The {comparison.metric} of version {comparison.challenger.version} is not finite, so no record has it.",
            "Fix the model's predictions, then train a new version.",
        )
    champion = comparison.champion.metrics[comparison.metric] if comparison.champion else None
    return PromotionMetric(metric=comparison.metric, value=value, baseline=baseline, champion=champion)
