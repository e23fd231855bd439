"""Comparison of two versions of schema.py: the rules that the later one loosens."""

import importlib.util
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandera.pandas as pa

# pandera's checks with one bound, by name: True if a larger bound accepts more rows.
LARGER_ACCEPTS_MORE = {
    "greater_than": False,
    "greater_than_or_equal_to": False,
    "less_than": True,
    "less_than_or_equal_to": True,
}


def load_schema(text: str) -> "pa.DataFrameSchema | None":
    """Return the schema of the text of a schema.py; None if it cannot be loaded, such as with an older pandera.

    The text is executed. It is code of main, or of the commit that is checked out, whose code the same job or CI
    executes anyway.

    Args:
        text: Source code of schema.py.
    """
    import pandera.pandas as pa

    with tempfile.TemporaryDirectory() as scratch:
        file = Path(scratch, "schema_before.py")
        file.write_text(text, encoding="utf-8")
        spec = importlib.util.spec_from_file_location("schema_before", file)
        if spec is None or spec.loader is None:
            return None
        module = importlib.util.module_from_spec(spec)
        sys.modules["schema_before"] = module  # pandera resolves the annotations of the class there
        try:
            spec.loader.exec_module(module)
            model = module.Schema
            return model.to_schema() if issubclass(model, pa.DataFrameModel) else None
        except Exception:  # old code can raise any exception
            return None
        finally:
            del sys.modules["schema_before"]


def compare_texts(before: str, after: str) -> dict[str, str] | None:
    """Return the rules that a later text of schema.py loosens; None if the texts cannot be compared.

    Both texts are executed in this process.

    Args:
        before: Earlier text.
        after: Later text.
    """
    schemas = [load_schema(text) for text in (before, after)]
    return None if schemas[0] is None or schemas[1] is None else find_loosened_checks(schemas[0], schemas[1])


def find_loosened_checks(before: "pa.DataFrameSchema", after: "pa.DataFrameSchema") -> dict[str, str]:
    """Return the rules that may accept more rows than before, as text by column.

    The keys "strict" and "checks" are about the whole schema. A change that cannot be ordered, such as another type or
    another regular expression, counts as looser.

    Args:
        before: Earlier schema.
        after: Later schema.
    """
    loosened: dict[str, str] = {}
    if before.strict and not after.strict:
        loosened["strict"] = "columns outside the schema are accepted"
    if len(after.checks) < len(before.checks):
        loosened["checks"] = "there are fewer checks of whole rows"
    for name, old in before.columns.items():
        new = after.columns.get(name)
        changes = ["the column is no longer in the schema"] if new is None else _compare_column(old, new)
        if changes:
            loosened[str(name)] = "; ".join(changes)
    return loosened


def _compare_column(old: Any, new: Any) -> list[str]:
    changes = []
    if new.nullable and not old.nullable:
        changes.append("a value may be missing")
    if old.unique and not new.unique:
        changes.append("a value may repeat")
    if old.required and not new.required:
        changes.append("the column may be left out")
    if str(old.dtype) != str(new.dtype):
        changes.append(f"the type is {new.dtype}, was {old.dtype}")
    current_checks = [_describe_check(check) for check in new.checks]
    return changes + [f"{_show_check(*_describe_check(check))} is removed or looser" for check in old.checks
                      if not any(_as_strict(other, _describe_check(check)) for other in current_checks)]  # fmt: skip


def _describe_check(check: Any) -> tuple[str, dict[str, Any]]:
    return str(check.name), dict(check.statistics or {})


def _as_strict(new: tuple[str, dict[str, Any]], old: tuple[str, dict[str, Any]]) -> bool:
    """Return whether `new` refuses everything that `old` refuses; False if they cannot be compared."""
    if new[0] != old[0]:
        return False
    if new[1] == old[1]:
        return True
    if new[0] in LARGER_ACCEPTS_MORE:
        (current,), (earlier,) = new[1].values(), old[1].values()
        return bool(current <= earlier) if LARGER_ACCEPTS_MORE[new[0]] else bool(current >= earlier)
    if new[0] == "isin":
        return set(new[1].get("allowed_values", ())) <= set(old[1].get("allowed_values", ()))
    return False


def _show_check(name: str, statistics: dict[str, Any]) -> str:
    values = (list(each) if isinstance(each, set | frozenset | tuple) else each for each in statistics.values())
    return f"{name}({', '.join(map(str, values))})"
