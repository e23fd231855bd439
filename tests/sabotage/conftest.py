"""The laboratory in which saboteurs are tried."""

from pathlib import Path

import pytest

from .trial import Lab


@pytest.fixture(scope="session")
def lab(shared: Path, hurried: dict[str, str]) -> Lab:
    """Shared by all processes of a test run."""
    return Lab(shared / "sabotage", hurried)
