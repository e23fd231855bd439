"""Stands in for actions/download-artifact: fetches files that the run kept."""

import os
import shutil
from pathlib import Path

from github.actions.given import fail, inputs, output, say, workspace


def main() -> None:
    """Copy an artefact's content to a folder."""
    asked = inputs()
    if not asked["name"]:
        fail("The stand-in for download-artifact needs a name.")
    kept = Path(os.environ["LOCAL_ARTIFACTS"], asked["name"])
    if not kept.is_dir():
        fail(f"Unable to download artifact(s): Artifact not found for name: {asked['name']}")
    target = workspace() / asked["path"]
    shutil.copytree(kept, target, dirs_exist_ok=True)
    output("download-path", str(target))
    say(f"Artifact download completed successfully: {target}")


if __name__ == "__main__":
    main()
