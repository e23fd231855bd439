"""Write a CSV of ten columns that keeps the schema in benchmarks/validate.py: make_rows.py FILE ROWS."""

import sys

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv

PIECE = 500_000


def piece(first: int, rows: int) -> pa.Table:
    """Rows from the number `first` on."""
    rng = np.random.default_rng(first)
    score = rng.normal(size=rows).round(4)
    return pa.table(
        {
            "id": [f"r{number:09d}" for number in range(first, first + rows)],
            "note": np.array([f"note {number}" for number in range(1000)])[rng.integers(0, 1000, rows)],
            "kind": rng.choice(["a", "b", "c"], rows),
            "region": rng.choice(["north", "east", "south", "west"], rows),
            "age": rng.integers(0, 100, rows),
            "visits": rng.integers(0, 10_000, rows),
            "amount": rng.uniform(-999, 999, rows).round(2),
            "score": pa.array(score, mask=rng.random(rows) < 0.1),
            "share": rng.random(rows).round(4),
            "label": rng.choice(["yes", "no"], rows),
        }
    )


def main(file: str, rows: int) -> None:
    """Piece by piece, so that any number of rows fits into memory."""
    with pacsv.CSVWriter(file, piece(0, 1).schema) as writer:
        for first in range(0, rows, PIECE):
            writer.write_table(piece(first, min(PIECE, rows - first)))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
