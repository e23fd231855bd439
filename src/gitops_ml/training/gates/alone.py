"""Gates that look at the challenger's own quality."""

import math

from gitops_ml.training.evidence import Evidence
from gitops_ml.training.gates.gate import Gate, Outcome
from gitops_ml.training.metrics import LESS_IS_BETTER


class Finite(Gate):
    """Every prediction is a number
    {count} of the challenger's {rows} predictions on the holdout are NaN or infinite; none may be."""

    id = "FINITE"

    def judge(self, evidence: Evidence) -> Outcome:
        """A NaN never wins."""
        count = evidence.not_finite
        return self.outcome(count == 0, {"value": count, "threshold": 0}, count=count, rows=evidence.rows)


class Floor(Gate):
    """The challenger reaches the floor
    {reached}.

    The floor of each metric stands under [gates.floor] in model.toml."""

    id = "FLOOR"

    def judge(self, evidence: Evidence) -> Outcome:
        """Absolute: whatever the champion does, this much is needed."""
        floors, found = evidence.rules.floor, evidence.metrics["challenger"]
        if not floors:
            return self.idle("No floor is set; name one under [gates.floor] in model.toml.")
        reached = ", ".join(
            f"{name} is {found.get(name, math.nan):.4f} and must be at {'most' if name in LESS_IS_BETTER else 'least'} "
            f"{floor:g}" for name, floor in floors.items()
        )  # fmt: skip
        name = evidence.metric if evidence.metric in floors else next(iter(floors))
        return self.outcome(
            all(_reaches(name, found.get(name, math.nan), floor) for name, floor in floors.items()),
            {"value": found.get(name, math.nan), "threshold": floors[name]},
            reached=reached,
        )


class Baseline(Gate):
    """The challenger beats a trivial baseline
    {metric} is {challenger:.4f}, that of always giving the most common answer {baseline:.4f}; the gain lies in
    [{low:.4f}, {high:.4f}] and must exceed {margin:g}.

    The features say nothing, or too little, about the target."""

    id = "BASELINE"

    def judge(self, evidence: Evidence) -> Outcome:
        """Something must have been learnt."""
        gain, margin = evidence.baseline_gain, evidence.rules.baseline.margin
        return self.outcome(
            gain.low > margin,
            {"value": gain.point, "threshold": margin, "low": gain.low, "high": gain.high},
            metric=evidence.metric, challenger=evidence.value("challenger"), baseline=evidence.value("baseline"),
            low=gain.low, high=gain.high, margin=margin,
        )  # fmt: skip


def _reaches(metric: str, value: float, floor: float) -> bool:
    return value <= floor if metric in LESS_IS_BETTER else value >= floor
