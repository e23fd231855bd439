"""Gates about groups of rows that a better average can harm."""

from collections.abc import Sequence

from gitops_ml.config import FairnessConfig
from gitops_ml.training.evidence import Evidence
from gitops_ml.training.findings.fairness import MINIMUM_LABELS, Disparity
from gitops_ml.training.gates.gate import NO_CHAMPION, Gate, Outcome

NOT_FINITE = "Some predictions are NaN or infinite, so the losses cannot be measured."


class SlicesGate(Gate):
    """On no slice of the rows is the challenger much worse than the champion
    On the slice {name} ({rows} rows), the mean loss per row is {difference} than the champion's. The confidence
    interval of the difference (positive: the challenger is worse) is [{low:+.4f}, {high:+.4f}]; it is widened because
    {measured} slice(s) were measured. The gate fails if the whole interval lies above the margin of {margin:g}.

    Look at these rows, or raise `margin` under [gates.slices] in model.toml."""

    id = "SLICES"

    def evaluate(self, evidence: Evidence) -> Outcome:
        """Pass if no slice's interval, which is widened for the number of slices, lies above the margin."""
        losses, rules = evidence.losses, evidence.rules.slices
        if evidence.champion_gain is None:
            return self.not_applicable(NO_CHAMPION)
        if losses is None:
            return self.not_applicable(NOT_FINITE)
        if not losses.worst:
            return self.not_applicable(f"No slice has at least {rules.minimum_rows} held-out rows.")
        worst = losses.worst[0]
        return self.outcome(
            worst.low <= rules.margin,
            {"value": worst.loss, "threshold": rules.margin, "low": worst.low, "high": worst.high},
            name=worst.name, rows=worst.rows, difference=f"{abs(worst.loss):.4f} {_higher_or_lower(worst.loss)}",
            low=worst.low, high=worst.high, margin=rules.margin, measured=losses.measured,
        )  # fmt: skip


class FairnessGate(Gate):
    """Differences between the declared groups are within the thresholds
    {differences}.

    Improve the model for these groups, or change the thresholds under [gates.fairness] in model.toml."""

    id = "FAIRNESS"

    def evaluate(self, evidence: Evidence) -> Outcome:
        """Pass if every measure of every attribute is within its threshold."""
        rules, disparities = evidence.rules.fairness, evidence.disparities
        if not rules.attributes:
            return self.not_applicable(
                "Fairness was not measured: no attribute is declared under [gates.fairness] in model.toml.", aloud=True
            )
        if not disparities:
            if evidence.not_finite:
                return self.not_applicable("Fairness was not measured: some predictions are NaN or infinite.")
            return self.not_applicable(
                "Fairness was not measured: no attribute has two groups with enough rows "
                f"({', '.join(rules.attributes)}; at least {rules.minimum_rows} rows in each group are needed)."
            )
        worst = max(disparities, key=lambda each: each.value - getattr(rules, each.measure))
        exceeding = [each for each in disparities if each.value > getattr(rules, each.measure)]
        text = "; ".join(
            f"the groups of {each.attribute}, {_groups(each.groups)}, differ in {each.measure} by {each.value:.4f}, "
            f"and at most {getattr(rules, each.measure):g} is allowed" for each in exceeding or [worst]
        )  # fmt: skip
        return self.outcome(
            not exceeding, {"value": worst.value, "threshold": getattr(rules, worst.measure)},
            differences=text[0].upper() + text[1:] + _describe_unmeasured(rules, disparities),
        )  # fmt: skip


class FlipsGate(Gate):
    """Few predictions become worse than the champion's
    On {count} held-out rows ({share:.1%}), the challenger's prediction is worse than the champion's: {rule}. At most
    {worse:.1%} of the rows are allowed.

    Users notice these rows first. Raise `worse` under [gates.flips] in model.toml if this is acceptable."""

    id = "FLIPS"

    def evaluate(self, evidence: Evidence) -> Outcome:
        """Pass if the share of negative flips is within the limit, whatever the gain is elsewhere."""
        negative_flips, worse = evidence.harm, evidence.rules.flips.worse
        if negative_flips is None:
            return self.not_applicable(NO_CHAMPION)
        return self.outcome(
            negative_flips.share <= worse, {"value": negative_flips.share, "threshold": worse},
            count=negative_flips.count, share=negative_flips.share, rule=negative_flips.rule, worse=worse,
        )  # fmt: skip


class CalibrationGate(Gate):
    """Predicted probabilities are calibrated
    {figures_text}.

    Calibrate the estimator (scikit-learn's CalibratedClassifierCV), or change [gates.calibration] in model.toml."""

    id = "CALIBRATION"

    def evaluate(self, evidence: Evidence) -> Outcome:
        """Pass if the calibration error is within its limit and the Brier score is not worse than the champion's."""
        calibration, rules = evidence.calibration, evidence.rules.calibration
        if calibration is None:
            return self.not_applicable("The challenger predicts no probabilities, or some are NaN or infinite.")
        text = f"The expected calibration error is {calibration.ece:.4f} and may be at most {rules.ece:g}"
        worse = calibration.brier is not None and calibration.brier.high < -rules.margin
        if calibration.brier:
            text += (
                f". The gain in Brier score over the champion (positive: the challenger is better) is "
                f"{calibration.brier.point:+.4f}, with the {100 * evidence.rules.confidence:g}% confidence interval "
                f"[{calibration.brier.low:+.4f}, {calibration.brier.high:+.4f}]; the gate fails if the whole interval "
                f"lies below {-rules.margin:g}"
            )
        return self.outcome(
            calibration.ece <= rules.ece and not worse, {"value": calibration.ece, "threshold": rules.ece},
            figures_text=text,
        )  # fmt: skip


def _higher_or_lower(loss: float) -> str:
    return "higher" if loss >= 0 else "lower"


def _describe_unmeasured(rules: FairnessConfig, disparities: Sequence[Disparity]) -> str:
    """Return a sentence, without its full stop, about the groups and attributes that have too few rows."""
    small = {each.attribute: each.small_groups for each in disparities if each.small_groups}
    measured = {each.attribute for each in disparities}
    parts = [f"{_groups(groups)} of {attribute}" for attribute, groups in small.items()]
    parts += [f"all groups of {name} but at most one" for name in rules.attributes if name not in measured]
    least = f"{rules.minimum_rows} rows, {MINIMUM_LABELS} of them with and {MINIMUM_LABELS} without the label"
    return f". Not or only partly measured, for want of {least}: {'; '.join(parts)}" if parts else ""


def _groups(groups: dict[str, int]) -> str:
    named = [f"{name} ({rows} rows)" for name, rows in groups.items()]
    return " and ".join([", ".join(named[:-1]), named[-1]]) if len(named) > 1 else named[0]
