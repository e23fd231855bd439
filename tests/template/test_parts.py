"""The parts in which GitHub runs the tests cover all tests."""

from itertools import product

import pytest
import yaml

from repositories import TEMPLATE

PARTS = yaml.safe_load((TEMPLATE / ".github/workflows/ci.yml").read_text())["jobs"]["part"]["strategy"]["matrix"]
# A test lies in one folder, and is about a fault or not.
MARKED = list(product(("", "journey", "sabotage", "containers"), ("", "faults")))


@pytest.mark.parametrize("markers", MARKED, ids=" ".join)
def test_a_slow_test_is_in_one_part(markers: tuple[str, str]) -> None:
    """Exactly one part runs each test, whatever its markers are."""
    known = {name: name in {"slow", *markers} for name in ("slow", "journey", "sabotage", "faults", "containers")}
    running = [each["part"] for each in PARTS["include"] if eval(each["markers"], {}, known)]  # noqa: S307 (ours)
    assert len(running) == 1
