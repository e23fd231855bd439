"""Margins of a gain: in the metric's own unit, or as a share of the other version's value."""

from dataclasses import dataclass

from gitops_ml.config import UNBOUNDED_METRICS
from gitops_ml.training.evidence import Evidence


@dataclass(frozen=True)
class Margin:
    """Limit for the lower end of a gain's interval.

    Attributes:
        value: Limit, in the metric's unit.
        text: Limit for people, with the share that it is.
    """

    value: float
    text: str


def resolve_margin(evidence: Evidence, setting: float, whose: str, name: str) -> Margin:
    """Return the limit that a setting means.

    The unit of rmse and mae is the target's, and log_loss has no upper limit: a fixed number means nothing without
    knowing the data. So the setting is a share of the other version's value on the holdout for these metrics.

    Args:
        evidence: Figures of both versions.
        setting: Margin in model.toml; negative if the challenger may be worse.
        whose: Key of the other version in the evidence's metrics, "champion" or "baseline".
        name: Name of the other version in the text.
    """
    if evidence.metric not in UNBOUNDED_METRICS or setting == 0:
        return Margin(setting, f"{setting:g}")
    value = setting * abs(evidence.value(whose))
    return Margin(value, f"{value:.4g} ({100 * abs(setting):g}% of {name}'s {evidence.metric})")
