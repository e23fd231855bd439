"""Gates that try the model itself: how it behaves, whether it can be made again, and what it costs."""

from gitops_ml.training.evidence import Evidence
from gitops_ml.training.gates.gate import Gate, Outcome

NOT_HERE = "The model is not at hand: only its own commit can load it."


class Behaviour(Gate):
    """The model does what its owner expects
    {broken}.

    These tests are yours: tests/behaviour.py."""

    id = "BEHAVIOUR"

    def judge(self, evidence: Evidence) -> Outcome:
        """Every test of the owner's must pass."""
        found = evidence.behaviour
        if found is None:
            return self.idle("There is no tests/behaviour.py, or the model is not at hand.")
        wrong = [each for each in found if each.broken]
        figures: dict[str, float | None] = {"value": len(wrong), "threshold": 0}
        if not wrong:
            return self.outcome(True, figures, message=f"All {len(found)} of them hold.")
        return self.outcome(
            False, figures, broken="; ".join(f"{each.promise.rstrip('.')}: {each.broken}" for each in wrong)
        )


class Robustness(Gate):
    """Answers do not hang on how columns come
    {wrong}.

    Select columns by name, and impute what schema.py lets be missing."""

    id = "ROBUSTNESS"

    def judge(self, evidence: Evidence) -> Outcome:
        """In another order, and without each column that may be missing."""
        found = evidence.robustness
        if found is None:
            return self.idle(NOT_HERE)
        wrong = [f"Without {name!r}: {why}" for name, why in found.missing.items()]
        if found.order:
            wrong.insert(0, f"With the columns in another order: {found.order}")
        figures: dict[str, float | None] = {"value": len(wrong), "threshold": 0}
        if not wrong:
            tried = f"the columns in another order, and each of {found.tried} that may be missing"
            return self.outcome(True, figures, message=f"Tried: {tried}.")
        return self.outcome(False, figures, wrong="; ".join(wrong))


class Determinism(Gate):
    """Training twice is training once
    The answers of a second training with the same inputs are off by up to {largest:.3g}; at most {tolerance:g} may be.

    Let everything random draw from `seed`."""

    id = "DETERMINISM"

    def judge(self, evidence: Evidence) -> Outcome:
        """Measured here, not claimed."""
        found, tolerance = evidence.determinism, evidence.rules.determinism.tolerance
        if found is None:
            return self.idle(NOT_HERE)
        if found.unknown:
            return self.idle(f"Nobody could train again: {found.unknown}.")
        return self.outcome(
            found.largest <= tolerance, {"value": found.largest, "threshold": tolerance},
            largest=found.largest, tolerance=tolerance,
        )  # fmt: skip


class Latency(Gate):
    """Callers do not wait
    95 of 100 single rows take at most {took:.1f} ms{beside}; {limit:g} ms are allowed, and {times:g} times the
    champion's.

    The limits stand under [gates.latency] in model.toml."""

    id = "LATENCY"

    def judge(self, evidence: Evidence) -> Outcome:
        """Champion and challenger took turns on the same machine."""
        found, rules = evidence.budgets, evidence.rules.latency
        if found is None:
            return self.idle(NOT_HERE)
        slower = found.champion_ms is not None and found.p95_ms > rules.times * found.champion_ms
        beside = f", the champion's {found.champion_ms:.1f} ms" if found.champion_ms is not None else ""
        return self.outcome(
            found.p95_ms <= rules.p95_ms and not slower, {"value": found.p95_ms, "threshold": rules.p95_ms},
            took=found.p95_ms, beside=beside, limit=rules.p95_ms, times=rules.times,
        )  # fmt: skip


class Size(Gate):
    """The model is small enough
    Its file has {file:.1f} MiB and may have {file_limit:g}; in memory it takes {memory:.1f} MiB and may take
    {memory_limit:g}.

    The limits stand under [gates.size] in model.toml."""

    id = "SIZE"

    def judge(self, evidence: Evidence) -> Outcome:
        """On disk and in memory."""
        found, rules = evidence.budgets, evidence.rules.size
        if found is None:
            return self.idle(NOT_HERE)
        return self.outcome(
            found.file_mib <= rules.file_mib and found.memory_mib <= rules.memory_mib,
            {"value": found.memory_mib, "threshold": rules.memory_mib},
            file=found.file_mib, file_limit=rules.file_mib, memory=found.memory_mib, memory_limit=rules.memory_mib,
        )  # fmt: skip
