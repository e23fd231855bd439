"""Conversion of your schema's columns to JSON schema, and a fast validation of single values."""

import math
from collections.abc import Mapping
from typing import Any

import pandera.pandas as pa

from gitops_ml.rows.column_kind import ColumnKind
from gitops_ml.rows.text_kinds import TextKind

LOW, HIGH = {True: "minimum", False: "exclusiveMinimum"}, {True: "maximum", False: "exclusiveMaximum"}


def column_schema(column: pa.Column, kind: ColumnKind) -> tuple[dict[str, Any], bool]:
    """Return one column as JSON schema, and whether that covers all of its rules.

    Args:
        column: Column of your schema. JSON schema cannot express its parsers.
        kind: Kind of the column.
    """
    schema = kind.json_schema()
    is_plain_number = str(column.dtype) in {"float64", "int64", "int32"} and not kind.missing_values
    complete = (is_plain_number or type(kind) is TextKind) and not column.parsers
    if column.nullable and "type" in schema:
        types = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
        schema["type"] = [*types, "null"]
    for check in column.checks:
        keywords = _check_schema(str(check.name), check.statistics or {})
        complete &= bool(keywords) and "pattern" not in keywords
        schema |= keywords
    if not set(schema.get("enum", schema.get("not", {}).get("enum", ()))) & set(kind.rules.missing):
        schema.pop("not", None)  # no value of the list means a missing one
    if column.nullable and "enum" in schema:
        schema["enum"] = [*schema["enum"], None]
    for key, text in (("title", column.title), ("description", column.description)):
        if text:
            schema[key] = text
    return schema, complete


def _check_schema(name: str, statistics: Mapping[str, Any]) -> dict[str, Any]:
    """Return one of pandera's checks as JSON schema; empty if JSON schema cannot express it."""
    low, high = statistics.get("min_value"), statistics.get("max_value")
    match name:
        case "greater_than_or_equal_to" | "greater_than":
            keywords = {LOW[name != "greater_than"]: low}
        case "less_than_or_equal_to" | "less_than":
            keywords = {HIGH[name != "less_than"]: high}
        case "in_range" | "between":
            keywords = {LOW[statistics.get("include_min", True)]: low, HIGH[statistics.get("include_max", True)]: high}
        case "isin":
            keywords = {"enum": sorted(statistics["allowed_values"], key=str)}
        case "equal_to":
            keywords = {"const": statistics["value"]}
        case "str_matches":
            pattern = statistics["pattern"]
            keywords = {"pattern": f"^(?:{getattr(pattern, 'pattern', pattern)})"}
        case "str_length":
            keywords = {"minLength": low, "maxLength": high}
        case _:
            return {}
    return {key: _to_json(value) for key, value in keywords.items() if value is not None}


def _to_json(value: Any) -> Any:
    """Return a NumPy number, a date or a collection as JSON has it."""
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, list | tuple | set):
        return [_to_json(each) for each in value]
    return value if isinstance(value, str | int | float | bool) else str(value)


def is_valid(value: Any, schema: Mapping[str, Any]) -> bool:
    """Return True if a value is valid without a doubt; False may also mean that this fast test cannot decide.

    Args:
        value: Value of one column in one row.
        schema: JSON schema of the column, from `column_schema`.
    """
    json_type, is_number = schema["type"], type(value) in (int, float)
    if json_type == "number":
        has_type = is_number and math.isfinite(value)
    elif json_type == "integer":
        has_type = type(value) is int and abs(value) < 2**31
    else:
        has_type = json_type == "string" and type(value) is str
    return has_type and _is_within(value, schema)


def _is_within(value: Any, schema: Mapping[str, Any]) -> bool:
    for keyword, limit in schema.items():
        if (
            (keyword == "minimum" and not value >= limit)
            or (keyword == "exclusiveMinimum" and not value > limit)
            or (keyword == "maximum" and not value <= limit)
            or (keyword == "exclusiveMaximum" and not value < limit)
            or (keyword == "enum" and value not in limit)
            or (keyword == "not" and value in limit["enum"])
            or keyword in {"const", "minLength", "maxLength"}
        ):
            return False
    return True
