"""What it means to loosen schema.py: which rows are accepted now that were refused before."""

import importlib.util
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandera.pandas as pa

# By the name that pandera gives a check: which of its figures, and whether a larger one accepts more.
BOUNDS = {"greater_than": False, "greater_than_or_equal_to": False, "less_than": True, "less_than_or_equal_to": True}


def read(text: str) -> "pa.DataFrameSchema | None":
    """The schema in the text of a schema.py; None where it cannot be had, such as from an older pandera.

    It runs code of main's history, which was merged; as training does.
    """
    import pandera.pandas as pa

    with tempfile.TemporaryDirectory() as scratch:
        file = Path(scratch, "schema_before.py")
        file.write_text(text, encoding="utf-8")
        spec = importlib.util.spec_from_file_location("schema_before", file)
        if spec is None or spec.loader is None:
            return None
        module = importlib.util.module_from_spec(spec)
        sys.modules["schema_before"] = module  # annotations are looked up there
        try:
            spec.loader.exec_module(module)
            model = module.Schema
            return model.to_schema() if issubclass(model, pa.DataFrameModel) else None
        except Exception:  # whatever old code raises: then nobody can tell
            return None
        finally:
            del sys.modules["schema_before"]


def loosened(before: "pa.DataFrameSchema", after: "pa.DataFrameSchema") -> dict[str, str]:
    """What accepts more than it did, by column."""
    found: dict[str, str] = {}
    if before.strict and not after.strict:
        found["strict"] = "columns that nobody declared are accepted"
    if len(after.checks) < len(before.checks):
        found["checks"] = "fewer checks of whole rows"
    for name, then in before.columns.items():
        now = after.columns.get(name)
        said = ["the column may be left out"] if now is None else _column(then, now)
        if said:
            found[str(name)] = "; ".join(said)
    return found


def _column(then: Any, now: Any) -> list[str]:
    said = []
    if now.nullable and not then.nullable:
        said.append("it may be missing")
    if then.unique and not now.unique:
        said.append("it may repeat")
    if then.required and not now.required:
        said.append("it may be left out")
    if str(then.dtype) != str(now.dtype):
        said.append(f"its type is {now.dtype}, was {then.dtype}")
    others = [_check(check) for check in now.checks]
    return said + [f"{_words(*_check(check))} is gone or looser" for check in then.checks
                   if not any(_as_strict(other, _check(check)) for other in others)]  # fmt: skip


def _check(check: Any) -> tuple[str, dict[str, Any]]:
    return str(check.name), dict(check.statistics or {})


def _as_strict(now: tuple[str, dict[str, Any]], then: tuple[str, dict[str, Any]]) -> bool:
    """Whether a check refuses all that another one refuses."""
    if now[0] != then[0]:
        return False
    if now[1] == then[1]:
        return True
    if now[0] in BOUNDS:
        (ours,), (theirs,) = now[1].values(), then[1].values()
        return bool(ours <= theirs) if BOUNDS[now[0]] else bool(ours >= theirs)
    if now[0] == "isin":
        return set(now[1].get("allowed_values", ())) <= set(then[1].get("allowed_values", ()))
    return False


def _words(name: str, figures: dict[str, Any]) -> str:
    said = ", ".join(str(list(value) if isinstance(value, set | frozenset | tuple) else value)
                     for value in figures.values())  # fmt: skip
    return f"{name}({said})"
