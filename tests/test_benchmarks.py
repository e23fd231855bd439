"""The benchmarks run; what they measure is printed, never judged."""

import sys

from house import TEMPLATE, run

MEASURED = (
    "start: gitops --help",
    "validate 20,000 rows: speed",
    "validate 20,000 rows: peak memory",
    "train on the sample",
    "register run 1 ",
    "bytes of the first run",
    "push to pull request: all",
    "push to the end of Train: Install what the lock pins",
)


def test_one_command_prints_one_table() -> None:
    """Small sizes, once each: every row of the table is there, each with its ratio to the bare library."""
    told = run(TEMPLATE, sys.executable, "-m", "benchmarks", "--quick", env={"PYTHONPATH": "tests"})
    rows = [line for line in told.splitlines() if line.startswith("|")]
    assert [name for name in MEASURED if not any(name in row for row in rows)] == []
    assert all(len(row.strip("|").split("|")) == 6 for row in rows)
