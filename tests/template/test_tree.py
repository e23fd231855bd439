"""The tree that is generated: golden, parsed, without a trace of the template's language."""

import ast
import filecmp
import json
import re
import tomllib
from pathlib import Path

import pytest
import yaml
from house import GENERATED, TASKS, bake

GOLDEN = Path(__file__).parent / "golden"
TEXT = {".py", ".toml", ".md", ".json", ".in", ".txt", ".yml", ".yaml", ".conf", ""}
JINJA = re.compile(r"<<\s*cookiecutter|cookiecutter\.(?!json)|<%|%>|<#|#>|^\s*#\s?%", re.MULTILINE)
# Nothing here is rendered, so nothing here may differ from where it lies.
UNRENDERED = (".github/workflows", "deploy", "src/gitops", "tests/gitops", "tests/model", "requirements", "Makefile")


@pytest.fixture(scope="module", params=TASKS)
def baked(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository of each task."""
    return bake(tmp_path_factory.mktemp(request.param), task=request.param)


def files(root: Path) -> list[Path]:
    """Every file, sorted."""
    return sorted(file for file in root.rglob("*") if file.is_file())


def test_the_tree_is_the_golden_tree(baked: Path) -> None:
    """A file that appears or disappears does so on purpose."""
    task = json.loads((baked / ".cookiecutter.json").read_text())["answers"]["task"]
    tree = "".join(f"{file.relative_to(baked).as_posix()}\n" for file in files(baked))
    assert tree == (GOLDEN / f"tree-{task}.txt").read_text()


def test_no_trace_of_the_template_is_left(baked: Path) -> None:
    """No tag, no delimiter, no variable in any file or name."""
    traces = [
        f"{file.relative_to(baked)}: {found.group()!r}"
        for file in files(baked)
        if file.suffix in TEXT and "requirements" not in file.parts
        if (found := JINJA.search(file.read_text(encoding="utf-8") + str(file.relative_to(baked))))
    ]
    assert traces == []


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
    """Tools read it where it lies."""
    ast.parse(file.read_text()) if file.suffix == ".py" else tomllib.loads(file.read_text())


@pytest.mark.parametrize("part", UNRENDERED)
def test_machinery_is_copied_byte_for_byte(baked: Path, part: str) -> None:
    """Its values come from model.toml at run time."""
    source = GENERATED / part
    for file in files(source) if source.is_dir() else [source]:
        assert filecmp.cmp(file, baked / file.relative_to(GENERATED), shallow=False)


def test_the_readme_names_whose_every_folder_is(baked: Path) -> None:
    """The annotated tree of the README covers what lies at the top and in src."""
    readme = (baked / "README.md").read_text()
    package = json.loads((baked / ".cookiecutter.json").read_text())["answers"]["package_name"]
    shown = readme.split("## What lies where")[1].split("```")[1]
    named = {"model.toml", "data/", f"src/{package}/", "tests/model/", "requirements/", "deploy/", "src/gitops/",
             "tests/gitops/", "registry/production.json", "docs/"}  # fmt: skip
    assert {name for name in named if name not in shown} == set()


def test_the_code_says_whose_it_is_in_its_first_line(baked: Path) -> None:
    """yours or machinery, in every file that people might open to change it."""
    for file in files(baked):
        if file.suffix == ".py" or file.name in {"pyproject.toml", "CODEOWNERS", "Makefile"}:
            first = file.read_text(encoding="utf-8").splitlines()[0]
            whose = "machinery" if file.is_relative_to(baked / "src/gitops") or "gitops" in file.parts else None
            assert first.startswith((f"# {whose}",) if whose else ("# yours", "# machinery")), file
