"""Process that runs commands of a generated repository one after another with its own Python, so that a test that runs
many of them waits for the imports once. Each input line requests a command, each output line has its result (JSON).

It differs from a fresh process: imported modules stay, the pauses that GitHub asks of API clients are left out, and a
retry follows at once.
"""

import contextlib
import io
import json
import os
import sys
from typing import Any

from gitops_ml.cli import main
from gitops_ml.commands import retries
from gitops_ml.forge import github

PATH = list(sys.path)
github.WRITE_INTERVAL = 0.0
retries.WAIT = 0.0


def run(asked: dict[str, Any]) -> dict[str, Any]:
    """Run one command in the requested folder and environment."""
    os.environ.clear()
    os.environ.update(asked["env"])
    os.chdir(asked["folder"])
    # The user's package may have changed since, or be in another folder.
    sys.path[:] = PATH
    for name in [name for name in sys.modules if name.split(".")[0] == asked["package"]]:
        del sys.modules[name]
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main(asked["arguments"])
    return {"code": code, "out": out.getvalue(), "err": err.getvalue()}


for line in sys.stdin:
    print(json.dumps(run(json.loads(line))), file=sys.__stdout__, flush=True)
