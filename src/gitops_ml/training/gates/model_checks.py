"""Gates that run the model: behaviour, robustness, repeatability and cost."""

from gitops_ml.training.evidence import Evidence
from gitops_ml.training.gates.gate import Gate, Outcome

NOT_LOADED = "The present code and libraries cannot load the model; only its own commit can."
# The shortest reference time: a ratio to less would judge the clock.
SHORTEST_MS = 0.1


class BehaviourGate(Gate):
    """The model passes your behaviour tests
    {failures}.

    These tests are in tests/behaviour.py. Fix the model, or the test if its expectation is wrong."""

    id = "BEHAVIOUR"

    def evaluate(self, evidence: Evidence) -> Outcome:
        """Pass if every behaviour test passes."""
        tests = evidence.behaviour
        if tests is None:
            return self.not_applicable(
                "There is no tests/behaviour.py, or the present code and libraries cannot load the model."
            )
        failed = [each for each in tests if each.broken]
        figures: dict[str, float | None] = {"value": len(failed), "threshold": 0}
        if not failed:
            return self.outcome(True, figures, message=f"All {len(tests)} tests pass.")
        return self.outcome(
            False, figures, failures="; ".join(f"{each.promise.rstrip('.')}: {each.broken}" for each in failed)
        )


class RobustnessGate(Gate):
    """Predictions do not depend on the order of columns and do not fail on missing values
    {problems}.

    Select columns by name, and impute the columns that schema.py allows to be missing."""

    id = "ROBUSTNESS"

    def evaluate(self, evidence: Evidence) -> Outcome:
        """Pass if reordered columns change nothing and each nullable column may be missing."""
        robustness = evidence.robustness
        if robustness is None:
            return self.not_applicable(NOT_LOADED)
        problems = [f"With {name!r} missing: {problem}" for name, problem in robustness.missing.items()]
        if robustness.order:
            problems.insert(0, f"With the columns in another order: {robustness.order}")
        figures: dict[str, float | None] = {"value": len(problems), "threshold": 0}
        if not problems:
            tested = f"another order of the columns, and {robustness.tried} columns that may be missing, one by one"
            return self.outcome(True, figures, message=f"Tested: {tested}.")
        return self.outcome(False, figures, problems="; ".join(problems))


class DeterminismGate(Gate):
    """Training twice gives the same model
    The predictions after a second training with the same inputs differ by up to {largest:.3g}; at most {tolerance:g} is
    allowed.

    Pass `seed` to everything that is random."""

    id = "DETERMINISM"

    def evaluate(self, evidence: Evidence) -> Outcome:
        """Pass if a second training gives the same predictions."""
        determinism, tolerance = evidence.determinism, evidence.rules.determinism.tolerance
        if determinism is None:
            return self.not_applicable(NOT_LOADED)
        if determinism.unknown or determinism.failure:
            reason = determinism.unknown or "it failed, which CONTAMINATION judges"
            return self.not_applicable(f"The training could not be repeated: {reason}.")
        if determinism.repeats:
            return self.not_applicable("Two more trainings agree with each other; CONTAMINATION judges the difference.")
        return self.outcome(
            determinism.largest <= tolerance, {"value": determinism.largest, "threshold": tolerance},
            largest=determinism.largest, tolerance=tolerance,
        )  # fmt: skip


class ContaminationGate(Gate):
    """The model has learnt from the training rows alone
    {problem}

    A fit must use nothing but the rows that it is given: no file of data/, no history of Git, no network. What it needs
    beside them belongs into src/ or into an installed package."""

    id = "CONTAMINATION"

    def evaluate(self, evidence: Evidence) -> Outcome:
        """Pass if a training that can read no other rows gives the registered version's predictions, or none does."""
        determinism, tolerance = evidence.determinism, evidence.rules.determinism.tolerance
        if determinism is None:
            return self.not_applicable(NOT_LOADED)
        if determinism.unknown:
            return self.not_applicable(f"The training could not be repeated: {determinism.unknown}.")
        figures: dict[str, float | None] = {"value": determinism.largest, "threshold": tolerance}
        if determinism.failure:
            problem = (
                f"A training that is given the training rows, and can read no others, fails: {determinism.failure}"
            )
            return self.outcome(False, figures, problem=problem)
        if determinism.repeats:
            problem = (
                f"Trained again with the training rows alone, twice, it is the same model both times, and not the "
                f"registered one: predictions differ by up to {determinism.largest:.3g}. So the registered version has "
                "learnt from something else, such as the held-out rows."
            )
            return self.outcome(False, figures, problem=problem)
        message = "A training that can read no rows but the training rows gives the same predictions."
        if determinism.repeats is False:
            message = "The training is not repeatable (DETERMINISM), so what it has learnt from cannot be found out."
        return self.outcome(True, figures, message=message)


class LatencyGate(Gate):
    """Predictions are fast enough
    A request of one row takes {latency:.1f} ms: {ratios}.{limit}

    Use a faster model, or change the limits under [gates.latency] in model.toml."""

    id = "LATENCY"

    def evaluate(self, evidence: Evidence) -> Outcome:
        """Pass if a request takes not too many times as long as with the champion, and as with a baseline estimator.

        All are measured in turns, through the code of the server. A duration is judged only if model.toml has a limit.
        """
        cost, rules = evidence.budgets, evidence.rules.latency
        if cost is None:
            return self.not_applicable(NOT_LOADED)
        references = [(cost.baseline_ms, rules.baseline_times, "a baseline estimator")]
        if cost.champion_ms is not None:
            references.insert(0, (cost.champion_ms, rules.times, "the champion"))
        ratios = [(cost.request_ms / max(reference, SHORTEST_MS), times, f"with {name} ({reference:.1f} ms)")
                  for reference, times, name in references]  # fmt: skip
        limit = (
            f" 95 of 100 take at most {cost.p95_ms:.1f} ms; {rules.p95_ms:g} ms are allowed." if rules.p95_ms else ""
        )
        is_short = rules.p95_ms is None or cost.p95_ms <= rules.p95_ms
        return self.outcome(
            is_short and all(ratio <= times for ratio, times, _ in ratios),
            {"value": ratios[0][0], "threshold": ratios[0][1]},
            latency=cost.request_ms, limit=limit,
            ratios=", ".join(f"{ratio:.1f} times as long as {name}, at most {times:g} times is allowed"
                             for ratio, times, name in ratios),
        )  # fmt: skip


class SizeGate(Gate):
    """The model is small enough
    The model file has {file:.1f} MiB ({file_limit:g} MiB are allowed); in memory, the model takes {memory:.1f} MiB
    ({memory_limit:g} MiB are allowed).

    Use a smaller model, or change the limits under [gates.size] in model.toml."""

    id = "SIZE"

    def evaluate(self, evidence: Evidence) -> Outcome:
        """Pass if the file and the model in memory are within their limits."""
        cost, rules = evidence.budgets, evidence.rules.size
        if cost is None:
            return self.not_applicable(NOT_LOADED)
        return self.outcome(
            cost.file_mib <= rules.file_mib and cost.memory_mib <= rules.memory_mib,
            {"value": cost.memory_mib, "threshold": rules.memory_mib},
            file=cost.file_mib, file_limit=rules.file_mib, memory=cost.memory_mib, memory_limit=rules.memory_mib,
        )  # fmt: skip
