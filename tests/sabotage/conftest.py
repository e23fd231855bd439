"""The fixture that runs saboteurs."""

from pathlib import Path

import pytest

from .lab import Lab
from .saboteurs import HONEST, REPRESENTATIVES, SABOTEURS


@pytest.fixture(scope="session")
def lab(request: pytest.FixtureRequest, shared: Path, fast_machine: dict[str, str]) -> Lab:
    """The lab, which all processes of a test run share."""
    is_all = request.config.getoption("--all-in-workflows")
    return Lab(shared / "sabotage", fast_machine, (HONEST, *(SABOTEURS if is_all else REPRESENTATIVES)))
