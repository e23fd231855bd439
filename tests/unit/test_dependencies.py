"""The library's imports match its declared dependencies: for serving, for training, and for the installation."""

import ast
import re
import sys
import tomllib
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import gitops_ml
from unit.sample import ROOT

SOURCE = Path(gitops_ml.__file__).parent
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS: dict[str, list[str]] = PROJECT["optional-dependencies"]
LISTS = {"dependencies": PROJECT["dependencies"], **{name: EXTRAS[name] for name in ("serve", "train", "update")}}
# Declared but not imported, with the reason.
NOT_IMPORTED = {"uv": "runs as a program"}
# Imported but not declared, with the reason.
UNDECLARED = {
    "evidently": "has an environment of its own, for it does not work with the pandas of the locks",
    "pydantic-core": "is a part of pydantic, which pins it exactly",
    "pytest": "loads gitops_ml.testing, which is not imported otherwise",
}


def declared(*lists: str) -> set[str]:
    """Return the distributions that these lists name."""
    return {str(canonicalize_name(Requirement(each).name)) for name in lists for each in LISTS[name]} - {"gitops-ml"}


def module_name(file: Path) -> str:
    """Return the name of a module of the library."""
    parts = file.relative_to(SOURCE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


FILES = {module_name(file): file for file in sorted(SOURCE.rglob("*.py"))}


@cache
def imports(module: str, late: bool) -> frozenset[str]:
    """Return the imports of a module, with those inside of functions if `late`."""
    imported = set()
    for node in _statements(ast.parse(FILES[module].read_text(encoding="utf-8")), late):
        if isinstance(node, ast.Import):
            imported |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{module} imports by a relative name"
            imported |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return frozenset(imported)


def _statements(tree: ast.AST, late: bool) -> Iterator[ast.AST]:
    """Yield the nodes that run: without TYPE_CHECKING blocks, and without the bodies of functions unless `late`."""
    for node in ast.iter_child_nodes(tree):
        type_checking = isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        if type_checking or (not late and isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)):
            continue
        yield node
        yield from _statements(node, late)


def imported_with(*starts: str) -> set[str]:
    """Return the modules of the library that are imported together with these modules."""
    modules: set[str] = set()
    queue = list(starts)
    while queue:
        module = queue.pop()
        if module in FILES and module not in modules:
            modules.add(module)
            queue += [*imports(module, late=False), module.rpartition(".")[0]]
    return modules


def distributions(modules: set[str], late: bool) -> set[str]:
    """Return the distributions that modules import, except the standard library and this library."""
    roots = {name.split(".")[0] for module in modules for name in imports(module, late)}
    return {_distribution(root) for root in roots - sys.stdlib_module_names - {"gitops_ml"}}


def _distribution(root: str) -> str:
    """Return the distribution of a module; if several have it, the declared one."""
    names = {str(canonicalize_name(name)) for name in _installed().get(root, [root])}
    return min(names & declared(*LISTS) or names)


@cache
def _installed() -> Mapping[str, list[str]]:
    """Return the distributions of each installed module."""
    return packages_distributions()


def test_everything_that_is_imported_is_declared() -> None:
    """The library does not import packages that only other packages depend on."""
    assert distributions(set(FILES), late=True) - declared(*LISTS) == UNDECLARED.keys()


def test_everything_that_is_declared_is_used() -> None:
    """Each is imported, or listed with a reason."""
    assert declared(*LISTS) - distributions(set(FILES), late=True) == set(NOT_IMPORTED)


def test_serving_needs_nothing_of_training() -> None:
    """Modules of serving, and the modules that they import, need the core dependencies and `serve` only."""
    serving = {module for module in FILES if module.startswith("gitops_ml.serving")}
    imported = distributions(serving, late=True) | distributions(imported_with(*serving), late=False)
    assert imported - declared("dependencies", "serve") - UNDECLARED.keys() == set()
    assert imported & declared("serve")


@pytest.mark.parametrize("module", ["gitops_ml.uv", "gitops_ml.wheel"])
def test_the_installation_needs_the_standard_library_only(module: str) -> None:
    """`gitops-uv` installs all other packages, and cookiecutter's hook has none of them."""
    assert distributions(imported_with(module), late=True) == set()


def test_an_update_needs_nothing_of_training() -> None:
    """The new library merges in an environment with the core dependencies and `update` only."""
    updating = {module for module in FILES if module.startswith("gitops_ml.updating")}
    imported = distributions(updating, late=True) | distributions(imported_with(*updating), late=False)
    assert imported <= declared("dependencies", "update")
    assert "cookiecutter" in imported


def test_the_command_starts_without_extras() -> None:
    """`gitops --help` works after `pip install gitops-ml`."""
    assert distributions(imported_with("gitops_ml.cli", "gitops_ml.__main__"), late=False) <= declared("dependencies")


@pytest.mark.parametrize("name", [*LISTS, "test"])
def test_requirements_are_sorted_and_have_a_minimum_version(name: str) -> None:
    """They have no maximum version, which would prevent updates of users; locks pin exact versions."""
    requirements = {**LISTS, **EXTRAS}[name]
    assert requirements == sorted(requirements, key=lambda each: canonicalize_name(Requirement(each).name))
    assert [each for each in requirements if not re.fullmatch(r"[a-z0-9-]+>=[0-9.]+|gitops-ml\[[a-z]+\]", each)] == []


def test_a_package_is_declared_once() -> None:
    """`train` includes `serve`."""
    assert "gitops-ml[serve]" in EXTRAS["train"]
    assert declared("dependencies") & declared("serve", "train") == set()
    assert declared("serve") & declared("train") == set()
