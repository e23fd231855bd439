"""Server that imports what commands of `gitops` need once, and forks a process for each command (fork_client.py).

Jobs of tests with fast setup run their commands in it. Each command has a process, folder, environment and streams of
its own, as if it had been started by the shell, except that the imports, which take longer than most commands, are
done. The server ends with the process that started it. A second kind forks servers of predictions.

    python fork_server.py SOCKET commands
    python fork_server.py SOCKET serving
"""

import gc
import importlib
import json
import os
import pkgutil
import select
import signal
import socket
import sys
import tempfile
import threading
import time
import warnings
from typing import Any, NoReturn

# Modules that the library imports when it uses them.
LATE = (
    "alembic.command", "git", "markdown_it", "matplotlib.backends.backend_agg", "matplotlib.pyplot",
    "mlflow.artifacts", "mlflow.models.display_utils", "mlflow.pyfunc", "mlflow.store.db.utils",
    "mlflow.store.model_registry.sqlalchemy_store", "mlflow.store.tracking.sqlalchemy_store", "mlflow.tracing.export",
    "mlflow.tracing.processor", "mlflow.types.responses", "opentelemetry.sdk.metrics",
    "pandera.backends.pandas.register", "plotly.graph_objs.layout", "plotly.graph_objs.scatter", "plotly.io",
    "sklearn.ensemble", "sklearn.inspection", "sklearn.linear_model", "sklearn.pipeline", "skops.io",
    "sqlalchemy.dialects.sqlite",
)  # fmt: skip
# Not imported: the server of predictions, and what MLflow imports by itself.
LEFT_OUT = ("gitops_ml.registry.mlflow_plugin", "gitops_ml.serving", "gitops_ml.testing")


def import_commands() -> None:
    """Import the library and what it uses, and do what its packages do when they are used first."""
    import gitops_ml

    for name in LATE:
        importlib.import_module(name)
    for module in pkgutil.walk_packages(gitops_ml.__path__, "gitops_ml."):
        if not module.name.startswith(LEFT_OUT) and not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    import pandas as pd
    import pandera.pandas as pa
    from mlflow.utils import requirements_utils
    from PIL import Image

    from gitops_ml.forge.comparison_figures import empty_figure

    pa.DataFrameSchema({"a": pa.Column(float)}).validate(pd.DataFrame({"a": [1.0]}))
    empty_figure("x", "y").to_json()
    requirements_utils._init_modules_to_packages_map()
    Image.init()


def import_serving() -> None:
    """Import the server of predictions."""
    for name in ("service", "app", "log_recorder", "middleware", "listen"):
        importlib.import_module(f"gitops_ml.serving.{name}")
    importlib.import_module("uvicorn")


def run_command(arguments: list[str]) -> int:
    """Run a command of `gitops`; confined processes are forked from this one, which has run none of the user's code."""
    from forked_zygote import fork_zygote
    from gitops_ml import cli
    from gitops_ml.confinement import judge

    judge.start = fork_zygote
    return cli.main(arguments)


def serve(_: list[str]) -> int:
    """Serve predictions, as `python -m gitops_ml.serving` does."""
    sys.path[:0] = os.environ["PYTHONPATH"].split(os.pathsep)
    from gitops_ml.serving.__main__ import main as serve_version

    return serve_version([])


KINDS = {"commands": (import_commands, run_command), "serving": (import_serving, serve)}


def wait_for_command(address: str) -> dict[str, Any]:
    """Fork a process for each request; return, in the new process, the request."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(address)
        listener.listen(64)
        print("ready", flush=True)
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        while True:
            readable, _, _ = select.select([listener.fileno(), sys.stdin.fileno()], [], [])
            if sys.stdin.fileno() in readable:
                os._exit(0)
            connection, _ = listener.accept()
            if os.fork() == 0:
                listener.close()
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                return start_command(connection)
            connection.close()


def start_command(connection: socket.socket) -> dict[str, Any]:
    """Fork the command's process, and wait for it; return, in that process, the request."""
    _, streams, _, _ = socket.recv_fds(connection, 1, 3)
    with connection.makefile("rb") as reader:
        request: dict[str, Any] = json.loads(reader.readline())
    ended, open_while_running = os.pipe()
    child = os.fork()
    if child:
        os.close(open_while_running)
        wait_for_end(connection, child, ended)
    os.close(ended)
    connection.close()
    os.setsid()
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    return request


def wait_for_end(connection: socket.socket, child: int, ended: int) -> NoReturn:
    """Pass signals on to the command until it ends, and send its exit code; kill it if the client is gone."""
    while True:
        readable, _, _ = select.select([connection.fileno(), ended], [], [])
        if ended in readable:
            code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
            connection.sendall(str(code if code >= 0 else 128 - code).encode())
            os._exit(0)
        number = connection.recv(1)
        os.kill(child, number[0] if number else signal.SIGKILL)
        if not number:
            os._exit(0)


def enter(request: dict[str, Any], imported: dict[str, str]) -> None:
    """Give this process what a new process would have.

    Args:
        request: The client's folder, environment, and others.
        imported: Variables that imported modules have set.
    """
    import numpy as np

    os.chdir(request["folder"])
    os.umask(request["mask"])
    os.environ.clear()
    os.environ.update(imported | request["env"])
    time.tzset()
    tempfile.tempdir = None
    # A shell that starts a program in the background makes it ignore this signal, and so all that it starts.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    np.random.seed()  # noqa: NPY002 (the generator of code that uses no other one)
    sys.executable = request["python"]
    sys.argv = ["gitops", *request["arguments"]]


def main(address: str, kind: str) -> int:
    """Serve, and run the command in each forked process."""
    before = dict(os.environ)
    import_all, run = KINDS[kind]
    with warnings.catch_warnings(action="ignore"):
        import_all()
    imported = {name: value for name, value in os.environ.items() if before.get(name) != value}
    gc.collect()
    gc.freeze()  # otherwise the first collection in each forked process copies the memory of all imported modules
    assert threading.active_count() == 1, "a process with threads cannot be forked"
    request = wait_for_command(address)
    enter(request, imported)
    return run(request["arguments"])


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
