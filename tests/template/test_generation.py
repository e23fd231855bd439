"""Generating installs the library's wheel, however the template is named, or refuses with one sentence."""

import ast
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

import checkouts
from gitops_ml import wheel
from repositories import TEMPLATE, bake, run

PRE, POST = "pre_gen_project.py", "post_gen_project.py"
# Modules that the hooks import, and that another user may have put beside them.
FOREIGN = ("json", "zipfile", "keyword", "tomllib", "subprocess", "hashlib", "tempfile", "fnmatch", "dataclasses")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A small checkout of the template, called `tpl`."""
    return checkouts.make_small(tmp_path / "here" / "tpl")


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """An empty home and an empty folder for temporary files."""
    made = {"HOME": tmp_path / "home", "TMPDIR": tmp_path / "tmp"}
    for folder in made.values():
        folder.mkdir()
    return {name: str(folder) for name, folder in made.items()}


def generate(folder: Path, environment: Mapping[str, str], *arguments: str, code: int = 0) -> str:
    """Run cookiecutter in a folder, as a shell does."""
    command = (sys.executable, "-m", "cookiecutter", *arguments)
    return run(folder, *command, env={**environment, "PWD": str(folder)}, code=code)


def assert_has_wheel(root: Path, checkout: Path) -> None:
    """Assert that a repository has the wheel of this checkout, and no other, and pins its hash."""
    wanted = wheel.build(checkout)
    assert [file.name for file in (root / "vendor").iterdir()] == [wanted.name]
    assert (root / "vendor" / wanted.name).read_bytes() == wanted.content
    pinned = f"--find-links ../vendor\ngitops-ml=={wanted.version} --hash=sha256:{wanted.digest}\n"
    assert (root / "requirements" / "gitops.txt").read_text() == pinned


@pytest.mark.parametrize(
    ("folder", "typed", "output"),
    [
        ("here", "tpl", ""),
        ("here/tpl", ".", ""),
        ("here/other", "../tpl", ""),
        ("", "here/tpl/", "elsewhere/deep"),
        ("other", "{root}/here/tpl", "../elsewhere"),
    ],
    ids=["a plain name", "the folder itself", "beside", "below, to elsewhere", "an absolute path, to elsewhere"],
)
@pytest.mark.slow
def test_a_folder_is_found_however_it_is_typed(
    tmp_path: Path, checkout: Path, environment: dict[str, str], folder: str, typed: str, output: str
) -> None:
    """`_repo_dir` is the path as typed, but the hook runs in the new repository."""
    start = tmp_path / folder
    start.mkdir(exist_ok=True)
    options = ("--output-dir", output) if output else ()
    generate(start, environment, "--no-input", *options, typed.format(root=tmp_path))
    assert_has_wheel(start / output / "tumour-screening", checkout)


def test_a_folder_of_the_same_name_elsewhere_is_not_taken(
    tmp_path: Path, checkout: Path, environment: dict[str, str]
) -> None:
    """Python changes the working directory, and PWD still names another one with a checkout of the same name."""
    decoy = checkouts.make_small(tmp_path / "decoy" / "tpl", mark=" of another user")
    assert wheel.build(decoy).version != wheel.build(checkout).version
    program = (
        f"import os; os.chdir({str(checkout.parent)!r}); from cookiecutter.main import cookiecutter; "
        f"cookiecutter('tpl', no_input=True, output_dir={str(tmp_path)!r})"
    )
    env = {**environment, "PWD": str(decoy.parent)}
    run(decoy.parent, sys.executable, "-c", program, env=env)
    assert_has_wheel(tmp_path / "tumour-screening", checkout)


@pytest.mark.parametrize("revision", ["main", "v1"])
@pytest.mark.slow
def test_a_git_address_gives_the_revision_that_is_asked_for(
    tmp_path: Path, checkout: Path, environment: dict[str, str], revision: str
) -> None:
    """cookiecutter clones into the home and may use that clone again, at another commit."""
    checkouts.commit(checkout)
    run(checkout, "git", "tag", "v1")
    older = wheel.build(checkout)
    (checkout / "src" / "gitops_ml" / "__init__.py").write_text('"""A newer library."""\n')
    newer = wheel.build(checkout)
    checkouts.commit(checkout, "newer")
    run(tmp_path, "git", "clone", "--quiet", "--bare", str(checkout), "bare.git")
    asked = () if revision == "main" else ("--checkout", revision)
    generate(tmp_path, environment, "--no-input", *asked, f"file://{tmp_path}/bare.git")
    found = (tmp_path / "tumour-screening" / "requirements" / "gitops.txt").read_text()
    assert (newer if revision == "main" else older).requirement in found


@pytest.mark.slow
def test_a_zip_is_a_checkout(tmp_path: Path, checkout: Path, environment: dict[str, str]) -> None:
    """As from GitHub: one top-level folder, without Git."""
    shutil.make_archive(str(tmp_path / "tpl"), "zip", checkout.parent, "tpl")
    generate(tmp_path, environment, "--no-input", "tpl.zip")
    assert_has_wheel(tmp_path / "tumour-screening", checkout)


@pytest.mark.slow
def test_a_replay_takes_the_template_as_it_is_now(tmp_path: Path, checkout: Path, environment: dict[str, str]) -> None:
    """The answers are the recorded ones; the template's path is not recorded."""
    generate(checkout.parent, environment, "--no-input", "tpl", "project_name=Churn")
    moved = tmp_path / "moved" / "tpl"
    moved.parent.mkdir()
    shutil.copytree(checkout, moved)
    (moved / "src" / "gitops_ml" / "__init__.py").write_text('"""A newer library."""\n')
    generate(moved, environment, "--replay", "--output-dir", str(tmp_path), ".")
    assert_has_wheel(tmp_path / "churn", moved)


def test_neither_hook_imports_a_module_from_where_it_runs(
    tmp_path: Path, checkout: Path, environment: dict[str, str]
) -> None:
    """cookiecutter runs them from the folder of temporary files, where another user may have a json.py; the template's
    folder does not change and gets no bytecode."""
    before = {file: file.read_bytes() for file in checkout.rglob("*") if file.is_file()}
    for name in FOREIGN:
        Path(environment["TMPDIR"], f"{name}.py").write_text(f"raise SystemExit('a foreign {name} was imported')\n")
    package = Path(environment["TMPDIR"], "importlib")
    package.mkdir()
    (package / "__init__.py").write_text("raise SystemExit('a foreign importlib was imported')\n")
    generate(checkout.parent, environment, "--no-input", "tpl")
    assert {file: file.read_bytes() for file in checkout.rglob("*") if file.is_file()} == before
    assert_has_wheel(checkout.parent / "tumour-screening", checkout)


@pytest.mark.parametrize(
    "lacks",
    [
        "the name",
        *(pytest.param(file, marks=pytest.mark.slow) for file in ("pyproject.toml", "src/gitops_ml/wheel.py")),
    ],
)
def test_a_folder_that_is_no_checkout_is_refused_in_a_sentence(
    tmp_path: Path, checkout: Path, environment: dict[str, str], lacks: str
) -> None:
    """Only the hooks run, and no file is left."""
    (checkout / "src" / "gitops_ml" / "wheel.py").write_text(
        "raise SystemExit('the builder of a foreign folder ran')\n"
    )
    if lacks == "the name":
        (checkout / "pyproject.toml").write_text('[project]\nname = "another"\n')
    else:
        (checkout / lacks).unlink()
    printed = generate(checkout.parent, environment, "--no-input", "tpl", code=1)
    assert "The template at 'tpl' is not a whole checkout" in printed
    assert not (checkout.parent / "tumour-screening").exists()


def rendered(hook: str, **answers: str) -> str:
    """Return a hook as cookiecutter renders it."""
    asked = json.loads((TEMPLATE / "cookiecutter.json").read_text())
    context = {name: value for name, value in asked.items() if isinstance(value, str)}
    context |= {"task": "classification", "python_version": "3.11", "project_slug": "slug", "package_name": "package"}
    context |= {"maintainer": "octocat"} | answers
    text = (TEMPLATE / "hooks" / hook).read_text().replace("<<cookiecutter|jsonify>>", json.dumps(context))
    for name, value in context.items():
        text = text.replace(f"<<cookiecutter.{name}>>", value)
    assert "<<" not in text
    return text


@pytest.mark.parametrize("hook", [PRE, POST])
def test_an_older_python_can_read_a_hook(hook: str) -> None:
    """A syntax that it does not know would be a traceback instead of a sentence."""
    ast.parse(rendered(hook), feature_version=(3, 8))


def _older() -> dict[str, str]:
    """Return each Python of this machine that is older than the library's, and one that only says so."""
    script = (
        "import sys; sys.version_info = (3, 10); file = sys.argv[1]; exec(compile(open(file).read(), file, 'exec'))"
    )
    found = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"), "versions").glob("3.*/bin/python")
    minors = {int(python.parts[-3].split(".")[1]): str(python) for python in found}
    return {"3.10": script, **{f"3.{minor}": python for minor, python in minors.items() if 6 <= minor < 11}}


@pytest.mark.parametrize("python", [*_older().values()], ids=[*_older()])
def test_an_older_python_is_refused_in_a_sentence(tmp_path: Path, python: str) -> None:
    """The message names the required Python, and the command that installs cookiecutter for it."""
    (tmp_path / PRE).write_text(rendered(PRE))
    command = [python] if Path(python).is_file() else [sys.executable, "-c", python]
    done = subprocess.run([*command, str(tmp_path / PRE)], check=False, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith("The template needs Python 3.11 or newer, and this cookiecutter runs on 3.")
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("found", [True, False], ids=["lsof says where", "only PWD says where"])
def test_without_proc_the_template_is_found_all_the_same(tmp_path: Path, checkout: Path, found: bool) -> None:
    """macOS has no /proc; lsof names the folder that a process works in."""
    text = rendered(POST, _repo_dir="tpl").replace('"/proc"', '"/nowhere"')
    (tmp_path / POST).write_text(text)
    lsof = tmp_path / "bin" / "lsof"
    lsof.parent.mkdir()
    says = f'printf "p$3\\nfcwd\\nn{checkout}\\n"' if found else "exit 1"
    lsof.write_text(f'#!/bin/sh\n[ "$3" = {os.getpid()} ] && {says}\n')
    lsof.chmod(0o755)
    project = tmp_path / "project"
    (project / "requirements").mkdir(parents=True)
    env = {"PATH": f"{lsof.parent}:{os.environ['PATH']}", "PWD": str(tmp_path if found else checkout.parent)}
    run(project, sys.executable, str(tmp_path / POST), env=env)
    assert_has_wheel(project, checkout)


def test_set_up_says_what_is_missing_where_hooks_were_refused(tmp_path: Path, environment: dict[str, str]) -> None:
    """Without the hook there is no library: the message says so, and how to install it."""
    generate(tmp_path, environment, "--no-input", "--accept-hooks", "no", str(TEMPLATE))
    root = tmp_path / "tumour-screening"
    assert not (root / "vendor").exists()
    printed = run(root, "make", "setup", code=2)
    assert "requirements/gitops.txt is missing: cookiecutter did not run the template's hooks" in printed
    assert "cookiecutter --accept-hooks yes" in printed
    assert "Traceback" not in printed


def test_a_repository_has_one_wheel_and_pins_it(tmp_path: Path) -> None:
    """With every default, from this checkout."""
    assert_has_wheel(bake(tmp_path), TEMPLATE)
