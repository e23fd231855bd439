"""`python -m gitops_ml.serving`: answer requests with the version that the environment names, as a container does.

`python -m gitops_ml.serving health` asks the server beside it whether it is ready; for the container's health check.
"""

import gc
import os
import sys
from contextlib import ExitStack
from pathlib import Path

from gitops_ml.errors import ConfigError, GitopsError
from gitops_ml.private import OF_SERVERS

NEEDED = ("GITOPS_RUN", "GITOPS_DIGEST")
PORT = "8080"


def main(arguments: list[str]) -> int:
    """Serve until SIGTERM; the exit code says why it ended, as that of `gitops` does."""
    if arguments == ["health"]:
        return _health()
    try:
        _serve()
    except GitopsError as error:
        print(f"{error.title}: {error.what}\n  {error.next}", file=sys.stderr, flush=True)
        return error.exit_code
    return 0


def _serve() -> None:
    missing = [name for name in NEEDED if not os.environ.get(name)]
    if missing:
        raise ConfigError(f"{' and '.join(missing)} must be set.", "They name a version's files and their digest.")
    gc.disable()  # what is imported stays for ever; open_service freezes it and switches the collector on again
    from gitops_ml.serving.listen import bind, listen

    host, port = os.environ.get("HOST") or "0.0.0.0", int(os.environ.get("PORT") or PORT)  # noqa: S104 (a container)
    with ExitStack() as stack:
        place = stack.enter_context(bind(host, port))
        from gitops_ml.config import find
        from gitops_ml.serving.service import Named, open_service

        repository = find(Path.cwd())
        # No business of the code that is opened now.
        token, outcomes, key = (os.environ.pop(name, None) or None for name in OF_SERVERS)
        version, release = os.environ.get("GITOPS_VERSION") or None, os.environ.get("GITOPS_RELEASE") or None
        named = Named(os.environ["GITOPS_DIGEST"], version, release)
        service = open_service(repository, Path(os.environ["GITOPS_RUN"]), named)
        # Only now: what opens the model is quicker to import before the web is.
        from gitops_ml.serving.app import application
        from gitops_ml.serving.desk import Tokens
        from gitops_ml.serving.log import open_log

        log = open_log(service, key)
        if log is not None:
            stack.callback(log.close)
        app = application(service, Tokens(token, outcomes), log)
        print(f"{host}:{place.getsockname()[1]} answers with {service.described.model} {named.short}.", flush=True)
        places = [place]
        # Another server of ours may have this port, and callers must not come here before we can answer.
        shared = int(os.environ.get("GITOPS_SHARED_PORT") or 0)
        if shared and service.rehearse():
            places.append(stack.enter_context(bind(host, shared, shared=True)))
        listen(app, places, repository.config.serving.timeout_seconds)


def _health() -> int:
    """0 when the server answers that it is ready; it comes every few seconds, so it imports next to nothing."""
    from http.client import HTTPConnection, HTTPException

    asked = HTTPConnection("127.0.0.1", int(os.environ.get("PORT") or PORT), timeout=4)
    try:
        asked.request("GET", "/health/ready")
        return 0 if asked.getresponse().status == 200 else 1
    except (OSError, HTTPException):
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
