"""Names of columns: each once, and none like another."""

from collections import Counter
from collections.abc import Sequence


def find_name_problem(names: Sequence[str]) -> str | None:
    """Return what is wrong with the names of the columns of a table; None if nothing is.

    Args:
        names: Names of the columns, in their order.
    """
    counts = Counter(names)
    repeated = next((name for name in names if counts[name] > 1), None)
    if repeated is not None:
        return f"the column {repeated!r} is {counts[repeated]} times in the header"
    known: dict[str, str] = {}
    for name in names:
        similar = known.setdefault("".join(str(name).split()).casefold(), name)
        if similar != name:
            return f"the columns {similar!r} and {name!r} differ only in case or spaces"
    return None
