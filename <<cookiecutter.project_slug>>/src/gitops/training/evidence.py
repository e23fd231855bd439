# machinery
"""Evidence: what the gates look at, gathered once, for champion and challenger on the same holdout."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from sklearn.dummy import DummyClassifier, DummyRegressor

from gitops.config import Config
from gitops.predictions import Predictions, predict
from gitops.run import Run
from gitops.training.gain import Interval, gain
from gitops.training.metrics import measure_all
from gitops.training.sketch import share_new
from gitops.training.split import incomparable
from gitops.training.train import Prepared


@dataclass(frozen=True)
class Scored:
    """A version and what it says of the holdout.

    Attributes:
        number: The registry's.
        digest: Of its files.
        run: What its training said of itself; none of its metrics is used.
        sketch: Which rows its data had.
        reference: How its training rows were distributed.
        predictions: Of the held-out rows, in their order.
        own_code: It was scored by its own commit and lock, since today's would change what it says.
    """

    number: str
    digest: str
    run: Run
    sketch: list[int]
    reference: dict[str, Any]
    predictions: Predictions
    own_code: bool


@dataclass(frozen=True)
class Evidence:
    """What the gates look at.

    Attributes:
        config: The gates' thresholds.
        prepared: The split rows.
        rows: How many rows are held out.
        challenger: The version on trial.
        champion: The version that the record names, or None.
        metrics: Of "challenger", "champion" and "baseline", by metric.
        baseline_gain: Over a trivial estimator.
        champion_gain: Over the champion; None where there is none.
        share_new: Which share of the challenger's data the champion has not seen, in [0, 1]; None without champion.
        incomparable: Why the two cannot be compared, or None.
    """

    config: Config
    prepared: Prepared
    rows: int
    challenger: Scored
    champion: Scored | None
    metrics: dict[str, dict[str, float]]
    baseline_gain: Interval
    champion_gain: Interval | None
    share_new: float | None
    incomparable: str | None

    @property
    def metric(self) -> str:
        """The metric that decides."""
        return self.config.evaluation.metric

    @property
    def truth(self) -> "np.ndarray[Any, Any]":
        """The target of the held-out rows."""
        truth: np.ndarray[Any, Any] = self.prepared.held_out[self.config.data.target].to_numpy()
        return truth

    def value(self, whose: str) -> float:
        """The metric that decides, of "challenger", "champion" or "baseline"; NaN where there is none."""
        return self.metrics.get(whose, {}).get(self.metric, float("nan"))


def gather(config: Config, prepared: Prepared, challenger: Scored, champion: Scored | None) -> Evidence:
    """Measure champion, challenger and baseline, and the gains of the challenger.

    Args:
        config: Whose metric and resamples are used.
        prepared: The split rows; the baseline is fitted on its training rows.
        challenger: Scored on the held-out rows.
        champion: The same, or None.
    """
    truth = prepared.held_out[config.data.target].to_numpy()
    sides = {"challenger": challenger.predictions, "baseline": _baseline(config, prepared)}
    alone = Evidence(
        config=config,
        prepared=prepared,
        rows=len(truth),
        challenger=challenger,
        champion=None,
        metrics={name: measure_all(truth, side, config.data.positive) for name, side in sides.items()},
        baseline_gain=gain(config, truth, challenger.predictions, sides["baseline"]),
        champion_gain=None,
        share_new=None,
        incomparable=None,
    )
    return against(alone, champion) if champion else alone


def against(evidence: Evidence, other: Scored) -> Evidence:
    """The same evidence with another version in the champion's place; what is known of the challenger stays."""
    config, truth, challenger = evidence.config, evidence.truth, evidence.challenger
    return replace(
        evidence,
        champion=other,
        metrics={**evidence.metrics, "champion": measure_all(truth, other.predictions, config.data.positive)},
        champion_gain=gain(config, truth, challenger.predictions, other.predictions),
        share_new=share_new(challenger.sketch, other.sketch),
        incomparable=incomparable(other.run.lineage.split, config.split),
    )


def _baseline(config: Config, prepared: Prepared) -> Predictions:
    """What the most common answer, or the mean, says of the held-out rows; such an estimator looks at no feature."""
    estimator: Any = DummyClassifier(strategy="prior") if config.project.task == "classification" else DummyRegressor()
    fitted = estimator.fit(prepared.rows, prepared.rows[config.data.target].to_numpy())
    return predict(fitted, prepared.held_out)
