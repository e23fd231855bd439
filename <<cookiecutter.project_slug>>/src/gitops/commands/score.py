# machinery
"""`gitops score`"""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from gitops import console
from gitops.commands import champion, find
from gitops.errors import ConfigError

if TYPE_CHECKING:
    from gitops.config import Repository


@click.command()
@click.option("--rows", type=click.Path(path_type=Path), required=True, help="A CSV or Parquet file.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="The Parquet or CSV file to write.")
@click.option("--environment", default="production", show_default=True, help="Whose champion.")
@click.option("--run", "folder", type=click.Path(path_type=Path), help="A version's files instead of the champion's.")
@click.option("--digest", help="Their digest, from a record or from `register`.")
@click.pass_obj
def command(project: Path, rows: Path, out: Path, environment: str, folder: Path | None, digest: str | None) -> None:
    """Predict the rows of a file.

    With the champion, or with the files of a version. Their digest is verified before anything is opened.
    """
    from gitops.predictions import predict, to_frame
    from gitops.serving.score import open_run, read_rows

    if (folder is None) != (digest is None):
        raise click.UsageError("--run and --digest go together: a folder is worth nothing without its digest.")
    repository = find(project)
    if folder is None or digest is None:
        folder, digest = _champion(repository, environment)
    described, model = open_run(folder, digest, repository.config.serving.trusted_types)
    frame = to_frame(predict(model, read_rows(rows, described)))
    frame.to_parquet(out, index=False) if out.suffix == ".parquet" else frame.to_csv(out, index=False)
    console.say(f"{len(frame)} predictions in {console.near(out)}.")


def _champion(repository: "Repository", environment: str) -> tuple[Path, str]:
    """The champion's files, fetched from the store, and the digest that the record pins."""
    from gitops.registry.store import connect
    from gitops.registry.versions import fetch, place

    record = champion(repository, environment)
    if record is None:
        raise ConfigError(f"There is no champion in {environment} yet.", "Promote a version first, or name one: --run.")
    folder = place(repository, record.version, record.digest)
    fetch(connect(repository), record.model, record.version, record.digest, folder)
    return folder, record.digest
