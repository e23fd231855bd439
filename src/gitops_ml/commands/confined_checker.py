"""Your schema in a confined process: this process reads the cells, and the confined one checks the typed rows."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pandas as pd

from gitops_ml.confinement.channel import ConfinedError, UserCodeError
from gitops_ml.confinement.rows_in_bytes import rows_to_bytes
from gitops_ml.errors import ConfigError
from gitops_ml.rows.cell_rules import CellRules
from gitops_ml.rows.coerce import NULLABLE
from gitops_ml.rows.column_kind import ColumnKind
from gitops_ml.rows.column_kinds import kind_of, parse_rows
from gitops_ml.rows.schema_check import RuleViolation, find_wrong_cells
from gitops_ml.rows.text_kinds import OtherKind

if TYPE_CHECKING:
    from gitops_ml.confinement.judge import ConfinedProcess
    from gitops_ml.training.row_checker import Groups


class ConfinedChecker:
    """A schema in a confined process.

    Attributes:
        unique: Columns, and groups of columns, whose values must be unique.
        converts: True if schema.py changes rows while it checks them, beside their types.
    """

    def __init__(self, process: "ConfinedProcess", target: str, rules: CellRules) -> None:
        """Ask for what does not depend on rows.

        Args:
            process: Process with your package.
            target: Name of the target.
            rules: Declarations about cells.

        Raises:
            ConfigError: Your package cannot be imported.
        """
        self._process, self._target, self._rules = process, target, rules
        self._types: dict[tuple[str, ...], dict[str, Any]] = {}
        self.converts = False
        groups = self._ask("describe schema")["unique"]
        self.unique: Groups = tuple(tuple(map(str, group)) for group in groups)

    def check(self, rows: pd.DataFrame) -> tuple[pd.DataFrame, list[RuleViolation]]:
        """Return the rows with types that can have missing values, and every rule that they violate.

        Args:
            rows: Rows as they were read.

        Raises:
            ConfigError: schema.py changes the target while it checks it.
        """
        types = self._types_of(rows)
        kinds = {name: _kind(types.get(name), self._rules, str(name)) for name in rows.columns}
        typed, wrong = parse_rows(kinds, rows)
        if wrong:
            return typed, find_wrong_cells(rows, kinds, wrong)
        answer = self._ask("check rows", data=rows_to_bytes(typed))
        self.converts = self.converts or answer.get("converted") is True
        if answer.get("converts_target") is True:
            raise ConfigError(
                f"schema.py changes the values of the target {self._target!r} while it checks them.",
                "Write these values in the data, so that everybody who judges a version reads the same.",
            )
        return typed, [_violation(each, rows, typed) for each in answer["violations"]]

    def restore(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Return rows without violations with the types of your schema.

        Args:
            rows: Rows that `check` returned.
        """
        types = self._types_of(rows)
        plain = {name: dtype for name, dtype in types.items() if getattr(dtype, "kind", "O") in NULLABLE}
        return rows.astype({name: dtype for name, dtype in plain.items() if name in rows})

    def _types_of(self, rows: pd.DataFrame) -> dict[str, Any]:
        names = tuple(map(str, rows.columns))
        if names not in self._types:
            described = self._ask("describe columns", {"names": list(names)})["columns"]
            self._types[names] = {str(name): _read_type(each) for name, each in described.items()}
        return self._types[names]

    def _ask(self, operation: str, arguments: Mapping[str, Any] | None = None, data: bytes = b"") -> Any:
        try:
            return self._process.ask(operation, arguments, data)
        except UserCodeError as error:
            raise ConfigError(error.problem, error.next_step or "Fix schema.py.") from error


def _read_type(described: Mapping[str, Any]) -> Any:
    """Return the type of a column; None if pandas has no such type, so that its cells stay as they are."""
    if described.get("categories") is not None:
        return pd.CategoricalDtype(described["categories"], bool(described.get("ordered")))
    try:
        return pd.api.types.pandas_dtype(str(described.get("dtype")))
    except TypeError:
        return None


def _kind(dtype: Any, rules: CellRules, name: str) -> ColumnKind:
    return OtherKind(rules) if dtype is None else kind_of(dtype, rules, name)


def _violation(found: Mapping[str, Any], rows: pd.DataFrame, typed: pd.DataFrame) -> RuleViolation:
    """Return a violation with the values of this process's own rows."""
    column, rule, count = str(found["column"]), str(found["rule"]), int(found["rows"])
    places = [int(place) for place in found["places"]]
    if any(not 0 <= place < len(rows) for place in places) or not len(places) <= count <= len(rows):
        raise ConfinedError("it names rows that do not exist")
    shown = rows if rule == "not_nullable" else typed
    values = shown[column].iloc[places] if column in shown else pd.Series("", rows.index[places], dtype=object)
    return RuleViolation(column, rule, values.astype(object), more=count - len(places))
