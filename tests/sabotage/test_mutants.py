"""The suite notices when a gate is removed or says the opposite: every gate, as the repository itself lists them."""

from pathlib import Path

import pytest

from .saboteurs import HONEST, SABOTEURS
from .trial import Lab

ALL = {saboteur.id: saboteur for saboteur in (*SABOTEURS, HONEST)}


@pytest.fixture(scope="module")
def evidence(lab: Lab) -> dict[str, Path]:
    """What each push left; the last ones first, for another process may be trying the first ones."""
    return {saboteur.id: lab.result(saboteur).evidence for saboteur in reversed(ALL.values())}


def test_every_mutant_of_the_gates_is_noticed(lab: Lab, evidence: dict[str, Path]) -> None:
    """Judged on the saved evidence, each lets something pass that must not, or refuses what it must not."""
    judged = lab.judged(evidence)
    complaints = {
        mutant: [each for name, refused in told.items() for each in ALL[name].complaints(refused)]
        for mutant, told in judged.items()
    }
    assert complaints.pop("none") == [], "the saved evidence is judged as it was in the workflow"
    assert len(complaints) >= 2 * len({saboteur.gate for saboteur in SABOTEURS})
    assert [mutant for mutant, found in complaints.items() if not found] == []
