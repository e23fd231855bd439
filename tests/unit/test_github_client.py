"""The client of GitHub's API: when it pauses."""

from typing import Any
from unittest.mock import Mock

import pytest

from gitops_ml.forge import github


def test_only_many_writes_are_slowed_down(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first ten follow at once, each later one a second after the one before."""
    pauses: list[float] = []
    monkeypatch.setattr("gitops_ml.forge.github.time.sleep", pauses.append)
    monkeypatch.setattr("gitops_ml.forge.github.time.monotonic", lambda: 5.0)
    monkeypatch.setattr(github.GitHub, "_request", lambda *_, **__: Mock(content=b""))
    client: Any = github.GitHub("o/r", "t")
    for _ in range(10):
        client.send("POST", "/issues", {})
    assert pauses == []
    client.send("PATCH", "/issues/1", {})
    client.send("PATCH", "/issues/1", {})
    assert pauses == [1.0, 1.0]
