"""Check fetched rows, write the data extended by the new ones, and measure the champion on the new ones."""

import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from gitops_ml import console
from gitops_ml.commands import find_champion
from gitops_ml.commands.validate import validate_data
from gitops_ml.errors import ConfigError, DataRefused

if TYPE_CHECKING:
    import pandas as pd

    from gitops_ml.config import Repository
    from gitops_ml.ingesting.append import AppendResult
    from gitops_ml.ingesting.ingestion import Ingestion
    from gitops_ml.ingesting.pulled_rows import PulledRows
    from gitops_ml.ingesting.row_classification import ClassifiedRows
    from gitops_ml.registry.record import Record
    from gitops_ml.training.additions import Additions
    from gitops_ml.training.new_row_performance import NewRowPerformance
    from gitops_ml.user_package import UserPackage

NOTHING_NEW = (
    "the model needs labels of new rows: all {rows} row(s) of {source} are in the data already. Add rows with new keys "
    "and their labels to the source, and run `gitops ingest` again."
)


def check_new_rows(repository: "Repository", folder: Path, digest: str, out: Path) -> str | None:
    """Check fetched rows, and write the extended data and a summary of its effect to a folder with a manifest.

    Args:
        repository: The clone.
        folder: Folder with the fetched rows.
        digest: Digest of the folder's manifest.
        out: Folder to write; an existing one is replaced.

    Returns:
        The digest of the manifest of `out`; None if no row is new.

    Raises:
        IntegrityError: The folder does not match the digest; no file of it was read.
        DataRefused: The rows break the schema, contradict the data, or cannot be added to its file.
        ConfigError: Rows of this source cannot become data of this repository.
    """
    from gitops_ml import manifest, user_package
    from gitops_ml.forge.data_pull_request_text import render_ingestion
    from gitops_ml.ingesting import ingestion, outcome_source, pulled_rows

    pulled = pulled_rows.load_pulled_rows(folder, digest)
    shutil.rmtree(out, ignore_errors=True)
    package = user_package.load_user_package(repository)
    if pulled.source == outcome_source.SOURCE:
        dtypes = {name: column.dtype for name, column in package.schema.columns.items()}
        conflict = outcome_source.find_schema_conflict(repository, dtypes)
        if conflict:
            raise conflict
    if pulled.file is None:
        report_nothing_new(pulled.missing)
        return None
    data, classified = _classify(repository, package, folder, pulled)
    if classified.new.empty:
        report_nothing_new(NOTHING_NEW.format(rows=classified.existing, source=pulled.source))
        return None
    base, appended = _append(repository, package, len(data), classified.new, out)
    effect, performance = _describe_effect(repository, data, classified.new)
    document = ingestion.Ingestion(
        source=pulled.source, path=appended.path, base=base, digest=appended.digest, rows=len(classified.new),
        known=classified.existing, notes=(*pulled.notes, *_conflict_notes(classified)),
        does=effect.model_dump(mode="json"), answers=performance.model_dump(mode="json") if performance else None,
    )  # fmt: skip
    manifest.write_atomically(out / ingestion.FILE, document.to_json())
    manifest.write_atomically(out / ingestion.BODY, render_ingestion(document.model_dump(mode="json")))
    _report(document, out)
    return manifest.write_manifest(out)


def report_nothing_new(reason: str) -> None:
    """Print that there are no rows to add.

    Args:
        reason: Why there are none, and how to change that.
    """
    console.echo(f"Nothing to add; {reason}")
    console.append_summary(f"➖ Nothing to add; {reason}")


def _append(
    repository: "Repository", package: "UserPackage", rows: int, new: "pd.DataFrame", out: Path
) -> "tuple[str, AppendResult]":
    """Append the new rows to a copy of the data's file, read it back as CI and training will, and write it to `out`.

    Args:
        repository: The clone.
        package: The user's package.
        rows: Number of rows in the data.
        new: The new rows, shape (n_new, n_columns).
        out: Folder to write.

    Returns:
        The digest of the present data, and the result of the append.

    Raises:
        DataRefused: There are too many new rows, the file format cannot hold them, or the data with them breaks the
            schema.
    """
    from gitops_ml import manifest
    from gitops_ml.ingesting import ingestion
    from gitops_ml.ingesting.append import append_rows
    from gitops_ml.training.data import data_files

    limit, paths = repository.config.ingest.max_rows, data_files(repository)
    if len(new) > limit:
        raise DataRefused(
            f"{len(new)} rows would be added, more than the {limit} that model.toml allows at once.",
            "Raise `max_rows` under [ingest], if the rows are right.",
        )
    base = ingestion.base_digest(repository, {file: manifest.digest_file(file) for file in paths})
    with tempfile.TemporaryDirectory() as scratch:
        appended = append_rows(repository, paths, new, Path(scratch))
        _read_back(repository, package, new, appended, Path(scratch))
        _read_whole(repository, package, paths, Path(scratch), rows + len(new))
        out.mkdir(parents=True)
        shutil.copyfile(Path(scratch) / appended.path, out / ingestion.DATA)
    return base, appended


def _conflict_notes(classified: "ClassifiedRows") -> tuple[str, ...]:
    """Return a note about fetched rows whose key is in the data with other values."""
    if not classified.conflict_count:
        return ()
    return (
        f"{classified.conflict_count} fetched row(s) have other values than the row with the same key in the data, "
        f"which is kept: {_describe_conflicts(classified)}.",
    )


def _classify(
    repository: "Repository", package: "UserPackage", folder: Path, pulled: "PulledRows"
) -> "tuple[pd.DataFrame, ClassifiedRows]":
    """Return the data, and the fetched rows classified against it; both are checked against the schema.

    Raises:
        DataRefused: The rows break the schema, or have a key of the data with other values (allowed only for the source
            `outcomes`).
    """
    from gitops_ml.ingesting.pulled_rows import with_rows_as_data
    from gitops_ml.ingesting.row_classification import classify_rows

    key = repository.config.data.key
    new = validate_data(
        with_rows_as_data(repository, folder, pulled), package, keep_rows=True, is_partial=True, label="the new data"
    ).frame
    data = validate_data(repository, package, keep_rows=True).frame
    assert new is not None  # noqa: S101 (keep_rows=True)
    assert data is not None  # noqa: S101
    classified = classify_rows(data, new, key)
    # A label may be corrected after its row was merged: the prediction log then holds both labels.
    if classified.conflict_count and repository.config.ingest.source != "outcomes":
        raise DataRefused(
            f"{classified.conflict_count} new row(s) have a key of the data but other values: "
            f"{_describe_conflicts(classified)}.",
            "A key always names the same row. Give a new observation a new key; fix a mistake in the data by a "
            "separate pull request.",
        )
    return data, classified


def _describe_conflicts(classified: "ClassifiedRows") -> str:
    """Return the keys and columns of the first rows that are in the data with other values."""
    listed = "; ".join(f"{key!r} ({', '.join(columns)} differ)" for key, columns in classified.conflicts)
    more = classified.conflict_count - len(classified.conflicts)
    return f"{listed}, and {more} more" if more > 0 else listed


def _read_back(
    repository: "Repository", package: "UserPackage", rows: "pd.DataFrame", appended: "AppendResult", scratch: Path
) -> None:
    """Read the new lines of a CSV as CI and training will, and check that the rows are the same.

    Raises:
        DataRefused: A CSV cannot hold one of the values.
    """
    from gitops_ml.ingesting.pulled_rows import CSV, PulledRows, with_rows_as_data
    from gitops_ml.ingesting.row_classification import compare_values

    if appended.lines is None:
        return
    folder = scratch / "again"
    folder.mkdir()
    (folder / CSV).write_bytes(appended.lines)
    written = PulledRows(source="", file=CSV, delimiter=repository.config.data.delimiter)
    reread_repository = with_rows_as_data(repository, folder, written)
    reread = validate_data(
        reread_repository, package, keep_rows=True, is_partial=True, label="the new data as it would be written"
    ).frame
    shutil.rmtree(folder)
    assert reread is not None  # noqa: S101 (keep_rows=True)
    differs = compare_values(rows[list(reread.columns)], reread)
    columns = [str(name) for name in differs.columns if differs[name].any()]
    if columns:
        row = differs[columns[0]].to_numpy().argmax()
        raise DataRefused(
            f"A CSV cannot hold {rows[columns[0]].iloc[row]!r} in the column {columns[0]!r}: it would be read as "
            f"{reread[columns[0]].iloc[row]!r}.",
            "Change the value at the source, or what [data] in model.toml declares about cells.",
        )


def _read_whole(repository: "Repository", package: "UserPackage", paths: list[Path], scratch: Path, rows: int) -> None:
    """Check the data with the new rows as CI will, including rules about all rows, such as uniqueness.

    Raises:
        DataRefused: The data with the new rows breaks the schema.
    """
    from gitops_ml.config import Repository

    for file in paths:
        copy = scratch / file.relative_to(repository.root)
        if not copy.exists():
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, copy)
    extended = Repository(scratch, repository.config)
    whole = validate_data(extended, package, keep_rows=False, label="the data with the new rows")
    if whole.rows != rows:
        raise DataRefused(
            f"The data with the new rows would have {whole.rows} rows instead of {rows}.",
            "The last line of the data is probably incomplete. Check it.",
        )


def _describe_effect(
    repository: "Repository", data: "pd.DataFrame", new: "pd.DataFrame"
) -> "tuple[Additions, NewRowPerformance | None]":
    """Return how the new rows change the data, and the champion's performance on them."""
    from gitops_ml.registry.store import connect
    from gitops_ml.training.additions import additions

    effect = additions(repository, data, new)
    environment, store = repository.config.deploy.environments[-1], connect(repository)
    record = find_champion(repository, environment, store)
    return effect, _measure_champion(repository, record, data, new) if record else None


def _measure_champion(
    repository: "Repository", record: "Record", data: "pd.DataFrame", new: "pd.DataFrame"
) -> "NewRowPerformance":
    """Measure the champion on the new rows. If it cannot be scored, the result says why; the rows are not refused."""
    from gitops_ml.commands.confined_code import confined_code
    from gitops_ml.commands.score import score_version
    from gitops_ml.registry.store import connect
    from gitops_ml.training.features import drop_key_and_target
    from gitops_ml.training.new_row_performance import NewRowPerformance, measure_new_rows

    config = repository.config
    base = NewRowPerformance(version=record.version, metric=config.evaluation.metric)
    if record.figure.metric == config.evaluation.metric:
        base = base.model_copy(update={"promoted": record.figure.value})
    is_regression = config.project.task == "regression"
    standard_deviation = float(data[config.data.target].std(ddof=0)) if is_regression else 0.0
    try:
        with console.progress("ingest") as progress:
            progress(f"score version {record.version}")
            rows, store = drop_key_and_target(repository.config.data, new), connect(repository)
            with confined_code(repository) as code:
                scored = score_version(code, store, record.version, record.digest, rows, progress)
        return measure_new_rows(config, scored.predictions, new, standard_deviation, base)
    except ConfigError as error:
        return base.model_copy(update={"unknown": error.problem})


def _report(document: "Ingestion", out: Path) -> None:
    """Print the notes, and add the summary to the step summary."""
    from gitops_ml.ingesting.ingestion import BODY

    for note in document.notes:
        console.echo(note)
    console.echo(
        f"{document.rows} new row(s) for {document.path} from {document.source}; "
        f"{console.relative_path(out / BODY)} describes their effect."
    )
    console.append_summary((out / BODY).read_text(encoding="utf-8"))
