"""The layout of the library: the direction of imports between its packages."""

import ast
from pathlib import Path

import pytest

import gitops_ml

SOURCE = Path(gitops_ml.__file__).parent
PACKAGES = {"training", "registry", "serving", "deploying", "forge", "monitoring", "ingesting", "updating"}
FILES = sorted(SOURCE.rglob("*.py"))


def _imports(file: Path) -> set[str]:
    """Return the packages and root modules of the library that a file imports."""
    imported = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module == "gitops_ml":
            imported |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("gitops_ml."):
            imported.add(str(node.module).split(".")[1])
    return imported


@pytest.mark.parametrize("file", FILES, ids=lambda f: f.relative_to(SOURCE).as_posix())
def test_imports_point_one_way(file: Path) -> None:
    """cli → commands → packages → root modules: a package imports no other package, and root modules import none."""
    part = file.relative_to(SOURCE).parts[0]
    if part in {"cli.py", "commands", "testing.py", "notebook.py"}:
        assert _imports(file).isdisjoint({"cli"})
    elif part in PACKAGES:
        assert _imports(file).isdisjoint((PACKAGES - {part}) | {"commands", "cli", "console"})
    elif part != "__main__.py":
        assert _imports(file).isdisjoint(PACKAGES | {"commands", "cli"})
