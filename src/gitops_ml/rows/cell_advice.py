"""Advice about cells that the schema refuses: what `[data]` in model.toml can declare so that they are accepted."""

import re
from collections.abc import Iterable

EXAMPLE = re.compile(r"'(.*)' in .* row \d+", re.DOTALL)
# Texts that usually mean a missing value, in lower case.
MISSING = frozenset({"na", "n/a", "#n/a", "nan", "null", "none", "nil", "-", "--", ".", "?", "missing", "unknown"})


def advise_about_cells(violations: Iterable[tuple[str, str, tuple[str, ...]]]) -> str:
    """Return sentences that name the keys of model.toml that would accept the cells; "" if there are none.

    Args:
        violations: Column, rule and examples of each violation, where an example is the cell's text with file and row.
    """
    missing, booleans, dates = dict[str, None](), dict[str, None](), dict[str, None]()
    for column, rule, examples in violations:
        cells = [match[1] for match in map(EXAMPLE.fullmatch, examples) if match]
        words = [cell for cell in cells if cell.strip().lower() in MISSING]
        missing |= dict.fromkeys(words)
        others = [cell for cell in cells if cell not in words]
        if rule == "must be bool":
            booleans |= dict.fromkeys(others)
        elif rule.startswith("must be a date ") and others:
            dates[column] = None
    advice = []
    if missing:
        declared = ", ".join(f'"{word}"' for word in ["", *missing])
        advice.append(f"If {_list(missing)} means a missing value, set `missing = [{declared}]` under [data].")
    if booleans:
        advice.append(f"If {_list(booleans)} means true or false, set `true = [...]` and `false = [...]` under [data].")
    if dates:
        advice.append(
            f"If the dates of {_list(dates)} have another format, declare it under [data.dates]; if they have an "
            'offset, such as Z, the type is `Annotated[pd.DatetimeTZDtype, "ns", "UTC"]`.'
        )
    return " ".join([*advice, "`gitops docs cells` has the details."]) if advice else ""


def _list(names: Iterable[str]) -> str:
    return ", ".join(repr(name) for name in names)
