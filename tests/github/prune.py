"""Create openapi.json: the part of GitHub's OpenAPI document about the implemented operations.

npm pack @octokit/openapi@23.0.2 && tar xzf octokit-openapi-23.0.2.tgz package/generated/api.github.com.json
PYTHONPATH=tests python -m github.prune package/generated/api.github.com.json
"""

import json
import re
import sys
from pathlib import Path
from typing import Any

from . import rest
from .routing import declared_routes

OPENAPI_FILE = Path(__file__).with_name("openapi.json")
# Descriptions for people, and keys for client generators.
DROPPED_KEYS = {
    "description", "summary", "example", "examples", "tags", "externalDocs", "title", "default", "headers",
    "deprecated", "operationId",
}  # fmt: skip


def strip_descriptions(node: Any, names: bool = False) -> Any:
    """Return the node without descriptions; keys below `properties` are names and stay."""
    if isinstance(node, list):
        return [strip_descriptions(item) for item in node]
    if not isinstance(node, dict):
        return node
    kept = {key: value for key, value in node.items() if names or not (key in DROPPED_KEYS or key.startswith("x-"))}
    # GitHub's document omits null from the values of nullable enumerations.
    if kept.get("nullable") is True and isinstance(kept.get("enum"), list) and None not in kept["enum"]:
        kept["enum"] = [*kept["enum"], None]
    return {key: strip_descriptions(value, names=not names and key == "properties") for key, value in kept.items()}


def prune_operation(node: dict[str, Any]) -> dict[str, Any]:
    """Return one operation, with the empty descriptions that OpenAPI requires."""
    kept: dict[str, Any] = strip_descriptions(node)
    kept["responses"] = {status: {"description": "", **response} for status, response in kept["responses"].items()}
    return kept


def find_references(node: Any) -> set[str]:
    """Return the components that a part of the document references."""
    return set(re.findall(r'"\$ref": "#/components/([^"]+)"', json.dumps(node)))


def prune_components(whole: dict[str, Any], pending: set[str]) -> dict[str, dict[str, Any]]:
    """Return the referenced components, and those that these reference."""
    components: dict[str, dict[str, Any]] = {}
    while pending:
        kind, _, name = pending.pop().partition("/")
        if name not in components.setdefault(kind, {}):
            components[kind][name] = strip_descriptions(whole["components"][kind][name])
            if kind == "responses":
                components[kind][name] = {"description": "", **components[kind][name]}
            pending |= find_references(components[kind][name])
    return {kind: dict(sorted(named.items())) for kind, named in sorted(components.items())}


def prune(whole: dict[str, Any]) -> dict[str, Any]:
    """Return only the implemented operations, and the components that they need."""
    assert rest.__all__, "declares the routes"
    paths: dict[str, Any] = {}
    for route in declared_routes():
        node = whole["paths"][route.template][route.method.lower()]
        paths.setdefault(route.template, {})[route.method.lower()] = prune_operation(node)
    info = {"title": whole["info"]["title"], "version": whole["info"]["version"]}
    return {
        "openapi": whole["openapi"],
        "info": info,
        "servers": [{"url": "/"}],
        "paths": dict(sorted(paths.items())),
        "components": prune_components(whole, find_references(paths)),
    }


if __name__ == "__main__":
    document = prune(json.loads(Path(sys.argv[1]).read_text()))
    OPENAPI_FILE.write_text(json.dumps(document, separators=(",", ":")) + "\n")
    print(f"{OPENAPI_FILE}: {len(declared_routes())} operations, {OPENAPI_FILE.stat().st_size / 1e3:.0f} kB")
