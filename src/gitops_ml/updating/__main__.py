"""`python -m gitops_ml.updating`: the new library's part of `gitops update`, which an older library starts.

An older library calls it with these arguments; a change to them needs a new CONTRACT:

    --contract 1 --project ROOT --pin FILE [--wheel FILE] [--branch NAME] [--from-copied] [--report FILE]

ROOT is the root of the repository. `--pin` names a file with the content for its requirements/gitops.txt, `--wheel` the
file for its folder `vendor`; without it, the package index has the library. With `--report`, nothing is printed: the
file gets the update as JSON (gitops_ml/update_report.py), or is empty if main has it already. Exit codes are those of
`gitops`.
"""

import sys
import traceback
from pathlib import Path

import click

from gitops_ml.errors import BUG_EXIT_CODE, ConfigError, GitopsError
from gitops_ml.output_text import clean

CONTRACT = 1


@click.command()
@click.option("--contract", type=int, required=True)
@click.option("--project", type=click.Path(path_type=Path), required=True)
@click.option("--pin", type=click.Path(path_type=Path), required=True)
@click.option("--wheel", type=click.Path(path_type=Path))
@click.option("--branch")
@click.option("--from-copied", is_flag=True)
@click.option("--report", type=click.Path(path_type=Path))
def run(
    contract: int, project: Path, pin: Path, wheel: Path | None, branch: str | None, from_copied: bool,
    report: Path | None,
) -> None:  # fmt: skip
    """Update the repository, and print what changed, or write it to a file."""
    from gitops_ml.updating import library_files
    from gitops_ml.updating.update_branch import BRANCH
    from gitops_ml.updating.update_run import update

    if contract != CONTRACT:
        raise ConfigError(
            f"This version of gitops-ml cannot be installed by the one that {project} has (contract {contract}).",
            "Update to an earlier version first: `gitops update --to VERSION`.",
        )
    text = pin.read_text(encoding="utf-8")
    new = library_files.read_wheel(wheel.read_bytes(), text) if wheel else library_files.read_installed(text)
    result = update(project, new, branch or BRANCH, from_copied)
    if report is None:
        click.echo(clean(result.text))
    else:
        report.write_text(result.report.to_json() if result.report else "", encoding="utf-8")


def main() -> int:
    """Return the exit code of an update with the arguments of the command line."""
    try:
        run.main(standalone_mode=False)
    except click.ClickException as error:
        click.echo(clean(error.format_message()), err=True)
        return error.exit_code
    except GitopsError as error:
        click.echo(clean(f"{error.title}: {error.problem}\n  {error.next_step}"), err=True)
        return error.exit_code
    except Exception:  # a bug of the library
        text = f"A bug in gitops update; the repository was not changed. Report it:\n{traceback.format_exc()}"
        click.echo(clean(text), err=True)
        return BUG_EXIT_CODE
    return 0


if __name__ == "__main__":
    sys.exit(main())
