"""A server of the version in .gitops/run, which prints its port: serve_sample.py REPOSITORY bare|counted|logged."""

import sys
from dataclasses import replace
from pathlib import Path

from gitops_ml.config import find
from gitops_ml.manifest import digest_file
from gitops_ml.serving.app import application
from gitops_ml.serving.listen import bind, listen
from gitops_ml.serving.log import open_log
from gitops_ml.serving.meter import Meter
from gitops_ml.serving.service import Named, open_service
from gitops_ml.watch import Log


def main(root: str, part: str) -> None:
    """Until SIGTERM."""
    repository, folder = find(Path(root)), Path(root) / ".gitops" / "run"
    if part == "bare":
        Meter.predicted = lambda *_: False  # type: ignore[method-assign]
    if part == "logged":
        config = repository.config.model_copy(update={"log": Log(sink="log")})
        repository = replace(repository, config=config)
    service = open_service(repository, folder, Named(digest_file(folder / "manifest.json"), "1"))
    service.rehearse()
    log = open_log(service, None)
    with bind("127.0.0.1", 0) as place:
        print(place.getsockname()[1], flush=True)
        listen(application(service, log=log), [place], 60)
    if log is not None:
        log.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
