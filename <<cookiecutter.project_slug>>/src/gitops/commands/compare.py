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
    from gitops.registry.record import Record
    from gitops.registry.store import Store
    from gitops.registry.versions import Version
    from gitops.training.evidence import Scored

REPORT = "report.md"
RESULT = "comparison.json"


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
    from gitops import contract, manifest
    from gitops.commands.validate import checked
    from gitops.forge.comparison import headline, render
    from gitops.registry.store import connect
    from gitops.training.compare import compare
    from gitops.training.evidence import gather
    from gitops.training.train import features, prepare

    repository = find(project)
    yours = contract.load(repository)
    store = connect(repository)
    challenger = _challenger(repository, store, number)
    record = champion(repository, environment)
    validation = checked(repository, yours, keep=True)
    assert validation.frame is not None  # noqa: S101 (it was asked for)
    prepared = prepare(repository, validation.frame, validation.digest)
    rows = features(repository, prepared.held_out)
    with console.progress("compare") as progress:
        progress(f"score version {challenger.number}")
        ours = _score(repository, store, challenger.number, digest or challenger.digest, rows, progress)
        theirs = _theirs(repository, store, record, ours, rows, progress)
        progress("judge")
        found = compare(gather(repository.config, prepared, ours, theirs), prepared.lineage.holdout)
    out = out or repository.scratch / "comparison"
    markdown = render(found.model_dump(mode="json"))
    manifest.write_atomically(out / RESULT, found.to_json())
    manifest.write_atomically(out / REPORT, markdown)
    console.table("Gates", ["gate", "verdict", "what it says"], [[g.id, g.verdict, g.message] for g in found.gates])
    console.say(f"{headline(found.model_dump(mode='json'))}. The report is {console.near(out / REPORT)}.")
    console.summarise(markdown)
    if ours.run.lineage.training != prepared.lineage.training:
        console.complain(
            f"Note: version {challenger.number} was trained on other data, code or settings than lie here."
        )
    console.output("verdict", found.verdict)
    console.output("version", challenger.number)
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


def _theirs(
    repository: "Repository", store: "Store", record: "Record | None", ours: "Scored", rows: "pd.DataFrame",
    progress: Callable[[str], None],
) -> "Scored | None":  # fmt: skip
    if record is None or record.digest == ours.digest:
        return ours if record else None
    progress(f"score champion version {record.version}")
    return _score(repository, store, record.version, record.digest, rows, progress)


def _score(
    repository: "Repository", store: "Store", number: str, digest: str, rows: "pd.DataFrame",
    progress: Callable[[str], None],
) -> "Scored":  # fmt: skip
    """Fetch and verify a version; replay its recorded predictions; score the holdout, by its own code if need be."""
    import json

    from gitops import run
    from gitops.predictions import predict
    from gitops.registry.versions import fetch, place
    from gitops.serving.score import open_run, replays
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
    predictions = None
    try:
        _, model = open_run(folder, digest, repository.config.serving.trusted_types)
        if replays(described, model, folder):
            predictions = predict(model, seen)
    except (ImportError, AttributeError, TypeError, ValueError, KeyError) as error:
        # Today's code or libraries cannot even load it; its own will.
        progress(f"version {number} does not load here: {type(error).__name__}")
    replayed = predictions is not None
    if predictions is None:
        progress(f"score version {number} by its own commit and lock")
        predictions = own_code.score(repository, described, folder, digest, seen)
    sketch = json.loads((folder / run.SKETCH).read_bytes())
    return Scored(number, digest, described, sketch, predictions, own_code=not replayed)
