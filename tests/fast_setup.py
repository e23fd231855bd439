"""Fast setup of workflow jobs in tests that are about something else.

test_demo tests the installation of packages, which each job does as on GitHub, commands that import what they need, and
CI's checks of style and types; test_private_repository tests CI's run of the user's tests.
"""

import os
import re
import subprocess
import tempfile
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from repositories import bake, find_pythons, replace_in_file, run

FORK_CLIENT = Path(__file__).with_name("fork_client.py")
# CI's checks of code, which are skipped.
CHECKS_OF_STYLE = ("ruff check .", "ruff format --check .", "mypy")
CHECKS = (*CHECKS_OF_STYLE, "pytest --quiet")
# Each job links the packages that one real setup has installed, in the folder READY. Every lock is a part of the lock
# that was installed there, and the library's wheel must be the same. Linking takes 0.1 seconds, installing 3. Commands
# run in processes that a server forks, which has done the imports: they take 1 to 4 seconds of a processor.
INSTALL = (r"\t\$\(PYTHON\) -m venv .*-r requirements/\$\(LOCK\)\.txt\n", r"""
	cmp requirements/gitops.txt $(READY)/../requirements/gitops.txt
	$(PYTHON) -m venv --without-pip .venv
	ln -s $(READY)/lib/python*/site-packages/* .venv/lib/python*/site-packages/
	ln -s $(READY)/bin/uv $(READY)/bin/ruff .venv/bin/
	cd .venv/bin && for tool in gitops-uv mypy pytest; do \
		sed '1s|.*|#!$(CURDIR)/.venv/bin/python|' $(READY)/bin/$$tool > $$tool && chmod +x $$tool || exit 1; done
	printf '#!/bin/sh\nexec $(READY)/bin/python -IS $(FORK_CLIENT) $(FORK_SERVER) $(CURDIR)/.venv/bin/python "$$@"\n' \
		> .venv/bin/gitops && chmod +x .venv/bin/gitops
""")  # fmt: skip


def set_up_once(folder: Path, env: Mapping[str, str]) -> None:
    """Set up a generated repository with its own Makefile; jobs link its packages.

    Args:
        folder: Folder of the repository.
        env: Variables of the package caches.
    """
    root = bake(folder / "made").rename(folder / "repository")
    python = find_pythons()[(root / ".python-version").read_text().strip()]
    run(root, "make", "setup", f"PYTHON={python}", env=env)


def skip_setup_and_checks(makefile: Path) -> None:
    """Change a generated repository's jobs to install nothing and to check no code; they need `start_fork_server`."""
    link_installed_packages(makefile, skipped=CHECKS)


def link_installed_packages(makefile: Path, skipped: Collection[str]) -> None:
    """Change the jobs to link installed packages instead of installing them, and to skip some checks."""
    text, count = re.subn(INSTALL[0], lambda _: INSTALL[1].lstrip("\n"), makefile.read_text(), flags=re.DOTALL)
    assert count == 1, f"{makefile} has another setup recipe than this module expects"
    makefile.write_text(text)
    replace_in_file(makefile, {f"\t$(BIN)/{check}\n": "\t@true\n" for check in skipped})


@contextmanager
def start_fork_server(ready: Path) -> Iterator[dict[str, str]]:
    """Start the server that runs the jobs' commands; yield the environment variables of the jobs.

    Args:
        ready: Environment with the installed packages, `.venv` of the repository that `set_up_once` made.
    """
    with _fork_server(ready / "bin" / "python", "commands") as address:
        yield {"READY": str(ready), "FORK_SERVER": address, "FORK_CLIENT": str(FORK_CLIENT)}


@contextmanager
def fork_prediction_servers(environment: Path) -> Iterator[None]:
    """Let the Python of an environment of servers fork them from a process that has done their imports.

    A server's imports take two seconds of a processor. The client of the fork server has the command line of the
    server, so that the target "process" finds, signals and kills it like the server itself.

    Args:
        environment: Virtual environment that a deployment has installed; its only use is `python -m gitops_ml.serving`.
    """
    python = environment / "bin" / "python"
    real = python.rename(python.with_name("real-python"))
    try:
        with _fork_server(real, "serving") as address:
            python.write_text(f'#!/bin/sh\nexec {real} -IS {FORK_CLIENT} {address} {real} "$@"\n')
            python.chmod(0o755)
            yield
    finally:
        real.rename(python)


@contextmanager
def _fork_server(python: Path, kind: str) -> Iterator[str]:
    """Start a fork server with a Python, and yield its address."""
    with tempfile.TemporaryDirectory(prefix="gitops-") as scratch:  # an address must be short
        address = Path(scratch, "commands")
        command = [str(python), str(FORK_CLIENT.with_name("fork_server.py")), str(address), kind]
        # With the variables that this process's imports have set, the server could not tell what its own imports set.
        env = {"PATH": os.environ["PATH"], "HOME": scratch}
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=env) as server:
            assert server.stdin
            assert server.stdout
            assert server.stdout.readline() == "ready\n"
            yield str(address)
            server.stdin.close()
