"""The doors through which rows come in, each as a function from cells to what they become."""

import csv
import io
import json
import re
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any, cast

import pandas as pd
import pandera.pandas as pa
import pyarrow
import pyarrow.parquet as pq

from gitops_ml.config import ServingConfig
from gitops_ml.errors import DataUnreadable
from gitops_ml.rows import csv_table
from gitops_ml.rows.arrow_table import to_frame
from gitops_ml.rows.cell_rules import CellRules
from gitops_ml.rows.schema_check import check_rows
from gitops_ml.run import Run
from gitops_ml.serving import score
from gitops_ml.serving.api_error import ApiError
from gitops_ml.serving.body import ARROW, CSV, JSON, PARQUET
from gitops_ml.serving.row_validator import RowValidator

# What a door makes of rows: the values of each row, or else the row (from 0) and column of each refused cell.
Answer = list[list[Any]] | set[tuple[int, str]]
Rows = list[list[Any]]


class Doors:
    """The doors of one schema."""

    def __init__(self, columns: dict[str, pa.Column], rules: CellRules) -> None:
        """Create the doors of a schema with these columns, beside a key."""
        self.columns = columns
        self.rules = rules
        self.schema = pa.DataFrameSchema({"key": pa.Column(str), **columns}, coerce=True, strict=True)
        dtypes = {name: str(column.dtype) for name, column in columns.items()}
        self.dtypes = {name: "str" if "str" in dtype else dtype for name, dtype in dtypes.items()}
        metadata = SimpleNamespace(columns=self.dtypes, key="key", target="label", known_later=())
        self.validator = RowValidator(self.schema, cast("Run", metadata), pd.DataFrame(), rules)

    def train(self, frame: pd.DataFrame) -> Answer:
        """Read rows as `validate` does."""
        frame = frame.set_axis(range(len(frame))).assign(key="k")
        checked, violations = check_rows(self.schema, "key", frame, self.rules)
        if violations:
            return {(int(row), each.column) for each in violations for row in each.values.index}
        return plain(checked[list(self.columns)])

    def train_csv(self, cells: Rows) -> Answer:
        """Read a CSV file as `validate` does."""
        content = to_csv(["key", *self.columns], [["k", *row] for row in cells])
        names = csv_table.read_header(content, ",")
        frames = list(csv_table.read_texts(content, ",", names, 3))
        return self.train(pd.concat(frames, ignore_index=True))

    def train_parquet(self, cells: Rows) -> Answer:
        """Read a Parquet file as `validate` does."""
        stream = io.BytesIO()
        pq.write_table(self._table(cells), stream)
        return self.train(to_frame(pq.read_table(stream)))

    def train_query(self, cells: Rows) -> Answer:
        """Read the result of a query as `validate` does."""
        return self.train(pd.DataFrame([tuple(row) for row in cells], columns=list(self.columns), dtype=object))

    def serve(self, kind: str, content: bytes) -> Answer:
        """Read a request."""
        try:
            return plain(self.validator.read_rows(kind, content, ServingConfig()))
        except ApiError as refused:
            return {(int(each.row or 0) - 1, str(each.column)) for each in refused.problems}

    def serve_csv(self, cells: Rows) -> Answer:
        """Read a request with CSV."""
        return self.serve(CSV, to_csv(list(self.columns), cells))

    def serve_parquet(self, cells: Rows) -> Answer:
        """Read a request with Parquet."""
        stream = io.BytesIO()
        pq.write_table(self._table(cells), stream)
        return self.serve(PARQUET, stream.getvalue())

    def serve_arrow(self, cells: Rows) -> Answer:
        """Read a request with an Arrow stream."""
        table, stream = self._table(cells), io.BytesIO()
        with pyarrow.ipc.new_stream(stream, table.schema) as writer:
            writer.write_table(table)
        return self.serve(ARROW, stream.getvalue())

    def serve_json(self, cells: Rows) -> Answer:
        """Read a request with rows of JSON."""
        rows = [dict(zip(self.columns, row, strict=True)) for row in cells]
        return self.serve(JSON, json.dumps({"rows": rows}).encode())

    def serve_json_columns(self, cells: Rows) -> Answer:
        """Read a request with columns of JSON."""
        columns = {name: [row[index] for row in cells] for index, name in enumerate(self.columns)}
        return self.serve(JSON, json.dumps({"columns": columns}).encode())

    def score(self, path: Any, cells: Rows) -> Answer:
        """Read a CSV as `gitops score` does, which names the first refused cell."""
        path.write_bytes(to_csv(list(self.columns), cells))
        try:
            return plain(
                score.read_rows(path, cast("Run", SimpleNamespace(columns=self.dtypes)), self.rules, self.schema)
            )
        except DataUnreadable as refused:
            row, name = re.findall(r"row (\d+), column '(\w+)'", str(refused))[0]
            return {(int(row) - 2, name)}

    def _table(self, cells: Rows) -> "pyarrow.Table":
        return pyarrow.table({name: [row[index] for row in cells] for index, name in enumerate(self.columns)})


TEXT_DOORS: tuple[Callable[[Doors, Rows], Answer], ...] = (
    Doors.train_csv, Doors.train_parquet, Doors.train_query, Doors.serve_csv, Doors.serve_parquet, Doors.serve_arrow,
)  # fmt: skip
JSON_DOORS = (Doors.serve_json, Doors.serve_json_columns)
TYPED_DOORS = (Doors.train_parquet, Doors.train_query, Doors.serve_parquet, Doors.serve_arrow)


def to_csv(names: Sequence[str], cells: Rows) -> bytes:
    """Return texts as CSV."""
    stream = io.StringIO()
    # A lonely empty cell is quoted, because an empty line of several columns is no row.
    csv.writer(stream, lineterminator="\n").writerows([names, *cells])
    return stream.getvalue().encode()


def plain(frame: pd.DataFrame) -> Rows:
    """Return values that can be compared: their types and all their digits, and None for a missing one."""
    columns = [[None if pd.isna(value) else repr(value) for value in frame[name].tolist()] for name in frame]
    return [list(row) for row in zip(*columns, strict=True)]
