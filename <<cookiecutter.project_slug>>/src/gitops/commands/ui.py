# machinery
"""`gitops ui`"""

from pathlib import Path

import click

from gitops import console
from gitops.commands import find


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--port", default=5000, show_default=True, help="The port.")
@click.pass_obj
def command(project: Path, host: str, port: int) -> None:
    """Open MLflow's own pages on the store."""
    import os
    import signal
    import subprocess
    import sys

    from gitops.registry.store import ROOT, SERVER, BranchStore, address, connect

    store = connect(find(project))
    if not isinstance(store, BranchStore):
        console.say(f"The store is a server: {os.environ[SERVER]}")
        return
    store.branch.refresh()
    root = store.branch.root
    console.say(
        f"http://{host}:{port} shows the store as it is now ({(store.branch.tip or 'empty')[:12]}). Ctrl-C ends it."
    )
    # One server process and no job runner: a person looks, nothing else does.
    env = {**os.environ, ROOT: str(root), "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
           "MLFLOW_LOGGING_LEVEL": "WARNING"}  # fmt: skip
    serve = [sys.executable, "-m", "mlflow", "server", "--backend-store-uri", address(root), "--host", host,
             "--port", str(port), "--workers", "1"]  # fmt: skip
    server = subprocess.Popen(serve, env=env, start_new_session=True)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        server.wait()
    except KeyboardInterrupt:
        console.say("Ended.")
    finally:
        # The server starts others, and does not take them along when it ends.
        os.killpg(server.pid, signal.SIGTERM) if hasattr(os, "killpg") else server.terminate()
        server.wait()
