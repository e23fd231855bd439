"""Gates about the challenger's own predictive quality, independent of the champion."""

import math

from gitops_ml.config import LOWER_IS_BETTER, REGRESSION_METRICS
from gitops_ml.training.evidence import Evidence
from gitops_ml.training.gates.gate import Gate, Outcome
from gitops_ml.training.gates.margin import resolve_margin


class FiniteGate(Gate):
    """Every prediction is a finite number
    {count} of the challenger's {rows} predictions on the holdout are NaN or infinite; none may be.

    Look for missing values, divisions by zero and overflows in features.py."""

    id = "FINITE"

    def evaluate(self, evidence: Evidence) -> Outcome:
        """Pass if no prediction is NaN or infinite."""
        count = evidence.not_finite
        return self.outcome(count == 0, {"value": count, "threshold": 0}, count=count, rows=evidence.rows)


class FloorGate(Gate):
    """The challenger reaches the floor of each metric
    {reached}.

    Improve the model, or change the floors under [gates.floor] in model.toml in a change of its own."""

    id = "FLOOR"

    def evaluate(self, evidence: Evidence) -> Outcome:
        """Pass if each metric with a floor reaches it, whatever the champion's metrics are."""
        floors, metrics = evidence.rules.floor, evidence.metrics["challenger"]
        if not floors:
            return self.not_applicable("No floor is set; set one under [gates.floor] in model.toml.")
        reached = ", ".join(
            f"{name} is {metrics.get(name, math.nan):.4f} and must be at "
            f"{'most' if name in LOWER_IS_BETTER else 'least'} {floor:g}" for name, floor in floors.items()
        )  # fmt: skip
        name = evidence.metric if evidence.metric in floors else next(iter(floors))
        return self.outcome(
            all(_reaches(name, metrics.get(name, math.nan), floor) for name, floor in floors.items()),
            {"value": metrics.get(name, math.nan), "threshold": floors[name]},
            reached=reached,
        )


class BaselineGate(Gate):
    """The challenger is better than a trivial baseline
    {metric} is {challenger:.4f}; a baseline that always predicts the {constant} has {baseline:.4f}. The gain over the
    baseline (positive: the challenger is better) is {gain:+.4f}, with the {confidence:g}% confidence interval
    [{low:+.4f}, {high:+.4f}]; the lower end of the interval must be greater than {margin}.

    The features may contain too little information about the target: add features or data. If the gain is enough for
    your use, as it can be for a rare label, lower `margin` under [gates.baseline] in model.toml."""

    id = "BASELINE"

    def evaluate(self, evidence: Evidence) -> Outcome:
        """Pass if the gain over a constant prediction exceeds the margin."""
        gain = evidence.baseline_gain
        margin = resolve_margin(evidence, evidence.rules.baseline.margin, "baseline", "the baseline")
        return self.outcome(
            gain.low > margin.value,
            {"value": gain.point, "threshold": margin.value, "low": gain.low, "high": gain.high},
            metric=evidence.metric, challenger=evidence.value("challenger"), baseline=evidence.value("baseline"),
            constant="mean of the target" if evidence.metric in REGRESSION_METRICS else "most common label",
            gain=gain.point, confidence=100 * evidence.rules.confidence, low=gain.low, high=gain.high,
            margin=margin.text,
        )  # fmt: skip


def _reaches(metric: str, value: float, floor: float) -> bool:
    return value <= floor if metric in LOWER_IS_BETTER else value >= floor
