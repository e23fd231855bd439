"""What your schema asks of one row, as JSON schema says it, and whether that is all it asks."""

import math
from collections.abc import Mapping
from typing import Any

import pandera.pandas as pa

from gitops_ml.coerce import kind_of

TYPES = {"f": "number", "i": "integer", "u": "integer", "b": "boolean", "M": "string"}
LOW, HIGH = {True: "minimum", False: "exclusiveMinimum"}, {True: "maximum", False: "exclusiveMaximum"}


def of_column(column: pa.Column) -> tuple[dict[str, Any], bool]:
    """One column as JSON schema, and whether that says every rule of it; what a parser of yours does, it cannot say."""
    kind = kind_of(column)
    known = TYPES.get(kind) or ("string" if "str" in str(column.dtype) else None)
    said: dict[str, Any] = {"type": [known, "null"] if column.nullable else known} if known else {}
    if kind == "M":
        said["pattern"] = r"^\d{4}-\d{2}-\d{2}"
    whole = str(column.dtype) in {"float64", "int64", "int32"} or (known == "string" and kind != "M")
    whole &= not column.parsers
    for check in column.checks:
        told = _of_check(str(check.name), check.statistics or {})
        whole &= bool(told) and "pattern" not in told
        said |= told
    if column.nullable and "enum" in said:
        said["enum"] = [*said["enum"], None]
    for key, text in (("title", column.title), ("description", column.description)):
        if text:
            said[key] = text
    return said, whole


def _of_check(name: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """A check of pandera's own as JSON schema; nothing where it has no words for it."""
    low, high = given.get("min_value"), given.get("max_value")
    match name:
        case "greater_than_or_equal_to" | "greater_than":
            said = {LOW[name != "greater_than"]: low}
        case "less_than_or_equal_to" | "less_than":
            said = {HIGH[name != "less_than"]: high}
        case "in_range" | "between":
            said = {LOW[given.get("include_min", True)]: low, HIGH[given.get("include_max", True)]: high}
        case "isin":
            said = {"enum": sorted(given["allowed_values"], key=str)}
        case "equal_to":
            said = {"const": given["value"]}
        case "str_matches":
            pattern = given["pattern"]
            said = {"pattern": f"^(?:{getattr(pattern, 'pattern', pattern)})"}
        case "str_length":
            said = {"minLength": low, "maxLength": high}
        case _:
            return {}
    return {key: _json(value) for key, value in said.items() if value is not None}


def _json(value: Any) -> Any:
    """A number of numpy's, or a date, as JSON has it."""
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, list | tuple | set):
        return [_json(one) for one in value]
    return value if isinstance(value, str | int | float | bool) else str(value)


def keeps(value: Any, said: Mapping[str, Any]) -> bool:
    """Whether a value surely keeps what `of_column` said; no is only a maybe."""
    kind, numeric = said["type"], type(value) in (int, float)
    if kind == "number":
        fits = numeric and math.isfinite(value)
    elif kind == "integer":
        fits = type(value) is int and abs(value) < 2**31
    else:
        fits = kind == "string" and type(value) is str
    return fits and _within(value, said)


def _within(value: Any, said: Mapping[str, Any]) -> bool:
    for rule, limit in said.items():
        if (
            (rule == "minimum" and not value >= limit)
            or (rule == "exclusiveMinimum" and not value > limit)
            or (rule == "maximum" and not value <= limit)
            or (rule == "exclusiveMaximum" and not value < limit)
            or (rule == "enum" and value not in limit)
            or rule in {"const", "minLength", "maxLength"}
        ):
            return False
    return True
