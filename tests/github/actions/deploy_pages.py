"""Stand-in for actions/deploy-pages: unpacks the archive beside the run's artifacts."""

import os
import tarfile
from pathlib import Path

from github.actions.toolkit import fail, inputs, print_line, set_output


def main() -> None:
    """Unpack the artifact as a folder of files."""
    artifact = Path(os.environ["LOCAL_ARTIFACTS"], inputs()["artifact_name"])
    if not (artifact / "artifact.tar").is_file():
        fail('Error: No artifacts named "github-pages" were found for this workflow run.')
    pages = artifact / "pages"
    with tarfile.open(artifact / "artifact.tar") as archive:
        archive.extractall(pages, filter="data")
    set_output("page_url", f"{pages.as_uri()}/")
    print_line("Reported success!")


if __name__ == "__main__":
    main()
