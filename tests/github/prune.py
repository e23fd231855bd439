"""Make openapi.json anew: what GitHub's OpenAPI says of the operations that we answer.

npm pack @octokit/openapi@23.0.2 && tar xzf octokit-openapi-23.0.2.tgz package/generated/api.github.com.json
PYTHONPATH=tests python -m github.prune package/generated/api.github.com.json
"""

import json
import re
import sys
from pathlib import Path
from typing import Any

from . import rest
from .routing import declared

HERE = Path(__file__).with_name("openapi.json")
# Words for people, and what only generators of clients read.
NOISE = {
    "description", "summary", "example", "examples", "tags", "externalDocs", "title", "default", "headers",
    "deprecated", "operationId",
}  # fmt: skip


def quiet(node: Any, names: bool = False) -> Any:
    """The same without words for people; below `properties` the keys are names and stay."""
    if isinstance(node, list):
        return [quiet(item) for item in node]
    if not isinstance(node, dict):
        return node
    kept = {key: value for key, value in node.items() if names or not (key in NOISE or key.startswith("x-"))}
    # GitHub means null to be among the values of what may be null, and forgets to say so.
    if kept.get("nullable") is True and isinstance(kept.get("enum"), list) and None not in kept["enum"]:
        kept["enum"] = [*kept["enum"], None]
    return {key: quiet(value, names=not names and key == "properties") for key, value in kept.items()}


def operation(node: dict[str, Any]) -> dict[str, Any]:
    """One operation, with the bare words that OpenAPI insists on."""
    kept: dict[str, Any] = quiet(node)
    kept["responses"] = {status: {"description": "", **answer} for status, answer in kept["responses"].items()}
    return kept


def references(node: Any) -> set[str]:
    """Whatever a part of the document points at."""
    return set(re.findall(r'"\$ref": "#/components/([^"]+)"', json.dumps(node)))


def components(whole: dict[str, Any], wanted: set[str]) -> dict[str, dict[str, Any]]:
    """The components that are pointed at, and those that they point at."""
    found: dict[str, dict[str, Any]] = {}
    while wanted:
        kind, _, name = wanted.pop().partition("/")
        if name not in found.setdefault(kind, {}):
            found[kind][name] = quiet(whole["components"][kind][name])
            if kind == "responses":
                found[kind][name] = {"description": "", **found[kind][name]}
            wanted |= references(found[kind][name])
    return {kind: dict(sorted(named.items())) for kind, named in sorted(found.items())}


def pruned(whole: dict[str, Any]) -> dict[str, Any]:
    """Only the operations that we answer, and what they need."""
    assert rest.__all__, "declares the routes"
    paths: dict[str, Any] = {}
    for route in declared():
        node = whole["paths"][route.template][route.method.lower()]
        paths.setdefault(route.template, {})[route.method.lower()] = operation(node)
    info = {"title": whole["info"]["title"], "version": whole["info"]["version"]}
    return {
        "openapi": whole["openapi"],
        "info": info,
        "servers": [{"url": "/"}],
        "paths": dict(sorted(paths.items())),
        "components": components(whole, references(paths)),
    }


if __name__ == "__main__":
    document = pruned(json.loads(Path(sys.argv[1]).read_text()))
    HERE.write_text(json.dumps(document, separators=(",", ":")) + "\n")
    print(f"{HERE}: {len(declared())} operations, {HERE.stat().st_size / 1e3:.0f} kB")
