"""Serve the version in .gitops/run, and print the port: serve_sample.py REPOSITORY bare|counted|logged."""

import sys
from dataclasses import replace
from pathlib import Path

from gitops_ml.config import find_repository
from gitops_ml.manifest import digest_file
from gitops_ml.monitoring_config import LogConfig
from gitops_ml.serving.app import create_app
from gitops_ml.serving.listen import bind, listen
from gitops_ml.serving.log_recorder import open_log
from gitops_ml.serving.server_metrics import ServerMetrics
from gitops_ml.serving.service import VersionId, open_service


def main(root: str, part: str) -> None:
    """Serve until SIGTERM."""
    repository, folder = find_repository(Path(root)), Path(root) / ".gitops" / "run"
    if part == "bare":
        ServerMetrics.record_predictions = lambda *_: False  # type: ignore[method-assign]
    if part == "logged":
        config = repository.config.model_copy(update={"log": LogConfig(sink="log")})
        repository = replace(repository, config=config)
    service = open_service(repository, folder, VersionId(digest_file(folder / "manifest.json"), "1"))
    service.run_smoke_test()
    log = open_log(service, None)
    with bind("127.0.0.1", 0) as socket:
        print(socket.getsockname()[1], flush=True)
        listen(create_app(service, log=log), [socket], 60)
    if log is not None:
        log.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
