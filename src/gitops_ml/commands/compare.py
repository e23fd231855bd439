"""`gitops compare`"""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from gitops_ml import console, git
from gitops_ml.commands import find_champion_and_line, find_repository
from gitops_ml.commands.score import Progress, score_version
from gitops_ml.errors import GateRefused, StoreError

if TYPE_CHECKING:
    from gitops_ml.commands.confined_code import ConfinedCode
    from gitops_ml.config import Repository
    from gitops_ml.evidence_inputs import EvidenceInputs
    from gitops_ml.registry.lines import Line
    from gitops_ml.registry.record import Record
    from gitops_ml.registry.store import Store
    from gitops_ml.registry.versions import ModelVersion
    from gitops_ml.training.compare import Comparison
    from gitops_ml.training.comparison_input import ComparisonInput
    from gitops_ml.training.evidence import Evidence
    from gitops_ml.training.plot_data import PlotData
    from gitops_ml.training.proposed_version import ProposedVersion
    from gitops_ml.training.review import Protection
    from gitops_ml.training.train import PreparedData

REPORT = "report.md"
PAGE = "report.html"
RESULT = "comparison.json"
EVIDENCE = "evidence.json"
# A step summary holds at most one MiB. The limit of a pull request's body is lower, and applies elsewhere.
SUMMARY_LIMIT = 900_000


@click.command()
@click.option("--version", "number", envvar="GITOPS_VERSION", help="The challenger.  [default: the newest version]")
@click.option(
    "--digest", envvar="GITOPS_DIGEST", help="Digest that `register` printed.  [default: the digest in the registry]"
)
@click.option(
    "--environment", envvar="GITOPS_ENVIRONMENT", help="The champion's environment.  [default: first in model.toml]"
)
@click.option(
    "--before",
    envvar="GITOPS_BEFORE",
    help="Commit whose gate settings apply.  [default: the one before the training inputs changed]",
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
    """Compare the challenger with the champion.

    Both are scored on the same holdout, and the gates judge the challenger. Every gate must pass.
    """
    from gitops_ml.commands.confined_code import confined_code

    repository = find_repository(project)
    with confined_code(repository) as code:
        comparison, evidence, plots = _judge(code, number, digest, environment, before)
    # Nothing of your code runs any more, and none of it ran in this process.
    _report(comparison, evidence, plots, out or repository.scratch / "comparison")
    if exit_code and comparison.verdict == "refuse":
        raise GateRefused(f"Refused by {', '.join(comparison.refused)}.", "The report explains each of these gates.")


def _judge(
    code: "ConfinedCode", number: str | None, digest: str | None, environment: str | None, before: str | None
) -> "tuple[Comparison, Evidence, PlotData]":
    """Validate the data, score the versions, and evaluate the gates."""
    from gitops_ml.commands.validate import validate_data
    from gitops_ml.registry.store import connect
    from gitops_ml.training.train import prepare

    repository = code.repository
    # A job's checkout holds one commit, and other commits and proposals may have been pushed since.
    git.fetch_branches_if_tracked(repository.root)
    store = connect(repository)
    version = _find_challenger(repository, store, number)
    validation = validate_data(repository, code.open_checker(), keep_rows=True)
    assert validation.frame is not None  # noqa: S101 (keep_rows=True)
    prepared = prepare(repository, validation.frame, validation.digest)
    environment = environment or repository.config.deploy.environments[0]
    pinned = (version.number, digest or version.digest)
    comparison, evidence, plots = _compare(code, store, prepared, pinned, environment, before)
    if comparison.challenger.training != prepared.lineage.training:
        console.echo_error(
            f"Note: version {version.number} was trained with other data, code or settings than this clone has."
        )
    return comparison, evidence, plots


def _find_challenger(repository: "Repository", store: "Store", number: str | None) -> "ModelVersion":
    """Return the version with this number, or the newest one."""
    from gitops_ml.registry import versions

    registered = versions.list_versions(store, repository.config.project.name)
    if not registered:
        raise StoreError("No version is registered yet.", "Run `gitops train`, then `gitops register`.")
    if not number:  # a workflow passes an empty variable for an input without a value
        return registered[-1]
    for version in registered:
        if version.number == number:
            return version
    raise StoreError(
        f"There is no version {number!r} of {repository.config.project.name}.",
        f"Known: {', '.join(version.number for version in registered)}.",
    )


def _compare(
    code: "ConfinedCode", store: "Store", prepared: "PreparedData", pinned: tuple[str, str], environment: str,
    before: str | None,
) -> "tuple[Comparison, Evidence, PlotData]":  # fmt: skip
    """Score all versions on the same holdout, and evaluate the gates."""
    from gitops_ml.training.comparable_rows import keep_comparable_rows
    from gitops_ml.training.compare import compare
    from gitops_ml.training.comparison_input import ComparisonInput
    from gitops_ml.training.evidence import gather
    from gitops_ml.training.features import drop_key_and_target
    from gitops_ml.training.plot_data import collect_plot_data
    from gitops_ml.training.review import review

    repository = code.repository
    served, line = find_champion_and_line(repository, environment, store)
    # The version that serves is not proposed again after its line was ended.
    record = served if served and served.digest == pinned[1] else line.select_champion(served)
    rows = drop_key_and_target(repository.config.data, prepared.held_out)
    evidence_inputs = _collect_evidence_inputs(repository, record)
    with console.progress("compare", timed=True) as progress:
        progress(f"score version {pinned[0]}")
        challenger = score_version(code, store, *pinned, rows, progress)
        champion = challenger if record else None
        if record and record.digest != challenger.digest:
            progress(f"score champion version {record.version}")
            champion = score_version(code, store, record.version, record.digest, rows, progress)
        progress("measure, and train once more")
        reviewed = review(
            repository, before, record.lineage.commit if record else None, _find_protection(line),
            code.find_loosened_checks,
        )  # fmt: skip
        inputs = keep_comparable_rows(
            ComparisonInput(reviewed.config, prepared, challenger, champion, repository, code, reviewed.review)
        )
        evidence = gather(inputs)
        proposed = _evaluate_proposed(code, store, inputs, evidence, environment, line, progress)
        progress("evaluate the gates")
        comparison = compare(inputs, evidence, proposed, evidence_inputs, code.open_doors)
        return comparison, evidence, collect_plot_data(inputs)


def _find_protection(line: "Line") -> "Protection":
    """Return since when the rules of main are protected: since the first promotion of the current line."""
    from gitops_ml.training.review import Protection

    for path in line.ignored:
        console.echo_error(f"Note: {path} ends no line, because the commit that added it has other changes too.")
    if line.has_versions:
        return Protection(since=line.begun_at)
    if line.ending is None:
        return Protection(unprotected="No version was ever promoted")
    ended = f"The line of versions was ended ({line.ending.line.why}), and no version was promoted since"
    return Protection(unprotected=ended, ended_at=line.ending.commit)


def _collect_evidence_inputs(repository: "Repository", champion: "Record | None") -> "EvidenceInputs | None":
    """Return the inputs of the evidence at HEAD; None if an uncommitted file among them makes it unusable."""
    from gitops_ml.evidence_inputs import collect_evidence_inputs, has_uncommitted_inputs

    if has_uncommitted_inputs(repository):
        console.echo_error("Note: this comparison uses files that are not committed, so it cannot be used to promote.")
        return None
    return collect_evidence_inputs(repository.root, "HEAD", champion.digest if champion else None)


def _evaluate_proposed(
    code: "ConfinedCode", store: "Store", inputs: "ComparisonInput", evidence: "Evidence", environment: str,
    line: "Line", progress: Progress,
) -> "ProposedVersion | None":  # fmt: skip
    """Compare the challenger with the version of the open proposal; None if no other version is proposed."""
    from gitops_ml.registry.propose import load_proposed_record
    from gitops_ml.training.compared_version import ComparedVersion
    from gitops_ml.training.features import drop_key_and_target
    from gitops_ml.training.proposed_version import evaluate_proposed, explain_incomparable, mark_incomparable

    repository, rows = code.repository, drop_key_and_target(inputs.config.data, inputs.prepared.held_out)
    record = load_proposed_record(repository.root, environment)
    compared = {each.digest for each in (inputs.challenger, inputs.champion) if each}
    if record is None or record.digest in compared:
        return None
    lineage = record.lineage
    reason = explain_incomparable(record.version, record.columns, lineage, list(rows.columns), inputs.prepared.lineage)
    if line.ending and not _is_cut_after(repository, environment, line.ending.commit):
        reason = f"version {record.version} was proposed before its line of versions was ended"
    if reason:
        proposed = ComparedVersion(
            version=record.version, digest=record.digest, training=lineage.training, metrics={}, own_code=False,
            lineage=lineage,
        )  # fmt: skip
        return mark_incomparable(proposed, reason)
    progress(f"score proposed version {record.version}")
    scored = score_version(code, store, record.version, record.digest, rows, progress)
    return evaluate_proposed(inputs, evidence, scored)


def _is_cut_after(repository: "Repository", environment: str, commit: str) -> bool:
    """Return whether the branch of the open proposal was cut from main after a commit."""
    from gitops_ml.registry.propose import promotion_branch

    branch, root = promotion_branch(environment), repository.root
    tips = (git.resolve(root, f"refs/{scope}/{branch}") for scope in ("remotes/origin", "heads"))
    tip = next(filter(None, tips), None)
    return tip is not None and git.succeeds(root, "merge-base", "--is-ancestor", commit, tip)


def _report(comparison: "Comparison", evidence: "Evidence", plots: "PlotData", out: Path) -> None:
    """Write the comparison and its reports, print the gates, and set the outputs of the step."""
    from gitops_ml import manifest
    from gitops_ml.forge.comparison_page import render_comparison_page
    from gitops_ml.forge.comparison_text import describe_proposed_version, headline, render_comparison

    document = comparison.model_dump(mode="json")
    markdown = render_comparison(document, SUMMARY_LIMIT)
    manifest.write_atomically(out / EVIDENCE, evidence.model_dump_json(indent=2) + "\n")
    manifest.write_atomically(out / RESULT, comparison.to_json())
    manifest.write_atomically(out / REPORT, markdown)
    manifest.write_atomically(out / PAGE, render_comparison_page(document, plots.model_dump(mode="json")))
    console.table("Gates", ["gate", "verdict", "result"], [[g.id, g.verdict, g.message] for g in comparison.gates])
    if comparison.rival:
        console.echo(f"{describe_proposed_version(document)} {comparison.rival.message}")
    console.echo(f"{headline(document)}. The report is {console.relative_path(out / REPORT)}, with plots in {PAGE}.")
    console.append_summary(markdown)
    console.set_output("verdict", comparison.verdict)
    console.set_output("offer", str(comparison.should_propose).lower())
    console.set_output("version", comparison.challenger.version)
    console.set_output("digest", comparison.challenger.digest)
    console.set_output("comparison", manifest.digest_file(out / RESULT))
