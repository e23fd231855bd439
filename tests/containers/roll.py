"""Runs the steps of a compose target in a generated repository's own Python; what each returned comes out as JSON.

Asked by one JSON document on standard input: `root` and `toml` of the repository, `folder` for nginx, `rollout`,
`steps`, and `kill`: after so many effects the process ends as a machine does whose power fails.
"""

import json
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from gitops_ml import config
from gitops_ml.deploying.engine import Engine, find
from gitops_ml.deploying.target import Rollout
from gitops_ml.deploying.targets import compose
from gitops_ml.deploying.targets.front import Front
from gitops_ml.errors import GitopsError
from gitops_ml.monitoring.rules import rules

CHANGES = {"up", "stop", "rm", "kill", "pull"}


def mortal(kill: int) -> None:
    """Let the process die after that many effects."""
    done = 0

    def counted(effect: Callable[..., Any], counts: Callable[..., bool]) -> Callable[..., Any]:
        def called(*args: Any, **kwargs: Any) -> Any:
            nonlocal done
            result = effect(*args, **kwargs)
            done += counts(*args)
            if done == kill:
                os.kill(os.getpid(), signal.SIGKILL)
            return result

        return called

    Engine.call = counted(Engine.call, lambda _, *args: bool(CHANGES & set(args)))  # type: ignore[method-assign]
    Front.point = counted(Front.point, lambda *_: True)  # type: ignore[method-assign]


def main() -> None:
    """Every step in turn."""
    asked = json.load(sys.stdin)
    root = Path(asked["root"])
    repository = config.Repository(root, config.parse(asked["toml"]))
    target = compose.Compose(repository, asked["rollout"]["environment"], find("docker"), Path(asked["folder"]))
    wanted = Rollout(**{**asked["rollout"], "files": Path(asked["rollout"]["files"])})
    steps: dict[str, Callable[[], Any]] = {
        "running": lambda: (found := target.running()) and asdict(found), "start": lambda: target.start(wanted),
        "watch": lambda: target.watch(rules(repository.config.monitoring, root)), "end": target.end,
        "alive": target.alive, "well": target.well, "switch": lambda: target.switch(wanted), "abandon": target.abandon,
    }  # fmt: skip
    if asked["kill"]:
        mortal(asked["kill"])
    try:
        print(json.dumps([steps[step]() for step in asked["steps"]]))
    except GitopsError as error:
        print(json.dumps({"error": str(error)}))


main()
