"""Measure the gates about leaks with planted leaks: `PYTHONPATH=tests python -m benchmarks --leaks`."""

from collections.abc import Sequence

from tabulate import tabulate

from benchmarks.table import Progress
from planted_leaks import COLUMN, HONEST, KINDS, load_table, plant, refusals, task_of


def count_found(kind: str, name: str, seeds: int) -> int:
    """Return in how many of the tables with a planted leak of a kind a gate refuses it by name."""
    found = 0
    for seed in range(seeds):
        refused = refusals(plant(kind, name, seed), task_of(name))
        found += "DUPLICATES" in refused if kind == "rows repeated" else repr(COLUMN) in refused.get("LEAKAGE", "")
    return found


def report(seeds: int, names: Sequence[str], show_progress: Progress) -> str:
    """Return two tables: planted leaks that were found, by kind and table, and honest tables that were refused."""
    found = {}
    for kind in KINDS:
        show_progress(f"leaks: {kind}")
        found[kind] = [count_found(kind, name, seeds) for name in names]
    rows = [(kind, *(f"{count} of {seeds}" for count in counts), f"{sum(counts)} of {seeds * len(names)}")
            for kind, counts in found.items()]  # fmt: skip
    total = sum(map(sum, found.values()))
    refused = [(change, *(", ".join(refusals(add(load_table(name)), task_of(name))) or "passed" for name in names))
               for change, add in HONEST.items()]  # fmt: skip
    return "\n".join([
        tabulate(rows, ("planted", *names, "found"), tablefmt="pipe"),
        f"\nFound: {total} of {seeds * len(names) * len(KINDS)}.\n",
        tabulate(refused, ("honest", *names), tablefmt="pipe"),
    ])  # fmt: skip
