"""The suite detects a gate that is removed or inverted, for every gate of the repository."""

from pathlib import Path

import pytest

from .lab import Lab
from .saboteurs import HONEST, SABOTEURS

ALL = {saboteur.id: saboteur for saboteur in (*SABOTEURS, HONEST)}


@pytest.fixture(scope="module")
def evidence(lab: Lab) -> dict[str, Path]:
    """The evidence of each push; the last ones first, because another process may be running the first ones."""
    return {saboteur.id: lab.result(saboteur).evidence for saboteur in reversed(ALL.values())}


def test_every_mutant_of_the_gates_is_detected(lab: Lab, evidence: dict[str, Path]) -> None:
    """Each mutant passes a saboteur that must be refused, or refuses one that must pass."""
    judged = lab.judged(evidence)
    complaints = {
        mutant: [each for name, refused in results.items() for each in ALL[name].complaints(refused)]
        for mutant, results in judged.items()
    }
    assert complaints.pop("none") == [], "the saved evidence is judged as it was in the workflow"
    assert len(complaints) >= 2 * len({saboteur.gate for saboteur in SABOTEURS})
    assert [mutant for mutant, found in complaints.items() if not found] == []
