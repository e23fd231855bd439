"""The generated tree: compared with a golden file, parsed, without a trace of the template language."""

import ast
import filecmp
import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

from gitops_ml.cli import COMMANDS
from repositories import GENERATED, TASKS, bake

GOLDEN = Path(__file__).parent / "golden"
TEXT = {".py", ".toml", ".md", ".json", ".in", ".txt", ".yml", ".yaml", ".conf", ""}
JINJA = re.compile(r"<<\s*cookiecutter|cookiecutter\.(?!json)|<%|%>|<#|#>|^\s*#\s?%", re.MULTILINE)
# Nothing here is rendered, so nothing here may differ from where it lies.
UNRENDERED = (
    ".github/workflows",
    ".github/actions",
    ".github/dependabot.yml",
    "deploy",
    "tests",
    "requirements",
    "Makefile",
)
WHEEL = re.compile(r"gitops_ml-[^/]+\.whl")  # its version names its content
FILES = 65  # a person who opens the repository can read all of it in an evening
# Whose a file is, by its path; the first that fits.
OWNERS = {
    "yours": ("model.toml", "src/", "tests/", "deploy/kubernetes/production/", "deploy/kubernetes/staging/",
              ".github/CODEOWNERS", ".github/actions/login/"),
    "scaffold": (".github/", "deploy/", "Makefile", "pyproject.toml"),
}  # fmt: skip
SPEAKS = {".py", ".yml", ".yaml", ".toml"}  # can say whose it is in its first lines


@pytest.fixture(scope="module", params=TASKS)
def baked(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository of each task."""
    return bake(tmp_path_factory.mktemp(request.param), task=request.param)


def files(root: Path) -> list[Path]:
    """Every file, sorted."""
    return sorted(file for file in root.rglob("*") if file.is_file())


def test_the_tree_is_the_golden_tree(baked: Path) -> None:
    """A file is added or removed only on purpose."""
    task = json.loads((baked / ".cookiecutter.json").read_text())["answers"]["task"]
    tree = "".join(f"{file.relative_to(baked).as_posix()}\n" for file in files(baked))
    assert WHEEL.sub("gitops_ml-VERSION.whl", tree) == (GOLDEN / f"tree-{task}.txt").read_text()


def test_the_repository_is_small_and_contains_no_source_of_the_library(baked: Path) -> None:
    """A wheel, pinned by its hash, and none of its source; no file imports an unstable module."""
    assert len(files(baked)) <= FILES
    assert len(list((baked / "vendor").iterdir())) == 1
    source = {file.name for file in files(baked / "src")}
    assert source == {"__init__.py", "schema.py", "features.py", "estimator.py"}
    code = [file for file in files(baked) if file.suffix == ".py"]
    assert [file for file in code if re.search(r"^\s*(?:import|from) gitops", file.read_text(), re.MULTILINE)] == []


def test_no_trace_of_the_template_is_left(baked: Path) -> None:
    """No tag, no delimiter, no variable in any file or name."""
    traces = [
        f"{file.relative_to(baked)}: {found.group()!r}"
        for file in files(baked)
        if file.suffix in TEXT and "requirements" not in file.parts
        if (found := JINJA.search(file.read_text(encoding="utf-8") + str(file.relative_to(baked))))
    ]
    assert traces == []


def test_the_code_passes_its_own_linter(baked: Path) -> None:
    """`make lint` of a new repository finds nothing: line length, import order and format."""
    ruff = Path(sys.executable).with_name("ruff")
    for command in (["check"], ["format", "--check"]):
        linted = subprocess.run([ruff, *command, "--no-cache", "."], cwd=baked, capture_output=True, text=True)
        assert linted.returncode == 0, linted.stdout + linted.stderr


def test_every_file_parses(baked: Path) -> None:
    """Python, TOML, YAML and JSON, as their own parsers see them."""
    for file in files(baked):
        if file.suffix == ".py":
            ast.parse(file.read_text(encoding="utf-8"))
        elif file.suffix == ".toml":
            tomllib.loads(file.read_text(encoding="utf-8"))
        elif file.suffix in {".yml", ".yaml"}:
            yaml.safe_load(file.read_text(encoding="utf-8"))
        elif file.suffix == ".json":
            json.loads(file.read_text(encoding="utf-8"))


@pytest.mark.parametrize("file", [f for f in files(GENERATED) if f.suffix in {".py", ".toml"}], ids=lambda f: f.name)
def test_every_file_parses_before_it_is_rendered(file: Path) -> None:
    """Tools can read it in the template."""
    ast.parse(file.read_text()) if file.suffix == ".py" else tomllib.loads(file.read_text())


@pytest.mark.parametrize("part", UNRENDERED)
def test_files_that_are_not_rendered_are_copied_byte_for_byte(baked: Path, part: str) -> None:
    """Its values come from model.toml at run time."""
    source = GENERATED / part
    for file in files(source) if source.is_dir() else [source]:
        assert filecmp.cmp(file, baked / file.relative_to(GENERATED), shallow=False)


def test_the_readme_lists_the_owner_of_every_folder(baked: Path) -> None:
    """The annotated tree of the README covers the files at the top and in src."""
    readme = (baked / "README.md").read_text()
    package = json.loads((baked / ".cookiecutter.json").read_text())["answers"]["package_name"]
    shown = readme.split("## Files and folders")[1].split("```")[1]
    named = {path.name for path in baked.iterdir() if not path.name.startswith(".")} - {"README.md", "requirements"}
    named |= {f"src/{package}/", "requirements/*.in", "requirements/gitops.txt", "registry/production.json", ".github/"}
    assert {name for name in named if name not in shown} == set()
    assert set(re.findall(r"^\S.*? {2,}(\w+) ", shown, re.MULTILINE)) == {"yours", "record", "scaffold", "pinned"}


def test_agents_md_lists_the_owner_of_every_file(baked: Path) -> None:
    """AGENTS.md covers the files at the top, in src, in deploy and in requirements; each command in it exists."""
    text = (baked / "AGENTS.md").read_text()
    package = json.loads((baked / ".cookiecutter.json").read_text())["answers"]["package_name"]
    named = {f"{path.name}/" if path.is_dir() else path.name for path in baked.iterdir()
             if not path.name.startswith(".")} - {"requirements/", "src/"}  # fmt: skip
    named |= {f"src/{package}/", "requirements/*.in", "requirements/*.txt", "requirements/gitops.txt", "registry/"}
    assert {name for name in named if name not in text} == set()
    assert {"YOURS", "SCAFFOLD", "RECORD", "PINNED"} <= set(re.findall(r"\b[A-Z]{5,}\b", text))
    targets = set(re.findall(r"^([a-z-]+):", (baked / "Makefile").read_text(), re.MULTILINE))
    assert {
        each for line in re.findall(r"^make ([a-z ]+?)(?: {2,}|$)", text, re.MULTILINE) for each in line.split()
    } <= (targets)
    assert {"lint", "types", "test", "check"} <= set(re.findall(r"[a-z]+", text)) & targets
    assert set(re.findall(r"gitops ([a-z]+)", text)) <= set(COMMANDS)


def test_each_file_names_its_owner_in_the_first_line(baked: Path) -> None:
    """The owner according to its path, in every file that users might change."""
    for file in files(baked):
        path = file.relative_to(baked).as_posix()
        if file.suffix in SPEAKS or file.name in {"CODEOWNERS", "Makefile", "Dockerfile"}:
            whose = next(owner for owner, places in OWNERS.items() if path.startswith(places))
            lines = file.read_text(encoding="utf-8").splitlines()
            first = lines[1] if lines[0].startswith("#:schema") else lines[0]
            assert re.match(rf"# {whose}\b", first), path
