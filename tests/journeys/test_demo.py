"""A new user's first steps: clone the template into an empty home, and run `make demo`."""

import json
import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path

from repositories import TEMPLATE, run

STEPS = (
    "✓ Train / train",
    "#1 Promote tumour-screening version 1 to production",
    "Version 1 can be promoted",
    "Check `required`: success",
    "✓ Deploy / deploy",
    "/predict",
    '"version":"1"',
    "Version 2 is refused by the gate",
    "No pull request was opened",
    "#2 Promote tumour-screening version 3 to production",
    "✗ CI / data",
    "rule(s) violated in 569 rows",
    '"version":"3"',
    "✓ Roll back / rollback",
    '"version":"1"',
    "Roll back tumour-screening from version 3 to version 1 in production",
    "Versions that were to serve in production",
    "1.1.0",
    "versions that serve, according to main at",
    "used by runs in 30 days",
    "/docs",
    "status.html",
)


def test_the_demo_runs_from_a_fresh_clone_in_an_empty_home(tmp_path: Path) -> None:
    """It sets itself up, prints its steps in order, and leaves no process running."""
    clone, home = tmp_path / "clone", tmp_path / "home"
    home.mkdir()
    _as_a_clone_would_be(clone)
    env = {name: value for name, value in os.environ.items() if not name.startswith(("VIRTUAL_ENV", "UV_", "XDG_"))}
    done = subprocess.run(
        ["make", "demo"], cwd=clone, env={**env, "HOME": str(home)}, check=False, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-6000:]
    position = 0
    for text in STEPS:
        position = done.stdout.find(text, position)
        assert position >= 0, text
    assert "Traceback" not in done.stdout
    _every_curl_can_be_pasted(done.stdout)
    running = subprocess.run(["pgrep", "--full", str(clone)], capture_output=True, text=True, check=False).stdout
    assert running == ""
    assert "Done in" in done.stdout


def _every_curl_can_be_pasted(output: str) -> None:
    """Each is a whole command with a JSON body."""
    commands = re.findall(r"^.*\bcurl .*$", re.sub(r"\x1b\[[0-9;]*m", "", output), re.MULTILINE)
    assert commands
    for command in commands:
        _, program, url, option, body = shlex.split(command)
        assert (program, option) == ("curl", "--json")
        assert url.endswith("/predict")
        assert json.loads(body)["rows"]


def _as_a_clone_would_be(clone: Path) -> None:
    """Copy the files that Git tracks or would add, without ignored files."""
    for name in run(TEMPLATE, "git", "ls-files", "-z", "--cached", "--others", "--exclude-standard").split("\0"):
        if name and (TEMPLATE / name).is_file():
            (clone / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(TEMPLATE / name, clone / name)
    run(clone, "git", "init", "--quiet")
