"""`gitops compare`"""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from gitops_ml import console, git
from gitops_ml.commands import champion, find
from gitops_ml.commands.score import Progress, scored
from gitops_ml.errors import GateRefused, StoreError

if TYPE_CHECKING:
    from gitops_ml.bound import Bound
    from gitops_ml.config import Repository
    from gitops_ml.contract import Yours
    from gitops_ml.registry.record import Record
    from gitops_ml.registry.store import Store
    from gitops_ml.registry.versions import Version
    from gitops_ml.training.compare import Comparison
    from gitops_ml.training.evidence import Evidence
    from gitops_ml.training.points import Points
    from gitops_ml.training.rival import Rival
    from gitops_ml.training.train import Prepared
    from gitops_ml.training.trial import Trial

REPORT = "report.md"
PAGE = "report.html"
RESULT = "comparison.json"
EVIDENCE = "evidence.json"
# A step summary holds one MiB; what a pull request holds is less.
SUMMARY_LIMIT = 900_000


@click.command()
@click.option("--version", "number", envvar="GITOPS_VERSION", help="The challenger.  [default: the newest version]")
@click.option(
    "--digest", envvar="GITOPS_DIGEST", help="Its digest, as `register` gave it out.  [default: the registry's]"
)
@click.option(
    "--environment", envvar="GITOPS_ENVIRONMENT", help="Whose champion.  [default: the first one in model.toml]"
)
@click.option(
    "--before", envvar="GITOPS_BEFORE", help="The commit whose rules judge.  [default: before what is trained changed]"
)
@click.option("--out", type=click.Path(path_type=Path), help="Folder for the report.  [default: .gitops/comparison]")
@click.option("--exit-code", is_flag=True, help="Exit with 6 when a gate refuses.")
@click.pass_obj
def command(
    project: Path,
    number: str | None,
    digest: str | None,
    environment: str | None,
    before: str | None,
    out: Path | None,
    exit_code: bool,
) -> None:
    """Judge the challenger against the champion.

    Both are scored on the same holdout; every gate must pass.
    """
    from gitops_ml import contract
    from gitops_ml.commands.validate import checked
    from gitops_ml.registry.store import connect
    from gitops_ml.training.train import prepare

    repository = find(project)
    # A job's checkout holds one commit, and others may have merged or proposed since.
    git.catch_up(repository.root)
    yours = contract.load(repository)
    store = connect(repository)
    version = _challenger(repository, store, number)
    validation = checked(repository, yours, keep=True)
    assert validation.frame is not None  # noqa: S101 (it was asked for)
    prepared = prepare(repository, validation.frame, validation.digest)
    environment = environment or repository.config.deploy.environments[0]
    pinned = (version.number, digest or version.digest)
    found, evidence, drawn = _judge(repository, yours, store, prepared, pinned, environment, before)
    if found.challenger.training != prepared.lineage.training:
        console.complain(f"Note: version {version.number} was trained on other data, code or settings than lie here.")
    _tell(found, evidence, drawn, out or repository.scratch / "comparison")
    if exit_code and found.verdict == "refuse":
        raise GateRefused(f"Refused by {', '.join(found.refused)}.", "The report says what each of them looks at.")


def _challenger(repository: "Repository", store: "Store", number: str | None) -> "Version":
    from gitops_ml.registry import versions

    known = versions.known(store, repository.config.project.name)
    if not known:
        raise StoreError("No version is registered yet.", "Run `gitops train`, then `gitops register`.")
    if not number:  # an empty variable of a workflow is no choice
        return known[-1]
    for version in known:
        if version.number == number:
            return version
    raise StoreError(
        f"There is no version {number!r} of {repository.config.project.name}.",
        f"Known: {', '.join(version.number for version in known)}.",
    )


def _judge(
    repository: "Repository", yours: "Yours", store: "Store", prepared: "Prepared", pinned: tuple[str, str],
    environment: str, before: str | None,
) -> "tuple[Comparison, Evidence, Points]":  # fmt: skip
    """Score all on the same holdout, and let the gates judge."""
    from gitops_ml.training.compare import compare
    from gitops_ml.training.evidence import gather
    from gitops_ml.training.points import points
    from gitops_ml.training.review import review
    from gitops_ml.training.train import features
    from gitops_ml.training.trial import Trial

    record = champion(repository, environment, store)
    rows, bound = features(repository, prepared.held_out), _bound(repository, record)
    with console.progress("compare") as progress:
        progress(f"score version {pinned[0]}")
        ours = scored(repository, store, *pinned, rows, progress)
        theirs = ours if record else None
        if record and record.digest != ours.digest:
            progress(f"score champion version {record.version}")
            theirs = scored(repository, store, record.version, record.digest, rows, progress)
        progress("measure, and train once more")
        judged = review(repository, before, record.lineage.commit if record else None)
        trial = Trial(judged.config, prepared, ours, theirs, repository, yours, judged.review)
        evidence = gather(trial)
        rival = _rival(store, trial, evidence, environment, progress)
        progress("judge")
        return compare(trial, evidence, rival, bound), evidence, points(trial)


def _bound(repository: "Repository", champion: "Record | None") -> "Bound | None":
    """What the evidence is bound to: the commit that is checked out, where nothing that counts differs from it."""
    from gitops_ml.bound import bound, uncommitted

    if uncommitted(repository):
        console.complain("Note: this rests on files that are not committed, so nothing can be promoted by it.")
        return None
    return bound(repository.root, "HEAD", champion.digest if champion else None)


def _rival(
    store: "Store", trial: "Trial", evidence: "Evidence", environment: str, progress: Progress
) -> "Rival | None":
    """The version that the open proposal names, judged beside the challenger; None where there is no other."""
    from gitops_ml.registry.propose import proposed
    from gitops_ml.training.rival import forfeit, judge, unfit
    from gitops_ml.training.side import Side

    repository, rows = trial.repository, trial.inputs
    assert repository is not None  # noqa: S101 (a command's trial has one)
    record = proposed(repository.root, environment)
    settled = {each.digest for each in (trial.challenger, trial.champion) if each}
    if record is None or record.digest in settled:
        return None
    lineage = record.lineage
    why = unfit(record.version, record.columns, lineage.split, list(rows.columns), repository.config.split)
    if why:
        side = Side(version=record.version, digest=record.digest, training=lineage.training, metrics={},
                    own_code=False, lineage=lineage)  # fmt: skip
        return forfeit(side, why)
    progress(f"score proposed version {record.version}")
    return judge(trial, evidence, scored(repository, store, record.version, record.digest, rows, progress))


def _tell(found: "Comparison", evidence: "Evidence", drawn: "Points", out: Path) -> None:
    """Write the report, in words and as a page, and say what came of it."""
    from gitops_ml import manifest
    from gitops_ml.forge.comparison import against, headline, render
    from gitops_ml.forge.page import page

    document = found.model_dump(mode="json")
    markdown = render(document, SUMMARY_LIMIT)
    manifest.write_atomically(out / EVIDENCE, evidence.model_dump_json(indent=2) + "\n")
    manifest.write_atomically(out / RESULT, found.to_json())
    manifest.write_atomically(out / REPORT, markdown)
    manifest.write_atomically(out / PAGE, page(document, drawn.model_dump(mode="json")))
    console.table("Gates", ["gate", "verdict", "what it says"], [[g.id, g.verdict, g.message] for g in found.gates])
    if found.rival:
        console.say(f"{against(document)} {found.rival.message}")
    console.say(f"{headline(document)}. The report is {console.near(out / REPORT)}, with pictures {PAGE}.")
    console.summarise(markdown)
    console.output("verdict", found.verdict)
    console.output("offer", str(found.offered).lower())
    console.output("version", found.challenger.version)
    console.output("digest", found.challenger.digest)
    console.output("comparison", manifest.digest_file(out / RESULT))
