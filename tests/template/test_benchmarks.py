"""The benchmarks run; costs are only printed, and the error rates of a gate are checked."""

import re
import sys
from functools import cache
from math import comb

import pytest

from planted_leaks import HONEST
from repositories import TEMPLATE, run

pytestmark = pytest.mark.slow
MEASURED = (
    "wheel: bytes as Git packs it",
    "wheel: bytes that a changed line adds to history",
    "generated repository: files",
    "make setup of a generated repository",
    "start: gitops --help",
    "validate 20,000 rows: speed",
    "validate 20,000 rows: peak memory",
    "train on the sample",
    "1,000 resamples of 20,000 rows, roc_auc: time",
    "1,000 resamples of 20,000 rows, roc_auc: peak memory",
    "request of 1 row(s), server counts",
    "request of 1,000 row(s), server counts and logs",
    "register run 1 ",
    "bytes of the first run",
    "push to pull request: all",
    "push to the end of Train: Set up",
)
LEVEL = 0.025  # half of what an interval of 95 % leaves out
RATE = re.compile(r"\((\d+) of (\d+)\)")


@cache
def report() -> str:
    """The output with small sizes."""
    return run(TEMPLATE, sys.executable, "-m", "benchmarks", "--quick", env={"PYTHONPATH": "tests"})


def table_rows() -> list[list[str]]:
    """The cells of the tables of costs and of promotion rates."""
    tables = report().partition("Leaks that the gates find")[0].splitlines()
    rows = [line.strip("|").split("|") for line in tables if line.startswith("|")]
    return [[cell.strip() for cell in row] for row in rows]


def promoted(challenger: str, metric: str) -> list[tuple[int, int]]:
    """Number of such challengers that the gate passed, and their total, for each number of rows."""
    row = next(row for row in table_rows() if row[:2] == [challenger, metric])
    return [(int(found[1]), int(found[2])) for cell in row if (found := RATE.search(cell))]


def chance(passes: int, draws: int) -> float:
    """Probability of at least so many passes if each passes at the level."""
    return 1 - sum(comb(draws, few) * LEVEL**few * (1 - LEVEL) ** (draws - few) for few in range(passes))


def test_one_command_prints_the_tables() -> None:
    """Every row is there, each with its ratio to the bare library, or with a column for each number of rows."""
    assert [name for name in MEASURED if not any(f"{row[0]} ".startswith(name) for row in table_rows())] == []
    assert {len(row) for row in table_rows()} == {6}


def test_most_leaks_are_found() -> None:
    """In one small table, once each; no honest change of the table is refused."""
    printed = report().partition("Leaks that the gates find")[2]
    found = re.search(r"Found: (\d+) of 10\.", printed)
    assert found is not None
    assert int(found[1]) >= 8
    assert printed.count("passed") == len(HONEST)


@pytest.mark.parametrize("metric", ["accuracy", "roc_auc"])
def test_a_challenger_that_is_as_good_is_promoted_at_most_as_often_as_the_level_says(metric: str) -> None:
    """At exactly this level, one run in a thousand would fail here; a larger lead is promoted more often."""
    equal, better = promoted("as good", metric), promoted("better by 5 points", metric)
    assert [draws for _, draws in equal] == [60, 5, 1]
    assert all(chance(*rate) > 0.001 for rate in equal), equal
    assert better[0][0] > 30, better
