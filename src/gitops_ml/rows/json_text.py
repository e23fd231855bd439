"""JSON whose objects have each key once: a parser keeps the last of several values without a word."""

import json
from typing import Any


class RepeatedKey(ValueError):
    """An object of a JSON document has a key several times."""


def parse_json(content: bytes) -> Any:
    """Return the document of a JSON text without infinite numbers.

    Args:
        content: JSON in UTF-8.

    Raises:
        RepeatedKey: An object has a key several times.
        ValueError: It is not valid JSON.
    """
    from pydantic_core import from_json

    document = from_json(content, allow_inf_nan=False)
    # Outside of texts, each colon is a key. Counting is faster than a parser that looks at each key.
    colons = content.count(b":")
    has_each_key_once = colons == _count_keys(document) or (b"\\" not in content and colons == _count_colons(document))
    if not has_each_key_once:
        json.loads(content, object_pairs_hook=unique_keys)
    return document


def unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object of JSON; hook of the standard library's parser.

    Args:
        pairs: Keys and values.

    Raises:
        RepeatedKey: A key is there several times.
    """
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        repeated = next(name for name in names if names.count(name) > 1)
        raise RepeatedKey(f"the key {repeated[:100]!r} is {names.count(repeated)} times in one object")
    return found


def _count_keys(document: Any) -> int:
    """Return the number of keys of a document of rows or columns; of a deeper one, fewer."""
    if not isinstance(document, dict):
        return 0
    return len(document) + sum(
        len(value) if isinstance(value, dict) else sum(len(each) for each in value if isinstance(each, dict))
        for value in document.values()
        if isinstance(value, dict | list)
    )


def _count_colons(value: Any) -> int:
    """Return the number of colons that a document has as JSON, without escapes."""
    if isinstance(value, str):
        return int(value.count(":"))
    if isinstance(value, list):
        return sum(_count_colons(each) for each in value)
    if isinstance(value, dict):
        return sum(1 + _count_colons(key) + _count_colons(each) for key, each in value.items())
    return 0
