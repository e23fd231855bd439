"""Stand-in for actions/upload-pages-artifact: archives a folder of the run."""

import os
import tarfile
from pathlib import Path

from github.actions.toolkit import fail, inputs, print_line, set_output, workspace


def main() -> None:
    """Archive the folder without hidden files, as an artifact with a unique name."""
    options = inputs()
    source, artifact = workspace() / options["path"], Path(os.environ["LOCAL_ARTIFACTS"], options["name"])
    if not source.is_dir():
        fail(f"tar: {options['path']}: Cannot open: No such file or directory")
    try:
        artifact.mkdir()
    except FileExistsError:
        fail(f"Failed to CreateArtifact: (409) Conflict: an artifact named {options['name']} already exists")
    with tarfile.open(artifact / "artifact.tar", "w", dereference=True) as archive:
        for file in sorted(source.iterdir()):
            if not file.name.startswith("."):
                archive.add(file, file.name)
    set_output("artifact-id", str(len(list(artifact.parent.iterdir()))))
    print_line(f"Artifact {options['name']} has been successfully uploaded!")


if __name__ == "__main__":
    main()
