"""Stands in for actions/upload-pages-artifact: keeps a folder as one archive of the run."""

import os
import tarfile
from pathlib import Path

from github.actions.given import fail, inputs, output, say, workspace


def main() -> None:
    """Archive the folder, without what is hidden in it, under a name that no other artefact of the run has."""
    asked = inputs()
    source, kept = workspace() / asked["path"], Path(os.environ["LOCAL_ARTIFACTS"], asked["name"])
    if not source.is_dir():
        fail(f"tar: {asked['path']}: Cannot open: No such file or directory")
    try:
        kept.mkdir()
    except FileExistsError:
        fail(f"Failed to CreateArtifact: (409) Conflict: an artifact named {asked['name']} already exists")
    with tarfile.open(kept / "artifact.tar", "w", dereference=True) as archive:
        for file in sorted(source.iterdir()):
            if not file.name.startswith("."):
                archive.add(file, file.name)
    output("artifact-id", str(len(list(kept.parent.iterdir()))))
    say(f"Artifact {asked['name']} has been successfully uploaded!")


if __name__ == "__main__":
    main()
