"""Replace a CSV file by more rows, drawn from it with new keys: draw_rows.py FILE ROWS."""

import sys

import pandas as pd


def main(file: str, rows: int) -> None:
    """Draw rows with replacement; the first column is the key."""
    drawn = pd.read_csv(file).sample(rows, replace=True, random_state=0)
    drawn[drawn.columns[0]] = [f"d{number:09d}" for number in range(rows)]
    drawn.to_csv(file, index=False)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
