"""Judge saved evidence with a repository's gates and with mutants of them, in that repository's own Python.

A mutant lacks one gate, or has an inverted one. The refusals are printed as JSON:
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
    """Return a gate that refuses what the original passes, and the reverse."""

    def judge(evidence: Evidence) -> Outcome:
        outcome: Outcome = gate.outcome_of(evidence)
        return outcome.model_copy(update={"verdict": OPPOSITE.get(outcome.verdict, outcome.verdict)})

    return judge


def mutants() -> dict[str, list[Judge]]:
    """The gates of each mutant; "none" has the original gates."""
    found: dict[str, list[Judge]] = {"none": [gate.outcome_of for gate in GATES]}
    for mutated in GATES:
        others: dict[str, Judge] = {gate.id: gate.outcome_of for gate in GATES if gate is not mutated}
        found[f"{mutated.id} removed"] = list(others.values())
        found[f"{mutated.id} inverted"] = [*others.values(), inverted(mutated)]
    return found


def refused(judges: list[Judge], evidence: Evidence) -> dict[str, str]:
    """The message of each gate that refuses."""
    return {
        outcome.id: outcome.message for outcome in (judge(evidence) for judge in judges) if outcome.verdict == "refused"
    }


def main() -> None:
    """Judge every evidence of the request."""
    asked = {name: Evidence.model_validate_json(Path(file).read_text()) for name, file in json.load(sys.stdin).items()}
    results = {mutant: {name: refused(judges, evidence) for name, evidence in asked.items()}
            for mutant, judges in mutants().items()}  # fmt: skip
    print(json.dumps(results))


main()
