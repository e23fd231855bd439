"""Setup and locks of a generated repository: behind a company's proxy, and without a trace of the proxy."""

import os
import re
import sys
from pathlib import Path

import pytest
import uv as installed_uv

from checkouts import commit
from gitops_ml import wheel
from gitops_ml.locks import covered, read_pins
from package_index import PackageIndex, package
from repositories import GENERATED, TEMPLATE, bake, run

# uv's wheel is large: this one runs the uv that tests have.
UV = f"""
import os
import sys

os.environ["PYTHONPATH"] = {str(Path(installed_uv.__file__).parents[1])!r}
os.execv({sys.executable!r}, [{sys.executable!r}, "-m", "uv", *sys.argv[1:]])
"""


@pytest.mark.slow
def test_set_up_works_where_only_pip_knows_index_and_certificate(tmp_path: Path) -> None:
    """`make setup`, as the Makefile has it, with locks of one package each from a company's index."""
    root, home = tmp_path / "repository", tmp_path / "home"
    (root / "requirements").mkdir(parents=True)
    (root / "Makefile").write_bytes((GENERATED / "Makefile").read_bytes())
    wheel.write(wheel.build(TEMPLATE), root)
    with PackageIndex(tmp_path / "mirror") as mirror:
        stub = package("uv", "9.0", {"uv/__init__.py": "", "uv/__main__.py": UV})
        (root / "requirements" / "build.txt").write_text(mirror.add("uv", stub, version="9.0") + "\n")
        (root / "requirements" / "dev.txt").write_text(mirror.add("alpha", package("alpha")) + "\n")
        settings = home / ".config" / "pip" / "pip.conf"
        settings.parent.mkdir(parents=True)
        settings.write_text(f"[global]\nindex-url = {mirror.index()}\ncert = {mirror.ca}\n")
        # Nothing of this machine: its settings, its certificates, its caches.
        alone = ["env", "-i", f"PATH={os.environ['PATH']}", f"HOME={home}"]
        run(root, *alone, "make", "setup", f"PYTHON={sys.executable}")
    assert run(root, ".venv/bin/python", "-c", "import alpha; print(alpha.NAME)") == "alpha\n"
    about = "import importlib.metadata as m; print(m.version('gitops-ml'))"
    assert run(root, ".venv/bin/python", "-c", about) == f"{wheel.build(TEMPLATE).version}\n"


def test_the_templates_locks_satisfy_the_library() -> None:
    """The packages of its extras are pinned, in versions that it accepts."""
    row = covered.run(GENERATED)
    assert (row.verdict, row.text) == ("ok", covered.expectation)


@pytest.mark.slow
def test_locks_name_neither_the_library_nor_a_host(tmp_path: Path) -> None:
    """`make lock` pins the newest packages; each lock is a part of the next larger one, and all satisfy the library."""
    root = bake(tmp_path)
    commit(root)
    run(root, sys.executable, "-m", "venv", "--without-pip", ".venv")
    install = (sys.executable, "-m", "gitops_ml.uv", "pip", "install", "--quiet", "--python", ".venv/bin/python")
    run(root, *install, "--no-deps", "-r", "requirements/build.txt", "-r", "requirements/gitops.txt")
    (root / ".venv" / "dev").touch()
    run(root, "make", "lock")
    found = {name: read_pins(root / "requirements" / f"{name}.txt") for name in ("build", "serve", "train", "dev")}
    text = "".join(file.read_text() for file in (root / "requirements").glob("*.txt") if file.name != "gitops.txt")
    assert re.findall(r"^gitops-ml.*|.*://.*|^-.*", text, re.MULTILINE) == []
    assert covered.run(root).verdict == "ok"
    assert set(found["build"]) == {"uv"}
    assert all(found["train"][name] == versions for name, versions in found["serve"].items())
    assert all(found["dev"][name] == versions for part in ("build", "train") for name, versions in found[part].items())
    assert "requirements/gitops.txt" not in run(root, "git", "status", "--short")
