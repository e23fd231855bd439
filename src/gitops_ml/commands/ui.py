"""`gitops ui`"""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from gitops_ml import console, temporary_folder
from gitops_ml.commands import find_repository
from gitops_ml.errors import StoreError
from gitops_ml.printable import show_addresses

if TYPE_CHECKING:
    import subprocess


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--port", default=5000, show_default=True, help="The port.")
@click.pass_obj
def command(project: Path, host: str, port: int) -> None:
    """Serve MLflow's user interface for the store."""
    import os

    from gitops_ml.registry.store import SERVER, BranchStore, connect

    store = connect(find_repository(project))
    if not isinstance(store, BranchStore):
        console.echo(f"The store is a server: {show_addresses(os.environ[SERVER])}")
        return
    store.branch.refresh()
    tip = (store.branch.tip or "empty")[:12]
    console.echo(f"http://{host}:{port} shows the store at {tip}. Press Ctrl-C to stop.")
    _serve(store.branch.root, host, port)


def _serve(root: Path, host: str, port: int) -> None:
    """Run MLflow's server on a store until the user stops it, then stop all its processes.

    Raises:
        StoreError: The server stopped by itself.
    """
    import os
    import signal
    import subprocess
    import sys

    from gitops_ml.registry.store import ROOT, store_uri

    serve = [sys.executable, "-m", "mlflow", "server", "--backend-store-uri", store_uri(root), "--host", host,
             "--port", str(port), "--workers", "1"]  # fmt: skip
    # One server process and no job runner are enough for one user.
    env = {ROOT: str(root), "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_LOGGING_LEVEL": "WARNING"}
    server = subprocess.Popen(serve, env={**os.environ, **env}, start_new_session=True)
    temporary_folder.end_with_this_process(server.pid, store_uri(root))
    # A shell starts background processes with Ctrl-C ignored.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    try:
        server.wait()
        raise StoreError(
            f"MLflow's server stopped by itself with exit code {server.returncode}.",
            f"Read its output above. If port {port} is in use, choose another one with `--port`.",
        )
    except KeyboardInterrupt:
        console.echo("Stopped.")
    finally:
        _stop(server)


def _stop(server: "subprocess.Popen[bytes]") -> None:
    """Stop the server and its child processes, which it does not stop itself; they have no state to save."""
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
