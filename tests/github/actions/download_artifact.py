"""Stand-in for actions/download-artifact: copies files of the run's artifact."""

import os
import shutil
from pathlib import Path

from github.actions.toolkit import fail, inputs, print_line, set_output, workspace


def main() -> None:
    """Copy an artifact's content to a folder."""
    options = inputs()
    if not options["name"]:
        fail("The stand-in for download-artifact needs the input `name`.")
    artifact = Path(os.environ["LOCAL_ARTIFACTS"], options["name"])
    if not artifact.is_dir():
        fail(f"Unable to download artifact(s): Artifact not found for name: {options['name']}")
    target = workspace() / options["path"]
    shutil.copytree(artifact, target, dirs_exist_ok=True)
    set_output("download-path", str(target))
    print_line(f"Artifact download completed successfully: {target}")


if __name__ == "__main__":
    main()
