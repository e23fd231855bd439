"""Run the steps of a compose target in a generated repository's own Python; the results are printed as JSON.

The input is one JSON document: `root` and `toml` of the repository, `folder` for nginx, `rollout`, `steps`, and `kill`,
the number of effects after which the process kills itself.
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
from gitops_ml.deploying.engine import Engine, find_engine
from gitops_ml.deploying.target import Rollout
from gitops_ml.deploying.targets import compose
from gitops_ml.deploying.targets.reverse_proxy import ReverseProxy
from gitops_ml.errors import GitopsError
from gitops_ml.monitoring.alert_rules import render_alert_rules

CHANGES = {"up", "stop", "rm", "kill", "pull"}


def mortal(kill: int) -> None:
    """Kill the process after that many effects."""
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
    ReverseProxy.route_to = counted(ReverseProxy.route_to, lambda *_: True)  # type: ignore[method-assign]


def main() -> None:
    """Run every step in turn."""
    asked = json.load(sys.stdin)
    root = Path(asked["root"])
    repository = config.Repository(root, config.parse_config(asked["toml"]))
    target = compose.Compose(repository, asked["rollout"]["environment"], find_engine("docker"), Path(asked["folder"]))
    wanted = Rollout(**{**asked["rollout"], "files": Path(asked["rollout"]["files"])})
    steps: dict[str, Callable[[], Any]] = {
        "running": lambda: (found := target.running()) and asdict(found), "start": lambda: target.start(wanted),
        "watch": lambda: target.start_monitoring(render_alert_rules(repository.config.monitoring, root)),
        "alive": target.is_alive, "well": target.is_ready, "switch": lambda: target.switch(wanted),
        "abandon": target.discard, "end": target.stop,
    }  # fmt: skip
    if asked["kill"]:
        mortal(asked["kill"])
    try:
        print(json.dumps([steps[step]() for step in asked["steps"]]))
    except GitopsError as error:
        print(json.dumps({"error": str(error)}))


main()
