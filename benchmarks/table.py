"""The table: what gitops needs, what the bare library call needs, and how often the one is the other."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tabulate import tabulate

Say = Callable[[str], object]
HEADERS = ("measured", "gitops", "bare", "ratio", "bare is", "median of")


@dataclass(frozen=True)
class Figure:
    """One line of the table.

    Attributes:
        what: Is measured.
        unit: "s", "ms", "rows/s", "files" or "B".
        gitops: Its median.
        bare: The median of the bare library call; None where there is none.
        against: What that call is.
        times: How many values the medians come from.
    """

    what: str
    unit: str
    gitops: float
    bare: float | None
    against: str
    times: int

    def cells(self) -> tuple[str, ...]:
        """As people read it."""
        bare = "" if self.bare is None else shown(self.bare, self.unit)
        ratio = f"{self.gitops / self.bare:.2f}" if self.bare else ""
        return self.what, shown(self.gitops, self.unit), bare, ratio, self.against, str(self.times)


def shown(value: float, unit: str) -> str:
    """A number with its unit, in about three digits."""
    if unit == "rows/s":
        return f"{round(value, -3):,.0f} rows/s"
    if unit == "files":
        return f"{value:,.0f}"
    if unit == "ms":
        return f"{value:.2f} ms"
    if unit == "B":
        return f"{value / 2**20:,.1f} MiB" if value >= 2**20 else f"{value / 2**10:,.1f} KiB"
    return f"{value:.1f} s" if value >= 10 else f"{value:.3f} s"


def table(figures: Sequence[Figure]) -> str:
    """All figures, as Markdown."""
    align = ("left", "right", "right", "right", "left", "right")
    cells = [figure.cells() for figure in figures]
    return tabulate(cells, HEADERS, tablefmt="pipe", colalign=align, disable_numparse=True)
