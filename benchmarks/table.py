"""The table of results: gitops, the bare library call, and the ratio of both."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tabulate import tabulate

Progress = Callable[[str], object]
HEADERS = ("measured", "gitops", "bare", "ratio", "bare is", "median of")


@dataclass(frozen=True)
class Figure:
    """One line of the table.

    Attributes:
        name: Name of the measurement.
        unit: "s", "ms", "rows/s", "files" or "B".
        gitops: Median of gitops.
        bare: Median of the bare library call; None if there is none.
        against: Description of the bare library call.
        times: Number of values of the medians.
    """

    name: str
    unit: str
    gitops: float
    bare: float | None
    against: str
    times: int

    def cells(self) -> tuple[str, ...]:
        """Return the cells of the line."""
        bare = "" if self.bare is None else format_value(self.bare, self.unit)
        ratio = f"{self.gitops / self.bare:.2f}" if self.bare else ""
        return self.name, format_value(self.gitops, self.unit), bare, ratio, self.against, str(self.times)


def format_value(value: float, unit: str) -> str:
    """Return a number with its unit, with about three digits."""
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
    """Return all figures as a Markdown table."""
    align = ("left", "right", "right", "right", "left", "right")
    cells = [figure.cells() for figure in figures]
    return tabulate(cells, HEADERS, tablefmt="pipe", colalign=align, disable_numparse=True)
