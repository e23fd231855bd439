"""Runs in a generated repository's own Python: judges saved evidence by its gates as they are, and by mutants of them.

A mutant lacks one gate, or has one that says the opposite. What each refuses comes out as JSON:
mutant, name of the evidence, gate, message.
"""

import json
import sys
from collections.abc import Callable
from pathlib import Path

from gitops_ml.training.evidence import Evidence
from gitops_ml.training.gates import GATES, Gate, Outcome

OPPOSITE = {"passed": "refused", "refused": "passed"}
Judge = Callable[[Evidence], Outcome]


def inverted(gate: Gate) -> Judge:
    """It refuses what it would pass, and the reverse."""

    def judge(evidence: Evidence) -> Outcome:
        outcome: Outcome = gate.outcome_of(evidence)
        return outcome.model_copy(update={"verdict": OPPOSITE.get(outcome.verdict, outcome.verdict)})

    return judge


def mutants() -> dict[str, list[Judge]]:
    """The gates of each, those of the original under "none"."""
    found: dict[str, list[Judge]] = {"none": [gate.outcome_of for gate in GATES]}
    for mutated in GATES:
        others: dict[str, Judge] = {gate.id: gate.outcome_of for gate in GATES if gate is not mutated}
        found[f"{mutated.id} removed"] = list(others.values())
        found[f"{mutated.id} inverted"] = [*others.values(), inverted(mutated)]
    return found


def refused(judges: list[Judge], evidence: Evidence) -> dict[str, str]:
    """The message of each gate that refuses."""
    return {said.id: said.message for said in (judge(evidence) for judge in judges) if said.verdict == "refused"}


def main() -> None:
    """Judge every evidence that was asked about."""
    asked = {name: Evidence.model_validate_json(Path(file).read_text()) for name, file in json.load(sys.stdin).items()}
    told = {mutant: {name: refused(judges, evidence) for name, evidence in asked.items()}
            for mutant, judges in mutants().items()}  # fmt: skip
    print(json.dumps(told))


main()
