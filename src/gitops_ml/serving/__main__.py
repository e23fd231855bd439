"""`python -m gitops_ml.serving`: serve the version of the environment variables GITOPS_RUN and GITOPS_DIGEST.

A container is started this way.
`python -m gitops_ml.serving health` is the health check of the container: it asks the server whether it is ready.
"""

import gc
import os
import sys
from contextlib import ExitStack
from pathlib import Path

from gitops_ml.errors import ConfigError, GitopsError
from gitops_ml.output_text import clean
from gitops_ml.secrets import SERVER_SECRETS

REQUIRED_VARIABLES = ("GITOPS_RUN", "GITOPS_DIGEST")
DEFAULT_PORT = "8080"


def main(arguments: list[str]) -> int:
    """Serve until SIGTERM, or run the health check.

    Args:
        arguments: Command-line arguments: none, or "health".

    Returns:
        The exit code, with the same meaning as an exit code of `gitops`.
    """
    if arguments == ["health"]:
        return _check_health()
    try:
        _serve()
    except GitopsError as error:
        print(clean(f"{error.title}: {error.problem}\n  {error.next_step}"), file=sys.stderr, flush=True)
        return error.exit_code
    return 0


def _serve() -> None:
    missing = [name for name in REQUIRED_VARIABLES if not os.environ.get(name)]
    if missing:
        raise ConfigError(
            f"{' and '.join(missing)} must be set.",
            "Set GITOPS_RUN to the folder with a version's files, and GITOPS_DIGEST to the digest of its manifest.",
        )
    # Each request has a thread of its own; more threads for one row make it slower. The gate LATENCY measures so too.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    # Imported objects are never freed, so collecting garbage would only cost time; open_service enables it again.
    gc.disable()
    from gitops_ml.serving.listen import bind, listen

    host = os.environ.get("HOST") or "0.0.0.0"  # noqa: S104 (a container)
    port = int(os.environ.get("PORT") or DEFAULT_PORT)
    with ExitStack() as stack:
        listener = stack.enter_context(bind(host, port))
        from gitops_ml.config import find_repository
        from gitops_ml.serving.service import VersionId, open_service

        repository = find_repository(Path.cwd())
        # Removed from the environment, because the code that is imported next must not see them.
        token, outcomes_token, hash_key = (os.environ.pop(name, None) or None for name in SERVER_SECRETS)
        version, release = os.environ.get("GITOPS_VERSION") or None, os.environ.get("GITOPS_RELEASE") or None
        version_id = VersionId(os.environ["GITOPS_DIGEST"], version, release)
        service = open_service(repository, Path(os.environ["GITOPS_RUN"]), version_id)
        # Imported only now: skops, which is imported with the model, searches all modules that are loaded before it.
        from gitops_ml.serving.app import create_app
        from gitops_ml.serving.log_recorder import open_log
        from gitops_ml.serving.middleware import Tokens

        log = open_log(service, hash_key)
        if log is not None:
            stack.callback(log.close)
        app = create_app(service, Tokens(token, outcomes_token), log)
        address = f"{host}:{listener.getsockname()[1]}"
        print(f"{address} serves {service.metadata.model} {version_id.short}.", flush=True)
        listeners = [listener]
        # During a replacement, the old server listens on the shared port too. This server joins only when it is ready.
        # If its smoke test fails, it answers on its own port alone, where /health/ready has status 503.
        shared_port = int(os.environ.get("GITOPS_SHARED_PORT") or 0)
        if shared_port and service.run_smoke_test():
            listeners.append(stack.enter_context(bind(host, shared_port, shared=True)))
        listen(app, listeners, repository.config.serving.timeout_seconds, service.begin_ending)


def _check_health() -> int:
    """Return 0 if the server is ready, else 1; it runs every few seconds, so it imports as little as possible."""
    from http.client import HTTPConnection, HTTPException

    connection = HTTPConnection("127.0.0.1", int(os.environ.get("PORT") or DEFAULT_PORT), timeout=4)
    try:
        connection.request("GET", "/health/ready")
        return 0 if connection.getresponse().status == 200 else 1
    except (OSError, HTTPException):
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
