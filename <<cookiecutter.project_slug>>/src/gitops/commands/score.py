# machinery
"""`gitops score`"""

from pathlib import Path

import click

from gitops import console
from gitops.commands import find


@click.command()
@click.option("--run", "folder", type=click.Path(path_type=Path), required=True, help="A version's files.")
@click.option("--digest", required=True, help="Their digest, from a record or from `register`.")
@click.option("--rows", type=click.Path(path_type=Path), required=True, help="A CSV or Parquet file.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="The Parquet or CSV file to write.")
@click.pass_obj
def command(project: Path, folder: Path, digest: str, rows: Path, out: Path) -> None:
    """Predict the rows of a file.

    The version's digest is verified before anything is opened."""
    from gitops.predictions import predict, to_frame
    from gitops.serving.score import open_run, read_rows

    repository = find(project)
    described, model = open_run(folder, digest, repository.config.serving.trusted_types)
    frame = to_frame(predict(model, read_rows(rows, described)))
    frame.to_parquet(out, index=False) if out.suffix == ".parquet" else frame.to_csv(out, index=False)
    console.say(f"{len(frame)} predictions in {out}.")
