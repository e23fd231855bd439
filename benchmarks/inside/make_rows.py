"""Write a CSV file of ten columns that satisfies the schema in benchmarks/validate.py: make_rows.py FILE ROWS."""

import sys

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv

CHUNK = 500_000


def make_chunk(first: int, rows: int) -> pa.Table:
    """Return rows, numbered from `first`."""
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
    """Write the file in chunks, so that any number of rows fits into memory."""
    with pacsv.CSVWriter(file, make_chunk(0, 1).schema) as writer:
        for first in range(0, rows, CHUNK):
            writer.write_table(make_chunk(first, min(CHUNK, rows - first)))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
