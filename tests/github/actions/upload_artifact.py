"""Stand-in for actions/upload-artifact: copies files to a folder of the run."""

import hashlib
import os
import shutil
from pathlib import Path

from github.actions.files import select_files
from github.actions.toolkit import boolean_input, fail, inputs, print_line, set_output, workspace


def main() -> None:
    """Copy the files to an artifact with a unique name."""
    options = inputs()
    lines = [line.strip() for line in options["path"].splitlines() if line.strip() and not line.strip().startswith("#")]
    if not lines:
        fail("Input required and not supplied: path")
    files = select_files(lines, workspace(), boolean_input(options["include-hidden-files"]))
    if not files:
        _report_no_files(options)
        return
    folder = Path(os.environ["LOCAL_ARTIFACTS"], options["name"])
    try:
        folder.mkdir()
    except FileExistsError:
        fail("Failed to CreateArtifact: Received non-retryable error: Failed request: (409) Conflict: an artifact with "
             "this name already exists on the workflow run")  # fmt: skip
    for name, file in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, folder / name)  # without its mode, which a real artifact loses too
    set_output("artifact-digest", _digest(files))
    set_output("artifact-id", str(len(list(folder.parent.iterdir()))))
    print_line(f"Artifact {options['name']} has been successfully uploaded! {len(files)} files")


def _report_no_files(options: dict[str, str]) -> None:
    """Report that no files were found, at the requested level."""
    text = f"No files were found with the provided path: {options['path']}. No artifacts will be uploaded."
    match options["if-no-files-found"]:
        case "warn":
            print_line(f"::warning::{text}")
        case "ignore":
            print_line(text)
        case "error":
            fail(text)
        case other:
            fail(f"Unrecognized if-no-files-found input. Provided: {other}")


def _digest(files: dict[str, Path]) -> str:
    """Return a digest of all files."""
    whole = hashlib.sha256()
    for name, file in files.items():
        whole.update(name.encode() + b"\0" + file.read_bytes())
    return whole.hexdigest()


if __name__ == "__main__":
    main()
