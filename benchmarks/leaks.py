"""Measure the gates about leaks with planted leaks: `PYTHONPATH=tests python -m benchmarks.leaks [SEEDS]`.

It prints two tables: planted leaks that were found, by kind and table, and honest tables that were refused.
"""

import sys

from tabulate import tabulate

from planted_leaks import COLUMN, HONEST, KINDS, NAMES, load_table, plant, refusals, task_of


def count_found(kind: str, name: str, seeds: int) -> int:
    """Return in how many of the tables with a planted leak of a kind a gate refuses it by name."""
    found = 0
    for seed in range(seeds):
        refused = refusals(plant(kind, name, seed), task_of(name))
        found += "DUPLICATES" in refused if kind == "rows repeated" else repr(COLUMN) in refused.get("LEAKAGE", "")
    return found


def main(seeds: int) -> None:
    """Print the tables."""
    found = {kind: [count_found(kind, name, seeds) for name in NAMES] for kind in KINDS}
    rows = [(kind, *(f"{count} of {seeds}" for count in counts), f"{sum(counts)} of {seeds * len(NAMES)}")
            for kind, counts in found.items()]  # fmt: skip
    total = sum(map(sum, found.values()))
    print(tabulate(rows, ("planted", *NAMES, "found"), tablefmt="pipe"))
    print(f"\nFound: {total} of {seeds * len(NAMES) * len(KINDS)}.\n")
    refused = [(change, *(", ".join(refusals(add(load_table(name)), task_of(name))) or "passed" for name in NAMES))
               for change, add in HONEST.items()]  # fmt: skip
    print(tabulate(refused, ("honest", *NAMES), tablefmt="pipe"))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1)
