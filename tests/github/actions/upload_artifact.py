"""Stands in for actions/upload-artifact: keeps files in a folder of the run."""

import hashlib
import os
import shutil
from pathlib import Path

from github.actions.files import selected
from github.actions.given import fail, inputs, output, say, truth, workspace


def main() -> None:
    """Keep the files under a name that no other artefact of the run has."""
    asked = inputs()
    lines = [line.strip() for line in asked["path"].splitlines() if line.strip() and not line.strip().startswith("#")]
    if not lines:
        fail("Input required and not supplied: path")
    files = selected(lines, workspace(), truth(asked["include-hidden-files"]))
    if not files:
        _nothing(asked)
        return
    folder = Path(os.environ["LOCAL_ARTIFACTS"], asked["name"])
    try:
        folder.mkdir()
    except FileExistsError:
        fail("Failed to CreateArtifact: Received non-retryable error: Failed request: (409) Conflict: an artifact with "
             "this name already exists on the workflow run")  # fmt: skip
    for name, file in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, folder / name)  # without its mode, which a real artefact loses too
    output("artifact-digest", _digest(files))
    output("artifact-id", str(len(list(folder.parent.iterdir()))))
    say(f"Artifact {asked['name']} has been successfully uploaded! {len(files)} files")


def _nothing(asked: dict[str, str]) -> None:
    """Say that there was nothing, as loudly as the step wants."""
    text = f"No files were found with the provided path: {asked['path']}. No artifacts will be uploaded."
    match asked["if-no-files-found"]:
        case "warn":
            say(f"::warning::{text}")
        case "ignore":
            say(text)
        case "error":
            fail(text)
        case other:
            fail(f"Unrecognized if-no-files-found input. Provided: {other}")


def _digest(files: dict[str, Path]) -> str:
    """A digest of all that was kept."""
    whole = hashlib.sha256()
    for name, file in files.items():
        whole.update(name.encode() + b"\0" + file.read_bytes())
    return whole.hexdigest()


if __name__ == "__main__":
    main()
