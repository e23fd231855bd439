# machinery
"""Evidence: what the gates look at, gathered once, for champion and challenger on the same holdout."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import sklearn
from scipy.stats import bootstrap
from sklearn.dummy import DummyClassifier, DummyRegressor

from gitops.config import Config
from gitops.predictions import Predictions, predict, same
from gitops.run import Run
from gitops.training.metrics import measure, measure_all, orient
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
        predictions: Of the held-out rows, in their order.
        own_code: It was scored by its own commit and lock, since today's would change what it says.
    """

    number: str
    digest: str
    run: Run
    sketch: list[int]
    predictions: Predictions
    own_code: bool


@dataclass(frozen=True)
class Interval:
    """A gain of the challenger, oriented so that more is better, with its bootstrap interval."""

    low: float
    point: float
    high: float


@dataclass(frozen=True)
class Evidence:
    """What the gates look at.

    Attributes:
        config: The gates' thresholds.
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
    if champion:
        sides["champion"] = champion.predictions
    gains = {
        name: _gain(config, truth, challenger.predictions, other)
        for name, other in sides.items()
        if name != "challenger"
    }
    return Evidence(
        config=config,
        rows=len(truth),
        challenger=challenger,
        champion=champion,
        metrics={name: measure_all(truth, side, config.data.positive) for name, side in sides.items()},
        baseline_gain=gains["baseline"],
        champion_gain=gains.get("champion"),
        share_new=share_new(challenger.sketch, champion.sketch) if champion else None,
        incomparable=incomparable(champion.run.lineage.split, config.split) if champion else None,
    )


def _baseline(config: Config, prepared: Prepared) -> Predictions:
    """What the most common answer, or the mean, says of the held-out rows; such an estimator looks at no feature."""
    estimator: Any = DummyClassifier(strategy="prior") if config.project.task == "classification" else DummyRegressor()
    fitted = estimator.fit(prepared.rows, prepared.rows[config.data.target].to_numpy())
    return predict(fitted, prepared.held_out)


def _gain(config: Config, truth: "np.ndarray[Any, Any]", ours: Predictions, theirs: Predictions) -> Interval:
    """The paired bootstrap interval of the gain: both are measured on the same resampled rows (percentile method;
    Efron and Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 13)."""
    metric, positive, gates = config.evaluation.metric, config.data.positive, config.gates

    def gain(rows: "np.ndarray[Any, Any]") -> float:
        left, right = (measure(metric, truth[rows], side.take(rows), positive) for side in (ours, theirs))
        return orient(metric, left) - orient(metric, right)

    every = np.arange(len(truth))
    point = gain(every)
    if not np.isfinite(point) or same(ours, theirs, 0.0):
        return Interval(point, point, point)
    # The same arrays are measured a thousand times; they need no checking each time.
    with sklearn.config_context(assume_finite=True, skip_parameter_validation=True):
        found = bootstrap(
            (every,), gain, vectorized=False, n_resamples=gates.resamples, confidence_level=gates.confidence,
            method="percentile", rng=config.training.seed,
        )  # fmt: skip
    # A resample without a single row of a rare class has no roc_auc; it says nothing, the others do.
    tail = (1 - gates.confidence) / 2
    low, high = np.nanquantile(found.bootstrap_distribution, [tail, 1 - tail])
    return Interval(float(low), point, float(high))
