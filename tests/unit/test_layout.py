"""The house: imports point one way, and every file says whose it is."""

import ast
from pathlib import Path

import pytest

import gitops_ml

SOURCE = Path(gitops_ml.__file__).parent
ROOMS = {"training", "registry", "serving", "deploying", "forge", "monitoring", "ingesting"}
FILES = sorted(SOURCE.rglob("*.py"))


def _imports(file: Path) -> set[str]:
    """The parts of gitops that a file imports, early or late, as the second word of their names."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module == "gitops_ml":
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("gitops_ml."):
            found.add(str(node.module).split(".")[1])
    return found


@pytest.mark.parametrize("file", FILES, ids=lambda f: f.relative_to(SOURCE).as_posix())
def test_imports_point_one_way(file: Path) -> None:
    """cli → commands → rooms → ground floor: a room imports no other room, the ground floor imports none."""
    place = file.relative_to(SOURCE).parts[0]
    if place in {"cli.py", "commands", "testing.py"}:
        assert _imports(file).isdisjoint({"cli"})
    elif place in ROOMS:
        assert _imports(file).isdisjoint((ROOMS - {place}) | {"commands", "cli", "console"})
    elif place != "__main__.py":
        assert _imports(file).isdisjoint(ROOMS | {"commands", "cli"})
