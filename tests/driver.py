"""Runs a generated repository's commands one after another in one process of its own Python, so that a test that runs
many of them waits for the imports once. Each line in asks for a command, each line out says how it ended (JSON).

What differs from a fresh process: imported modules stay, the pauses that GitHub asks of programs are left out, and a
retry comes at once.
"""

import contextlib
import io
import json
import os
import sys
from typing import Any

from gitops_ml.cli import main
from gitops_ml.commands import anew
from gitops_ml.forge import github

PATH = list(sys.path)
github.PAUSE = 0.0
anew.WAIT = 0.0


def run(asked: dict[str, Any]) -> dict[str, Any]:
    """One command, in the folder and with the environment that were asked for."""
    os.environ.clear()
    os.environ.update(asked["env"])
    os.chdir(asked["folder"])
    # Your code may have changed since, or lie elsewhere.
    sys.path[:] = PATH
    for name in [name for name in sys.modules if name.split(".")[0] == asked["package"]]:
        del sys.modules[name]
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main(asked["arguments"])
    return {"code": code, "out": out.getvalue(), "err": err.getvalue()}


for line in sys.stdin:
    print(json.dumps(run(json.loads(line))), file=sys.__stdout__, flush=True)
