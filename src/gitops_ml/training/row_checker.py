"""Check chunks of rows by your schema, in this process or elsewhere."""

from typing import Protocol

import pandas as pd
import pandera.pandas as pa

from gitops_ml.rows.cell_rules import CellRules
from gitops_ml.rows.coerce import restore_types
from gitops_ml.rows.schema_check import RuleViolation, check_rows

Groups = tuple[tuple[str, ...], ...]


class RowChecker(Protocol):
    """Your schema, as a validation uses it.

    Attributes:
        unique: Columns, and groups of columns, whose values must be unique.
    """

    unique: Groups

    def check(self, rows: pd.DataFrame) -> tuple[pd.DataFrame, list[RuleViolation]]:
        """Return the rows with types that can have missing values, and every rule that they violate.

        Args:
            rows: Rows as they were read.
        """

    def restore(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Return rows without violations with the types of your schema.

        Args:
            rows: Rows that `check` returned.
        """


class SchemaChecker:
    """A schema in this process.

    Attributes:
        unique: Columns, and groups of columns, whose values must be unique.
    """

    def __init__(self, schema: pa.DataFrameSchema, key: str, rules: CellRules) -> None:
        """Create the checker.

        Args:
            schema: Your schema.
            key: Name of the key column.
            rules: Declarations about cells.
        """
        self._schema, self._key, self._rules = schema, key, rules
        self.unique = find_unique_groups(schema, key)

    def check(self, rows: pd.DataFrame) -> tuple[pd.DataFrame, list[RuleViolation]]:
        """Return the rows with types that can have missing values, and every rule that they violate.

        Args:
            rows: Rows as they were read.
        """
        return check_rows(self._schema, self._key, rows, self._rules)

    def restore(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Return rows without violations with the types of your schema.

        Args:
            rows: Rows that `check` returned.
        """
        return restore_types(self._schema, rows)


def find_unique_groups(schema: pa.DataFrameSchema, key: str) -> Groups:
    """Return the columns, and groups of columns, whose values must be unique: the key, and those of the schema.

    Args:
        schema: Your schema.
        key: Name of the key column.
    """
    single = {(name,) for name, column in schema.columns.items() if column.unique}
    together = {tuple(schema.unique)} if schema.unique else set()
    return tuple(sorted({(key,), *single, *together}))
