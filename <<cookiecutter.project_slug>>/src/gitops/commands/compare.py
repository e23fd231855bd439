# machinery
"""`gitops compare`"""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gitops import console
from gitops.commands import champion, find
from gitops.errors import ConfigError, GateRefused, StoreError

if TYPE_CHECKING:
    import pandas as pd

    from gitops.config import Repository
    from gitops.predictions import Predictions
    from gitops.registry.store import Store
    from gitops.registry.versions import Version
    from gitops.run import Run
    from gitops.training.compare import Comparison
    from gitops.training.evidence import Scored
    from gitops.training.train import Prepared

REPORT = "report.md"
RESULT = "comparison.json"
Progress = Callable[[str], None]


@click.command()
@click.option("--version", "number", help="The challenger.  [default: the newest version]")
@click.option("--digest", help="Its digest, as `register` gave it out.  [default: the registry's]")
@click.option("--environment", default="production", show_default=True, help="Whose champion.")
@click.option("--out", type=click.Path(path_type=Path), help="Folder for the report.  [default: .gitops/comparison]")
@click.option("--exit-code", is_flag=True, help="Exit with 6 when a gate refuses.")
@click.pass_obj
def command(
    project: Path, number: str | None, digest: str | None, environment: str, out: Path | None, exit_code: bool
) -> None:
    """Judge the challenger against the champion.

    Both are scored on the same holdout; every gate must pass.
    """
    from gitops import contract
    from gitops.commands.validate import checked
    from gitops.registry.store import connect
    from gitops.training.train import prepare

    repository = find(project)
    yours = contract.load(repository)
    store = connect(repository)
    version = _challenger(repository, store, number)
    validation = checked(repository, yours, keep=True)
    assert validation.frame is not None  # noqa: S101 (it was asked for)
    prepared = prepare(repository, validation.frame, validation.digest)
    found = _judge(repository, store, prepared, (version.number, digest or version.digest), environment)
    if found.challenger.training != prepared.lineage.training:
        console.complain(f"Note: version {version.number} was trained on other data, code or settings than lie here.")
    _tell(found, out or repository.scratch / "comparison")
    if exit_code and found.verdict == "refuse":
        raise GateRefused(f"Refused by {', '.join(found.refused)}.", "The report says what each of them looks at.")


def _challenger(repository: "Repository", store: "Store", number: str | None) -> "Version":
    from gitops.registry import versions

    known = versions.known(store, repository.config.project.name)
    if not known:
        raise StoreError("No version is registered yet.", "Run `gitops train`, then `gitops register`.")
    if number is None:
        return known[-1]
    for version in known:
        if version.number == number:
            return version
    raise StoreError(
        f"There is no version {number!r} of {repository.config.project.name}.",
        f"Known: {', '.join(version.number for version in known)}.",
    )


def _judge(
    repository: "Repository", store: "Store", prepared: "Prepared", pinned: tuple[str, str], environment: str
) -> "Comparison":
    """Score both on the same holdout, and let the gates judge."""
    from gitops.training.compare import compare
    from gitops.training.evidence import gather
    from gitops.training.train import features

    record = champion(repository, environment)
    rows = features(repository, prepared.held_out)
    with console.progress("compare") as progress:
        progress(f"score version {pinned[0]}")
        ours = _score(repository, store, *pinned, rows, progress)
        theirs = ours if record else None
        if record and record.digest != ours.digest:
            progress(f"score champion version {record.version}")
            theirs = _score(repository, store, record.version, record.digest, rows, progress)
        progress("judge")
        return compare(gather(repository.config, prepared, ours, theirs), prepared.lineage.holdout)


def _score(
    repository: "Repository", store: "Store", number: str, digest: str, rows: "pd.DataFrame", progress: Progress
) -> "Scored":
    """Fetch and verify a version, and score the holdout; by its own code where today's would change what it says."""
    import json

    from gitops import run
    from gitops.registry.versions import fetch, place
    from gitops.training import own_code
    from gitops.training.evidence import Scored

    folder = place(repository, number, digest)
    fetch(store, repository.config.project.name, number, digest, folder)
    described = run.read(folder, digest)
    missing = [name for name in described.columns if name not in rows.columns]
    if missing:
        raise ConfigError(
            f"Version {number} needs the column {missing[0]!r}, which the data no longer has.",
            "Bring the column back, or remove the record in registry/ by pull request to start over.",
        )
    seen = rows[list(described.columns)]
    today = _replayed(repository, described, folder, digest, seen)
    if today is None:
        progress(f"score version {number} by its own commit and lock")
    predictions = today or own_code.score(repository, described, folder, digest, seen)
    sketch = json.loads((folder / run.SKETCH).read_bytes())
    return Scored(number, digest, described, sketch, predictions, own_code=today is None)


def _replayed(
    repository: "Repository", described: "Run", folder: Path, digest: str, rows: "pd.DataFrame"
) -> "Predictions | None":
    """What a version says of the rows here and now; None where it no longer says what it said when it was trained."""
    from gitops.predictions import predict
    from gitops.serving.score import open_run, replays

    try:
        _, model = open_run(folder, digest, repository.config.serving.trusted_types)
        return predict(model, rows) if replays(described, model, folder) else None
    except (ImportError, AttributeError, TypeError, ValueError, KeyError):
        return None  # today's code or libraries cannot even load it, or run it; its own can


def _tell(found: "Comparison", out: Path) -> None:
    """Write the report, and say what came of it."""
    from gitops import manifest
    from gitops.forge.comparison import headline, render

    document = found.model_dump(mode="json")
    markdown = render(document)
    manifest.write_atomically(out / RESULT, found.to_json())
    manifest.write_atomically(out / REPORT, markdown)
    console.table("Gates", ["gate", "verdict", "what it says"], [[g.id, g.verdict, g.message] for g in found.gates])
    console.say(f"{headline(document)}. The report is {console.near(out / REPORT)}.")
    console.summarise(markdown)
    console.output("verdict", found.verdict)
    console.output("version", found.challenger.version)
