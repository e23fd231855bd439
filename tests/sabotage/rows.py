"""Synthetic rows from a known distribution: given the label, every column is an independent normal variable.

Therefore the best possible roc_auc is known: Phi(sqrt(sum of squared shifts / 2)).
"""

import csv
import hashlib
import io
import random
from datetime import date, timedelta

Row = dict[str, str]
SEED = 20261126
COUNT = 3000
# How far a "yes" lies from a "no", in standard deviations; all together reach a roc_auc of 0.90.
SHIFTS = {"x1": 0.80, "x2": 0.70, "x3": 0.50, "x4": 0.90, "x5": 0.85, "x6": 0.60, "x7": 0.0}
GROUPS, SEXES = {"north": 0.5, "south": 0.38, "isle": 0.12}, ("f", "m")
FIRST_DAY, DAYS = date(2024, 1, 1), 730


def draw(count: int = COUNT, seed: int = SEED, first: int = 1) -> list[Row]:
    """Rows with keys that count from `first`; the same for a seed on every machine."""
    chance = random.Random(seed)  # noqa: S311 (nothing secret is drawn)
    return [_row(chance, f"r{number:05}") for number in range(first, first + count)]


def _row(chance: random.Random, key: str) -> Row:
    yes = chance.random() < 0.4
    numbers = {name: f"{chance.gauss(shift * yes, 1.0):.4f}" for name, shift in SHIFTS.items()}
    if chance.random() < 0.1:
        numbers["x7"] = ""
    return {
        "id": key,
        **numbers,
        "group": chance.choices(list(GROUPS), list(GROUPS.values()))[0],
        "sex": chance.choice(SEXES),
        "day": (FIRST_DAY + timedelta(days=chance.randrange(DAYS))).isoformat(),
        "label": "yes" if yes else "no",
    }


def to_csv(rows: list[Row]) -> str:
    """Return the rows as the text of a CSV file."""
    out = io.StringIO()
    writer = csv.DictWriter(out, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def from_csv(text: str) -> list[Row]:
    """Return the rows of a CSV file, with values as text."""
    return list(csv.DictReader(io.StringIO(text)))


def held_out(key: str, share: float = 0.3) -> bool:
    """Return whether a split by hash holds out the row, independent of model.toml."""
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:8]) / 2**64 < share
