"""Stands in for actions/deploy-pages: unpacks the archive beside the run's artefacts."""

import os
import tarfile
from pathlib import Path

from github.actions.given import fail, inputs, output, say


def main() -> None:
    """Publish it as a folder of files."""
    kept = Path(os.environ["LOCAL_ARTIFACTS"], inputs()["artifact_name"])
    if not (kept / "artifact.tar").is_file():
        fail('Error: No artifacts named "github-pages" were found for this workflow run.')
    pages = kept / "pages"
    with tarfile.open(kept / "artifact.tar") as archive:
        archive.extractall(pages, filter="data")
    output("page_url", f"{pages.as_uri()}/")
    say("Reported success!")


if __name__ == "__main__":
    main()
