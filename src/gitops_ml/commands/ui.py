"""`gitops ui`"""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from gitops_ml import console
from gitops_ml.commands import find
from gitops_ml.errors import StoreError

if TYPE_CHECKING:
    import subprocess


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--port", default=5000, show_default=True, help="The port.")
@click.pass_obj
def command(project: Path, host: str, port: int) -> None:
    """Open MLflow's own pages on the store."""
    import os

    from gitops_ml.registry.store import SERVER, BranchStore, connect

    store = connect(find(project))
    if not isinstance(store, BranchStore):
        console.say(f"The store is a server: {os.environ[SERVER].split('@')[-1]}")
        return
    store.branch.refresh()
    tip = (store.branch.tip or "empty")[:12]
    console.say(f"http://{host}:{port} shows the store as it is now ({tip}). Ctrl-C ends it.")
    _serve(store.branch.root, host, port)


def _serve(root: Path, host: str, port: int) -> None:
    """Run MLflow's server on a store until somebody ends it, and leave nothing of it running.

    Raises:
        StoreError: It ended by itself.
    """
    import os
    import signal
    import subprocess
    import sys

    from gitops_ml.registry.store import ROOT, address

    serve = [sys.executable, "-m", "mlflow", "server", "--backend-store-uri", address(root), "--host", host,
             "--port", str(port), "--workers", "1"]  # fmt: skip
    # One server process and no job runner: a person looks, nothing else does.
    env = {ROOT: str(root), "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_LOGGING_LEVEL": "WARNING"}
    server = subprocess.Popen(serve, env={**os.environ, **env}, start_new_session=True)
    # A shell starts what runs in the background deaf to Ctrl-C.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    try:
        server.wait()
        raise StoreError(
            f"MLflow's server ended by itself, with exit code {server.returncode}.",
            f"Its words stand above; perhaps port {port} is taken: choose another with `--port`.",
        )
    except KeyboardInterrupt:
        console.say("Ended.")
    finally:
        _end(server)


def _end(server: "subprocess.Popen[bytes]") -> None:
    """End the server and those that it started, which it would not take along; they hold nothing worth waiting for."""
    import contextlib
    import os
    import signal
    import subprocess

    if not hasattr(os, "killpg"):
        server.terminate()
        return
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError, subprocess.TimeoutExpired):
            os.killpg(server.pid, number)
            server.wait(5)
