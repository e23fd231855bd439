"""The fixture that runs saboteurs."""

from pathlib import Path

import pytest

from .lab import Lab


@pytest.fixture(scope="session")
def lab(shared: Path, fast_machine: dict[str, str]) -> Lab:
    """The lab, which all processes of a test run share."""
    return Lab(shared / "sabotage", fast_machine)
