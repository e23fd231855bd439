"""Workflows that spend their time on what a test is about.

How packages are installed is test_demo's matter, where each job does it as on GitHub; CI's look at code is
test_journey's.
"""

import re
from collections.abc import Mapping
from pathlib import Path

from house import bake, edit, pythons, run

# CI's look at code has nothing to say.
CHECKS = ("ruff check .", "ruff format --check .", "mypy", "pytest --quiet")
# Each job links the packages that the real set-up has installed, in a folder that the machine names: whichever lock a
# job asks for, it is a part of that one. The library's wheel must be the one that is installed there.
# What is linked takes a tenth of a second, and what is installed three.
INSTALL = (r"\t\$\(PYTHON\) -m venv .*-r requirements/\$\(LOCK\)\.txt\n", r"""
	cmp requirements/gitops.txt $(READY)/../requirements/gitops.txt
	$(PYTHON) -m venv --without-pip .venv
	ln -s $(READY)/lib/python*/site-packages/* .venv/lib/python*/site-packages/
	ln -s $(READY)/bin/uv $(READY)/bin/ruff .venv/bin/
	cd .venv/bin && for tool in gitops gitops-uv mypy pytest; do \
		sed '1s|.*|#!$(CURDIR)/.venv/bin/python|' $(READY)/bin/$$tool > $$tool && chmod +x $$tool || exit 1; done
""")  # fmt: skip


def ready(folder: Path, env: Mapping[str, str]) -> None:
    """Set up a generated repository as its own Makefile does; its packages are those that jobs link.

    Args:
        folder: Where it is kept.
        env: The caches of the machines that run workflows.
    """
    root = bake(folder / "made").rename(folder / "repository")
    python = pythons()[(root / ".python-version").read_text().strip()]
    run(root, "make", "setup", f"PYTHON={python}", env=env)


def hurry(makefile: Path) -> None:
    """Let the jobs of a generated repository install nothing and look at no code; their machines have READY."""
    link(makefile)
    edit(makefile, {f"\t$(BIN)/{check}\n": "\t@true\n" for check in CHECKS})


def link(makefile: Path) -> None:
    """Let them install nothing."""
    text, count = re.subn(INSTALL[0], lambda _: INSTALL[1].lstrip("\n"), makefile.read_text(), flags=re.DOTALL)
    assert count == 1, f"{makefile} does not set up as it did"
    makefile.write_text(text)
