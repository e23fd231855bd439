"""What the library imports is what it declares: for serving, for training, and for what runs before anything else."""

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
LISTS = {"dependencies": PROJECT["dependencies"], "serve": EXTRAS["serve"], "train": EXTRAS["train"]}
# Declared and imported nowhere, with the reason.
UNSEEN = {"uv": "runs as a program"}
# Imported and declared nowhere, with the reason.
UNDECLARED = {
    "evidently": "has an environment of its own, for it cannot be imported beside the pandas of the locks",
    "pydantic-core": "is the part of pydantic that reads JSON, and pydantic pins it exactly",
    "pytest": "loads gitops_ml.testing; whoever has no pytest never imports it",
}


def declared(*lists: str) -> set[str]:
    """Return the distributions that these lists name."""
    return {str(canonicalize_name(Requirement(each).name)) for name in lists for each in LISTS[name]} - {"gitops-ml"}


def module_of(file: Path) -> str:
    """Return the name of a module of the library."""
    parts = file.relative_to(SOURCE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


FILES = {module_of(file): file for file in sorted(SOURCE.rglob("*.py"))}


@cache
def imports(module: str, late: bool) -> frozenset[str]:
    """Return the modules that one imports; with or without those that its functions import when they run."""
    found = set()
    for node in _statements(ast.parse(FILES[module].read_text(encoding="utf-8")), late):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{module} imports by a relative name"
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return frozenset(found)


def _statements(tree: ast.AST, late: bool) -> Iterator[ast.AST]:
    """Yield every node that runs: not what only a type checker sees, nor, unless late, the bodies of functions."""
    for node in ast.iter_child_nodes(tree):
        checked = isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        if checked or (not late and isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)):
            continue
        yield node
        yield from _statements(node, late)


def reached(*starts: str) -> set[str]:
    """Return the modules of the library that are imported when these are, with their packages."""
    found: set[str] = set()
    waiting = list(starts)
    while waiting:
        module = waiting.pop()
        if module in FILES and module not in found:
            found.add(module)
            waiting += [*imports(module, late=False), module.rpartition(".")[0]]
    return found


def distributions(modules: set[str], late: bool) -> set[str]:
    """Return the distributions that modules import, beside the standard library and this one."""
    roots = {name.split(".")[0] for module in modules for name in imports(module, late)}
    return {_distribution(root) for root in roots - sys.stdlib_module_names - {"gitops_ml"}}


def _distribution(root: str) -> str:
    """Return the distribution that a module comes from; of several that share it, the one that is declared."""
    found = {str(canonicalize_name(name)) for name in _installed().get(root, [root])}
    return min(found & declared(*LISTS) or found)


@cache
def _installed() -> Mapping[str, list[str]]:
    """Return which distributions each module that is installed comes from."""
    return packages_distributions()


def test_everything_that_is_imported_is_declared() -> None:
    """In one of the lists; a package that another one happens to bring is not ours to use."""
    assert distributions(set(FILES), late=True) - declared(*LISTS) == UNDECLARED.keys()


def test_everything_that_is_declared_is_used() -> None:
    """By an import, or for a reason that is written down."""
    assert declared(*LISTS) - distributions(set(FILES), late=True) == set(UNSEEN)


def test_serving_needs_nothing_of_training() -> None:
    """Modules of serving, early or late, and whatever they bring, run with core and `serve` alone."""
    serving = {module for module in FILES if module.startswith("gitops_ml.serving")}
    needed = distributions(serving, late=True) | distributions(reached(*serving), late=False)
    assert needed - declared("dependencies", "serve") - UNDECLARED.keys() == set()
    assert needed & declared("serve")


@pytest.mark.parametrize("module", ["gitops_ml.uv", "gitops_ml.wheel"])
def test_what_runs_before_anything_is_installed_needs_the_standard_library_alone(module: str) -> None:
    """`gitops-uv` installs the rest, and the hook has nothing else."""
    assert distributions(reached(module), late=True) == set()


def test_the_command_starts_with_the_dependencies_alone() -> None:
    """`gitops --help` after `pip install gitops-ml`, without an extra."""
    assert distributions(reached("gitops_ml.cli", "gitops_ml.__main__"), late=False) <= declared("dependencies")


@pytest.mark.parametrize("name", [*LISTS, "test"])
def test_requirements_are_sorted_and_have_the_oldest_version_that_will_do(name: str) -> None:
    """And no newest: that is what locks are for, and a bound here would stop an update of yours."""
    found = {**LISTS, **EXTRAS}[name]
    assert found == sorted(found, key=lambda each: canonicalize_name(Requirement(each).name))
    assert [each for each in found if not re.fullmatch(r"[a-z0-9-]+>=[0-9.]+|gitops-ml\[[a-z]+\]", each)] == []


def test_a_package_is_declared_once() -> None:
    """`train` holds `serve`."""
    assert "gitops-ml[serve]" in EXTRAS["train"]
    assert declared("dependencies") & declared("serve", "train") == set()
    assert declared("serve") & declared("train") == set()
