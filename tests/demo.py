"""`make demo`: generate a repository from the template and run its loop on real data, on this machine.

Every verdict that is told was read from the command's own result; when one is not what the story says, the demo stops
and names it.
"""

import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from cookiecutter.main import cookiecutter

TEMPLATE = Path(__file__).parents[1]
FOLDER = TEMPLATE / ".demo"
DATA = "data/breast_cancer.csv"
FEATURES = "src/tumour_screening/features.py"
START = '    "mean_radius",\n    "mean_texture",\n    "mean_smoothness",\n'
PERSON = {f"GIT_{role}_{what}": value for role in ("AUTHOR", "COMMITTER")
          for what, value in (("NAME", "Ada"), ("EMAIL", "ada@example.com"))}  # fmt: skip


class NotAsTold(Exception):
    """A command ended otherwise than the story says."""


@dataclass
class Demo:
    """A generated repository, and what its commands said."""

    root: Path
    outputs: dict[str, str] = field(default_factory=dict)

    def run(self, *command: str, expect: int = 0) -> None:
        """Show a command, run it, and insist on its exit code."""
        shown = " ".join(command).replace(".venv/bin/", "")
        print(f"\n{_dim('$')} {_bold(shown)}", flush=True)
        result = FOLDER / "outputs"
        result.write_text("")
        env = {
            **os.environ,
            **PERSON,
            "GITHUB_OUTPUT": str(result),
            "MAKEFLAGS": "",
            "COLUMNS": os.environ.get("COLUMNS", "110"),
        }
        code = subprocess.run(command, cwd=self.root, env=env, check=False).returncode
        self.outputs = dict(line.split("=", 1) for line in result.read_text().splitlines())
        if code != expect:
            raise NotAsTold(f"`{shown}` ended with exit code {code}, not {expect}.")

    def gitops(self, *arguments: str, expect: int = 0) -> None:
        """Run one of the repository's own commands."""
        self.run(".venv/bin/gitops", *arguments, expect=expect)

    def commit(self, message: str) -> None:
        """Commit everything, and push it as a person would."""
        self.run("git", "commit", "--quiet", "--all", "--message", message)
        self.run("git", "push", "--quiet", "origin", "main")

    def features(self, columns: str) -> None:
        """Rewrite the list of columns that the pipeline sees."""
        file = self.root / FEATURES
        text = file.read_text()
        start, end = text.index("COLUMNS = [\n") + len("COLUMNS = [\n"), text.index("]\n")
        file.write_text(text[:start] + columns + text[end:])

    def compare(self, verdict: str) -> None:
        """Train, register and compare what is committed, and insist on the verdict that `compare` gives out."""
        for step in ("train", "register", "compare"):
            self.gitops(step)
        if self.outputs["verdict"] != verdict:
            raise NotAsTold(f"`gitops compare` says {self.outputs['verdict']!r}, not {verdict!r}.")

    def merge(self) -> None:
        """Merge the proposal, as a person who has read it, and let the aliases follow."""
        self.run("git", "--no-pager", "show", "--stat", "--format=%s%n%n%b", "promote/production")
        self.run("git", "merge", "--quiet", "--no-ff", "--no-edit", "promote/production")
        self.run("git", "push", "--quiet", "origin", "main")
        self.gitops("reconcile")


def generate() -> Demo:
    """A repository from the template with every default answer, and a bare Git remote beside it."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir()
    root = Path(cookiecutter(str(TEMPLATE), no_input=True, output_dir=str(FOLDER)))
    demo = Demo(root)
    demo.run("git", "init", "--quiet", "--initial-branch", "main")
    demo.run("git", "init", "--quiet", "--bare", "--initial-branch", "main", "../remote.git")
    demo.run("git", "remote", "add", "origin", "../remote.git")
    demo.run("git", "add", "--all")
    demo.commit("Start from the template")
    demo.run("make", "setup", f"PYTHON={sys.executable}")
    return demo


def break_data(demo: Demo) -> None:
    """Spoil three values of the data, as a bad export would."""
    file = demo.root / DATA
    lines = file.read_text().splitlines()
    cells = lines[1].split(",")
    lines[1] = ",".join([cells[0], "-17.99", *cells[2:]])
    cells = lines[2].split(",")
    lines[2] = ",".join([*cells[:-1], "unknown"])
    lines[3] = lines[2]
    file.write_text("\n".join(lines) + "\n")


def tell(title: str, text: str) -> None:
    """A heading and a sentence."""
    print(f"\n{_bold('━' * 100)}\n{_bold(title)}\n{text}", flush=True)


def story() -> None:
    """The loop, from an empty folder to the second champion."""
    began = time.monotonic()
    tell("1. Generate", "One template, every default answer; the remote is a folder beside it, so nothing leaves here.")
    demo = generate()

    tell("2. Validate", "569 rows of real data keep the schema that pandera checks.")
    demo.gitops("validate")
    tell("   ... and a bad export does not", "All problems at once; exit code 4; nothing is trained.")
    break_data(demo)
    demo.gitops("validate", expect=4)
    demo.run("git", "restore", DATA)

    tell("3. The first champion", "No champion yet, so the floor and the baseline decide, at their defaults.")
    demo.compare("promote")
    demo.gitops("promote", "--local")
    demo.merge()

    tell("4. A worse model", f"Somebody leaves the pipeline a single column. {FEATURES} changes, nothing else.")
    demo.features('    "mean_radius",\n')
    demo.commit("Simplify the features")
    demo.compare("refuse")
    tell("   ... is not proposed", "The gates said no; promote ends with exit code 6 and makes no branch.")
    demo.gitops("promote", "--local", expect=6)

    tell("5. A better model", "Somebody adds what the tumour looks like at its worst.")
    demo.features(START + '    "worst_radius",\n    "worst_texture",\n    "worst_concave_points",\n')
    demo.commit("Look at the worst cells too")
    demo.compare("promote")
    demo.gitops("promote", "--local")
    demo.merge()

    tell("6. Who served when", "From Git alone: the record on main, and who merged it.")
    demo.gitops("history")
    demo.gitops("store", "status")
    where = demo.root.relative_to(Path.cwd()) if demo.root.is_relative_to(Path.cwd()) else demo.root
    tell(f"Done in {time.monotonic() - began:.0f} s", f"Look around: cd {where} && .venv/bin/gitops ui")


def _bold(text: str) -> str:
    return f"\033[1m{text}\033[0m" if sys.stdout.isatty() else text


def _dim(text: str) -> str:
    return f"\033[2m{text}\033[0m" if sys.stdout.isatty() else text


if __name__ == "__main__":
    try:
        story()
    except NotAsTold as stopped:
        sys.exit(f"\nThe demo stopped: {stopped}")
