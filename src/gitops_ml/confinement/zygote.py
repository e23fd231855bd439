"""The process that confined processes are forked from: it has imported only trusted libraries, and holds no secret.

    python -I -m gitops_ml.confinement.zygote DESCRIPTOR

It starts with an environment without secrets. It forks one process for each question, and ends all that they leave.
"""

import gc
import importlib
import json
import os
import signal
import socket
import sys
import warnings
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

from gitops_ml.confinement import kernel
from gitops_ml.confinement.barriers import find_open_doors, limit_resources, raise_barriers
from gitops_ml.confinement.channel import Requests
from gitops_ml.confinement.processes import end_descendants

MAX_MESSAGE = 2**20
# Imported once; your code finds them imported.
LIBRARIES = (
    "pandas", "pyarrow", "pandera.pandas", "pandera.backends.pandas.register", "scipy.stats", "sklearn.compose",
    "sklearn.ensemble", "sklearn.linear_model", "sklearn.model_selection", "sklearn.pipeline", "skops.io",
)  # fmt: skip


def main(descriptor: int) -> int:
    """Import the libraries, and fork a process for each request until the judging process ends.

    Args:
        descriptor: Descriptor of the socket to the judging process.

    Returns:
        The exit code.
    """
    prepare()
    with warnings.catch_warnings(action="ignore"):
        for name in LIBRARIES:
            importlib.import_module(name)
    gc.collect()
    gc.freeze()  # otherwise the first collection in each forked process copies the memory of all imported modules
    serve(socket.socket(fileno=descriptor))
    return 0


def prepare() -> None:
    """Let this process inherit orphans, and hide its memory."""
    with suppress(OSError, AttributeError):  # where there is no such call, orphans are not found
        kernel.become_subreaper()
        kernel.hide_memory()


def serve(control: socket.socket) -> None:
    """Obey the judging process until it ends.

    Args:
        control: Socket with one JSON document for each request; a request to fork has two descriptors.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the judging process ends this one
    while True:
        message, descriptors, _, _ = socket.recv_fds(control, MAX_MESSAGE, 2)
        if not message:
            end_descendants()
            return
        request = json.loads(message)
        if request["do"] == "end all":
            answer: dict[str, Any] = {"ended": end_descendants()}
        else:
            child = os.fork()
            if child == 0:
                control.close()
                _run(request, *descriptors)
            for each in descriptors:
                os.close(each)
            answer = {"process": child}
        control.sendall(json.dumps(answer).encode() + b"\n")


def _run(request: dict[str, Any], connection: int, output: int) -> NoReturn:
    """Become a confined process, and answer requests until there are no more."""
    try:
        _enter(request, output)
        requests = Requests(socket.socket(fileno=connection))
        requests.receive()  # the judging process asks for the result of the test of the barriers
        paths = {name: Path(request[name]) if request[name] else None for name in ("data", "runner")}
        doors = find_open_doors(request["judge"], paths["data"], paths["runner"], Path(request["outside"]))
        requests.answer({"open": doors})
        importlib.import_module(request["operations"]).answer_all(requests)
    except BaseException as error:  # it must not return to the zygote's loop
        print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)
        os._exit(1)
    os._exit(0)


def _enter(request: dict[str, Any], output: int) -> None:
    os.setsid()
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    for number in (1, 2):
        os.dup2(output, number)
    os.close(output)
    folder = Path(request["folder"])
    os.environ.clear()
    os.environ.update(request["environment"])
    os.chdir(folder)
    limit_resources()
    with suppress(OSError, AttributeError):
        # Files of this process under /proc belong to its user again, which programs that it starts need.
        kernel.show_memory()
    protected = [Path(request[name]) for name in ("data", "runner", "outside") if request[name]]
    raise_barriers([Path(path) for path in request["readable"]], folder, protected)
    sys.path[:0] = request["imports"]


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])))
