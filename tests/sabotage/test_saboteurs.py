"""Each saboteur is refused by the gate meant for it and passes all others; an honest better model passes every gate."""

import pytest

from .files import INTRUDERS, Intruder
from .lab import Lab
from .saboteurs import HONEST, SABOTEURS, Saboteur

REFUSED = {
    **dict.fromkeys(("expire", "train", "register", "compare"), "success"),
    **dict.fromkeys(("image", "promote"), "skipped"),
}


def test_a_better_model_is_proposed(lab: Lab) -> None:
    """Every gate passes it."""
    result = lab.result(HONEST)
    assert set(result.jobs.values()) == {"success"}
    assert HONEST.complaints(result.refused) == []
    assert result.comparison["verdict"] == "promote"
    assert result.pulls == 1


@pytest.mark.parametrize("saboteur", SABOTEURS, ids=lambda saboteur: saboteur.slug)
def test_the_gate_meant_for_it_refuses_it(lab: Lab, saboteur: Saboteur) -> None:
    """Only this gate refuses, with its message; Train stays green, and no pull request is opened."""
    result = lab.result(saboteur)
    assert result.comparison["verdict"] == "refuse"
    assert saboteur.complaints(result.refused) == []
    if saboteur in lab.in_workflows:
        assert result.jobs == REFUSED, "\n".join(f"{job}:\n{log[-2000:]}" for job, log in result.logs.items())
        assert result.pulls == 0
    else:
        assert result.verdict == "refuse", "with this output, the workflow skips the jobs that would propose it"


@pytest.mark.parametrize("intruder", INTRUDERS, ids=lambda intruder: intruder.id.replace(" ", "-"))
def test_a_file_that_was_tampered_with_is_not_opened(lab: Lab, intruder: Intruder) -> None:
    """The job ends red with a message, and no later job runs."""
    result = lab.outcome(intruder.id.replace(" ", "-"), intruder.does)
    failed = [job for job, conclusion in result.jobs.items() if conclusion == "failure"]
    assert failed == [intruder.job]
    assert intruder.says in result.logs[intruder.job]
    assert f"exit status {intruder.code}\n" in result.logs[intruder.job]
    assert result.pulls == 0
