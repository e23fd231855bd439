"""Declarations of model.toml about cells: the texts of a missing value, of true and false, and the formats of dates."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gitops_ml.config import DataConfig


@dataclass(frozen=True)
class CellRules:
    """Declarations about cells, the same wherever rows are read.

    Attributes:
        missing: Texts that mean a missing value.
        true: Texts of a boolean column that mean true, beside `true` and 1.
        false: Texts that mean false, beside `false` and 0.
        dates: Format of the dates of a column, as strptime has it, beside ISO 8601.
    """

    missing: tuple[str, ...] = ("",)
    true: tuple[str, ...] = ()
    false: tuple[str, ...] = ()
    dates: Mapping[str, str] = field(default_factory=dict)

    @property
    def missing_text(self) -> str:
        """Text that is written for a missing value."""
        return self.missing[0] if self.missing and "" not in self.missing else ""


def cell_rules(data: "DataConfig") -> CellRules:
    """Return the declarations of the table [data].

    Args:
        data: Table of model.toml.
    """
    return CellRules(data.missing, data.true, data.false, data.dates)
