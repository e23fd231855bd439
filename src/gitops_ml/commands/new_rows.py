"""Check rows that were fetched: against your schema, against the data, and against what the champion says of them."""

import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from gitops_ml import console
from gitops_ml.commands import champion
from gitops_ml.commands.validate import checked
from gitops_ml.errors import ConfigError, DataRefused

if TYPE_CHECKING:
    import pandas as pd

    from gitops_ml.config import Repository
    from gitops_ml.contract import Yours
    from gitops_ml.ingesting.addition import Sorted
    from gitops_ml.ingesting.append import Appended
    from gitops_ml.ingesting.ingestion import Ingestion
    from gitops_ml.ingesting.pulled import Pulled
    from gitops_ml.registry.record import Record
    from gitops_ml.training.additions import Additions
    from gitops_ml.training.answers import Answers

NOTHING_NEW = (
    "needs labels: all {rows} row(s) of {source} are in the data already. New rows need keys of their own, and their "
    "truth; put them there and run `gitops ingest` again."
)


def check(repository: "Repository", folder: Path, digest: str, out: Path) -> str | None:
    """Check what was fetched, and leave a sealed folder with what a merge would do; its digest.

    None where there is nothing to add.

    Raises:
        IntegrityError: It is not what the digest names; nothing was opened.
        DataRefused: The rows break the schema, contradict the data, or do not fit it.
        ConfigError: Rows of this source cannot become data here.
    """
    from gitops_ml import contract, manifest
    from gitops_ml.forge.ingestion import render
    from gitops_ml.ingesting import ingestion, outcomes, pulled

    got = pulled.read(folder, digest)
    shutil.rmtree(out, ignore_errors=True)
    yours = contract.load(repository)
    if got.source == outcomes.SOURCE:
        barred = outcomes.barred(repository, {name: each.dtype for name, each in yours.schema.columns.items()})
        if barred:
            raise barred
    if got.file is None:
        nothing(got.missing)
        return None
    data, found = _sorted(repository, yours, folder, got)
    if found.new.empty:
        nothing(NOTHING_NEW.format(rows=found.known, source=got.source))
        return None
    base, appended = _appended(repository, yours, len(data), found.new, out)
    does, said = _weighed(repository, data, found.new)
    made = ingestion.Ingestion(
        source=got.source, path=appended.path, base=base, digest=appended.digest, rows=len(found.new),
        known=found.known, notes=(*got.notes, *_stays(found)), does=does.model_dump(mode="json"),
        answers=said.model_dump(mode="json") if said else None,
    )  # fmt: skip
    manifest.write_atomically(out / ingestion.FILE, made.to_json())
    manifest.write_atomically(out / ingestion.BODY, render(made.model_dump(mode="json")))
    _tell(made, out)
    return manifest.seal(out)


def _appended(
    repository: "Repository", yours: "Yours", known: int, new: "pd.DataFrame", out: Path
) -> "tuple[str, Appended]":
    """Leave the data's file with the new rows, read back as the next run will; what the data was, and what was made.

    Raises:
        DataRefused: They are too many, or the file cannot hold them.
    """
    from gitops_ml import manifest
    from gitops_ml.ingesting import ingestion
    from gitops_ml.ingesting.append import append
    from gitops_ml.training.data import files

    limit, here = repository.config.ingest.max_rows, files(repository)
    if len(new) > limit:
        raise DataRefused(
            f"{len(new)} rows would be added, more than the {limit} that model.toml allows at once.",
            "Raise `max_rows` under [ingest], if they are right.",
        )
    base = ingestion.base(repository, {file: manifest.digest_file(file) for file in here})
    with tempfile.TemporaryDirectory() as scratch:
        appended = append(repository, here, new, Path(scratch))
        _read_back(repository, yours, new, appended, Path(scratch))
        _read_whole(repository, yours, here, Path(scratch), known + len(new))
        out.mkdir(parents=True)
        shutil.copyfile(Path(scratch) / appended.path, out / ingestion.DATA)
    return base, appended


def _stays(found: "Sorted") -> tuple[str, ...]:
    """A word about rows that are here with other content."""
    if not found.conflicting:
        return ()
    return (f"{found.conflicting} row(s) are here with other content and stay as they are: {_conflicts(found)}.",)


def nothing(why: str) -> None:
    """Say why there is nothing to add, and what would change that."""
    console.say(f"Nothing to add; {why}")
    console.summarise(f"➖ Nothing to add; {why}")


def _sorted(repository: "Repository", yours: "Yours", folder: Path, got: "Pulled") -> "tuple[pd.DataFrame, Sorted]":
    """The data, and what became of the new rows; both keep the schema.

    Raises:
        DataRefused: They do not, or new rows have keys that are here with other content; told outcomes may.
    """
    from gitops_ml.ingesting.addition import sort_out
    from gitops_ml.ingesting.pulled import as_data

    key = repository.config.data.key
    new = checked(as_data(repository, folder, got), yours, keep=True, part=True, what="the new data").frame
    data = checked(repository, yours, keep=True).frame
    assert new is not None  # noqa: S101 (they were asked for)
    assert data is not None  # noqa: S101
    found = sort_out(data, new, key)
    # A truth that was corrected after its row was merged: the log says both for as long as it is kept.
    if found.conflicting and repository.config.ingest.source != "outcomes":
        raise DataRefused(
            f"{found.conflicting} new row(s) have a key that is here with other content: {_conflicts(found)}.",
            "A key names a row for ever. A new observation needs a new key; a mistake in the data is mended by a pull "
            "request of its own.",
        )
    return data, found


def _conflicts(found: "Sorted") -> str:
    """The first of the rows that are here with other content."""
    told = "; ".join(f"{name!r} ({', '.join(columns)} differ)" for name, columns in found.conflicts)
    more = found.conflicting - len(found.conflicts)
    return f"{told}, and {more} more" if more > 0 else told


def _read_back(
    repository: "Repository", yours: "Yours", rows: "pd.DataFrame", appended: "Appended", scratch: Path
) -> None:
    """Read the new lines of a CSV as the next run will, for they must be the same rows then.

    Raises:
        DataRefused: A CSV cannot hold a value of theirs.
    """
    from gitops_ml.ingesting.addition import different
    from gitops_ml.ingesting.pulled import CSV, Pulled, as_data

    if appended.lines is None:
        return
    folder = scratch / "again"
    folder.mkdir()
    (folder / CSV).write_bytes(appended.lines)
    delimiter = repository.config.data.delimiter
    again = checked(as_data(repository, folder, Pulled(source="", file=CSV, delimiter=delimiter)), yours, keep=True,
                    part=True, what="the new data as it would be written").frame  # fmt: skip
    shutil.rmtree(folder)
    assert again is not None  # noqa: S101 (they were asked for)
    differs = different(rows[list(again.columns)], again)
    columns = [str(name) for name in differs.columns if differs[name].any()]
    if columns:
        row = differs[columns[0]].to_numpy().argmax()
        raise DataRefused(
            f"A CSV cannot hold {rows[columns[0]].iloc[row]!r} in the column {columns[0]!r}: it would be read as "
            f"{again[columns[0]].iloc[row]!r}.",
            "Write it otherwise at the source (words such as NA and None mean that a value is missing).",
        )


def _read_whole(repository: "Repository", yours: "Yours", here: list[Path], scratch: Path, rows: int) -> None:
    """Read the data with its addition as CI will: all that only the whole can break, such as what must be unique.

    Raises:
        DataRefused: It breaks the schema.
    """
    from gitops_ml.config import Repository

    for file in here:
        place = scratch / file.relative_to(repository.root)
        if not place.exists():
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, place)
    whole = checked(Repository(scratch, repository.config), yours, keep=False, what="the data with the new rows")
    if whole.rows != rows:
        raise DataRefused(
            f"The data would have {whole.rows} rows with the new ones, and not {rows}.",
            "Perhaps the last line of the data is not whole; look at it.",
        )


def _weighed(repository: "Repository", data: "pd.DataFrame", new: "pd.DataFrame") -> "tuple[Additions, Answers | None]":
    """What the rows do to the data, and how the champion answers them."""
    from gitops_ml.registry.store import connect
    from gitops_ml.training.additions import additions

    does = additions(repository, data, new)
    environment, store = repository.config.deploy.environments[-1], connect(repository)
    record = champion(repository, environment, store)
    return does, _asked(repository, record, data, new) if record else None


def _asked(repository: "Repository", record: "Record", data: "pd.DataFrame", new: "pd.DataFrame") -> "Answers":
    """Ask the champion about the new rows; where it cannot answer, that is said, for it is no reason to refuse rows."""
    from gitops_ml.commands.score import scored
    from gitops_ml.registry.store import connect
    from gitops_ml.training.answers import Answers, answers
    from gitops_ml.training.train import features

    config = repository.config
    known = Answers(version=record.version, metric=config.evaluation.metric)
    if record.figure.metric == config.evaluation.metric:
        known = known.model_copy(update={"promoted": record.figure.value})
    numbers = config.project.task == "regression"
    spread = float(data[config.data.target].std(ddof=0)) if numbers else 0.0
    try:
        with console.progress("ingest") as progress:
            progress(f"ask version {record.version}")
            rows = features(repository, new)
            said = scored(repository, connect(repository), record.version, record.digest, rows, progress).predictions
        return answers(config, said, new, spread, known)
    except ConfigError as error:
        return known.model_copy(update={"unknown": error.what})


def _tell(made: "Ingestion", out: Path) -> None:
    from gitops_ml.ingesting.ingestion import BODY

    for note in made.notes:
        console.say(note)
    console.say(
        f"{made.rows} new row(s) for {made.path} from {made.source}; what they do is in {console.near(out / BODY)}."
    )
    console.summarise((out / BODY).read_text(encoding="utf-8"))
