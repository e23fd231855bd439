"""Evidence: the figures that the gates look at, gathered once, for champion and challenger on the same holdout.

It is frozen, and whole: written down as JSON, it can be judged again by any gate, with nothing loaded.
"""

from typing import Any

from pydantic import ConfigDict
from sklearn.dummy import DummyClassifier, DummyRegressor

from gitops_ml.config import Gates
from gitops_ml.predictions import Predictions, predict
from gitops_ml.run import Document
from gitops_ml.training.findings.behaviour import Behaviour, behaviour
from gitops_ml.training.findings.budgets import Budgets, budgets
from gitops_ml.training.findings.calibration import Calibration, calibration
from gitops_ml.training.findings.claims import Claim, claims
from gitops_ml.training.findings.determinism import Determinism, determinism
from gitops_ml.training.findings.fairness import Disparity, fairness
from gitops_ml.training.findings.harm import Harm, harm
from gitops_ml.training.findings.leaks import Leak, leaks
from gitops_ml.training.findings.losses import Losses, losses
from gitops_ml.training.findings.provenance import Provenance, provenance
from gitops_ml.training.findings.robustness import Robustness, robustness
from gitops_ml.training.findings.signature import Signature, signature
from gitops_ml.training.findings.twins import Twins, twins
from gitops_ml.training.gain import Interval, gain
from gitops_ml.training.mcnemar import McNemar, mcnemar
from gitops_ml.training.metrics import measure_all
from gitops_ml.training.review import Review
from gitops_ml.training.seal import Broken, broken
from gitops_ml.training.sketch import share_new
from gitops_ml.training.split import incomparable
from gitops_ml.training.trial import Scored, Trial

STRONGEST = 5


class Evidence(Document):
    """What the gates look at.

    Attributes:
        rules: The gates' thresholds.
        metric: That decides.
        rows: How many rows are held out.
        metrics: Of "challenger", "champion" and "baseline", by metric.
        not_finite: How many of the challenger's predictions are NaN or infinite.
        baseline_gain: Over a trivial estimator.
        champion_gain: Over the champion; None where there is none.
        mcnemar: On how many rows one of the two classifiers alone is right; None without champion, or of numbers.
        share_new: Which share of the challenger's data the champion has not seen, in [0, 1]; None without champion.
        incomparable: Why the two cannot be compared, or None.
        signature: What would be different for callers; None without champion.
        provenance: Where the challenger came from.
        claims: What its training said and is not so; None where nobody can tell.
        review: What was loosened on the way to this.
        broken: What became of the rows that the champion's run noted; None where it noted none.
        twins: Held-out rows among the training rows.
        leaks: The strongest columns.
        losses: Slices on which the champion is better; None without champion.
        disparities: Between the groups that model.toml declares.
        calibration: None where there are no probabilities.
        harm: Right answers that go wrong; None without champion.
        behaviour: The owner's own tests; None where there are none.
        robustness: None where the model is not at hand, as all below.
        determinism: What a second training says.
        budgets: Time and space.
    """

    # A NaN stays one: a gate that reads this again must see what the first one saw.
    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="constants")

    rules: Gates
    metric: str
    rows: int
    metrics: dict[str, dict[str, float]]
    not_finite: int
    baseline_gain: Interval
    champion_gain: Interval | None = None
    mcnemar: McNemar | None = None
    share_new: float | None = None
    incomparable: str | None = None
    signature: Signature | None = None
    provenance: Provenance | None = None
    claims: tuple[Claim, ...] | None = None
    review: Review | None = None
    broken: Broken | None = None
    twins: Twins = Twins(count=0, share=0.0, examples=())
    leaks: tuple[Leak, ...] = ()
    losses: Losses | None = None
    disparities: tuple[Disparity, ...] = ()
    calibration: Calibration | None = None
    harm: Harm | None = None
    behaviour: tuple[Behaviour, ...] | None = None
    robustness: Robustness | None = None
    determinism: Determinism | None = None
    budgets: Budgets | None = None

    def value(self, whose: str) -> float:
        """The metric that decides, of "challenger", "champion" or "baseline"; NaN where there is none."""
        return self.metrics.get(whose, {}).get(self.metric, float("nan"))


def gather(trial: Trial) -> Evidence:
    """Find out everything that a gate asks, once.

    Raises:
        ConfigError: model.toml declares a slice or an attribute that the data does not have, or the owner's tests
            cannot be imported.
    """
    config, truth, said = trial.config, trial.truth, trial.challenger.predictions
    baseline = _baseline(trial)
    measured = {name: measure_all(truth, side, config.data.positive)
                for name, side in (("challenger", said), ("baseline", baseline))}  # fmt: skip
    alone = Evidence(
        rules=config.gates,
        metric=trial.metric,
        rows=len(truth),
        metrics=measured,
        not_finite=said.not_finite,
        baseline_gain=gain(config, truth, said, baseline),
        provenance=provenance(trial),
        claims=claims(trial, measured["challenger"]),
        review=trial.review,
        twins=twins(trial),
        leaks=leaks(trial)[:STRONGEST],
        disparities=fairness(trial),
        calibration=calibration(trial),
        behaviour=behaviour(trial),
        robustness=robustness(trial),
        determinism=determinism(trial),
        budgets=budgets(trial),
    )
    return _beside(alone, trial, trial.champion) if trial.champion else alone


def _beside(alone: Evidence, trial: Trial, champion: Scored) -> Evidence:
    """The same with what only a comparison can tell."""
    told: dict[str, Any] = {"signature": signature(trial), "losses": losses(trial), "harm": harm(trial)}
    data, prepared = trial.config.data, trial.prepared
    if champion.seal:
        told["broken"] = broken(champion.seal, prepared.rows, prepared.held_out, data.key, data.target)
    return against(alone, trial, champion).model_copy(update=told)


def against(evidence: Evidence, trial: Trial, other: Scored) -> Evidence:
    """The same evidence with another version in the champion's place; what is known of the challenger stays."""
    config, truth = trial.config, trial.truth
    theirs = measure_all(truth, other.predictions, config.data.positive)
    return evidence.model_copy(
        update={
            "metrics": {**evidence.metrics, "champion": theirs},
            "champion_gain": gain(config, truth, trial.challenger.predictions, other.predictions),
            "mcnemar": mcnemar(truth, trial.challenger.predictions, other.predictions),
            "share_new": share_new(trial.challenger.sketch, other.sketch),
            "incomparable": incomparable(other.run.lineage.split, config.split),
        }
    )


def _baseline(trial: Trial) -> Predictions:
    """What the most common answer, or the mean, says of the held-out rows; such an estimator looks at no feature."""
    rows, target = trial.prepared.rows, trial.config.data.target
    is_label = trial.config.project.task == "classification"
    estimator: Any = DummyClassifier(strategy="prior") if is_label else DummyRegressor()
    return predict(estimator.fit(rows, rows[target].to_numpy()), trial.prepared.held_out)
