"""Evidence: the figures that the gates evaluate, collected once for champion and challenger on the same holdout.

The evidence is immutable and complete: gates can evaluate it again from its JSON, without any model or data.
"""

from typing import Any

from pydantic import ConfigDict
from sklearn.dummy import DummyClassifier, DummyRegressor

from gitops_ml.config import GatesConfig
from gitops_ml.predictions import Predictions, predict
from gitops_ml.run import Document
from gitops_ml.training.comparison_input import ComparisonInput, ScoredVersion
from gitops_ml.training.findings.behaviour import BehaviourTest, run_behaviour_tests
from gitops_ml.training.findings.calibration import Calibration, measure_calibration
from gitops_ml.training.findings.claims import Claim, check_claims
from gitops_ml.training.findings.determinism import Determinism, check_determinism
from gitops_ml.training.findings.duplicates import DuplicateRows, find_duplicates
from gitops_ml.training.findings.fairness import Disparity, measure_disparities
from gitops_ml.training.findings.leaks import Leak, find_leaks
from gitops_ml.training.findings.losses import SliceLosses, measure_slice_losses
from gitops_ml.training.findings.model_cost import ModelCost, measure_cost
from gitops_ml.training.findings.negative_flips import NegativeFlips, find_negative_flips
from gitops_ml.training.findings.provenance import Provenance, check_provenance
from gitops_ml.training.findings.robustness import Robustness, check_robustness
from gitops_ml.training.findings.signature import SignatureChanges, compare_signatures
from gitops_ml.training.gain import Interval, gain
from gitops_ml.training.key_sample import share_new
from gitops_ml.training.mcnemar import McNemar, mcnemar
from gitops_ml.training.metrics import measure_all
from gitops_ml.training.review import Review
from gitops_ml.training.row_fingerprints import RowChanges, find_row_changes
from gitops_ml.training.split import explain_incomparable_splits


class Evidence(Document):
    """The figures that the gates evaluate.

    Attributes:
        rules: Settings of the gates.
        metric: Name of the metric that decides.
        rows: Number of held-out rows.
        metrics: Metrics of "challenger", "champion" and "baseline", by name.
        not_finite: Number of the challenger's predictions that are NaN or infinite.
        baseline_gain: The challenger's gain over a trivial estimator.
        champion_gain: The challenger's gain over the champion; None without a champion.
        mcnemar: Test of how often each classifier is right; None without a champion, or for regression.
        share_new: Share of the challenger's rows that the champion's data did not contain, in [0, 1]; None without a
            champion.
        incomparable: Reason why the versions cannot be compared on the held-out rows, or None.
        cutoff: Time from which on rows are compared, if the split is by time.
        signature: Changes in the model's columns and labels; None without a champion.
        provenance: Reproducibility of the challenger.
        claims: Metrics that training recorded wrongly; None if they cannot be checked.
        review: Rules that were loosened before this comparison.
        broken: Changes of the rows that the champion's run recorded; None if it recorded none.
        twins: Held-out rows among the training rows.
        leaks: Columns that predict the target best by themselves, and their relation to the other columns.
        losses: Slices on which the champion is better; None without a champion.
        disparities: Differences between the groups that model.toml declares.
        calibration: Calibration of the probabilities; None without probabilities.
        harm: Correct predictions that become wrong; None without a champion.
        behaviour: Results of the user's behaviour tests; None if there are none.
        robustness: Results with reordered and missing columns; None if the model is not loaded.
        determinism: Result of a second training; None if only predictions are compared.
        budgets: Cost of the model (latency and size); None if the model is not loaded.
    """

    # NaN is kept: a gate that reads the evidence again must see the same values.
    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="constants")

    rules: GatesConfig
    metric: str
    rows: int
    metrics: dict[str, dict[str, float]]
    not_finite: int
    baseline_gain: Interval
    champion_gain: Interval | None = None
    mcnemar: McNemar | None = None
    share_new: float | None = None
    incomparable: str | None = None
    cutoff: str | None = None
    signature: SignatureChanges | None = None
    provenance: Provenance | None = None
    claims: tuple[Claim, ...] | None = None
    review: Review | None = None
    broken: RowChanges | None = None
    twins: DuplicateRows = DuplicateRows(count=0, share=0.0, examples=())
    leaks: tuple[Leak, ...] = ()
    losses: SliceLosses | None = None
    disparities: tuple[Disparity, ...] = ()
    calibration: Calibration | None = None
    harm: NegativeFlips | None = None
    behaviour: tuple[BehaviourTest, ...] | None = None
    robustness: Robustness | None = None
    determinism: Determinism | None = None
    budgets: ModelCost | None = None

    def value(self, whose: str) -> float:
        """Return the metric that decides; NaN if there is none.

        Args:
            whose: "challenger", "champion" or "baseline".
        """
        return self.metrics.get(whose, {}).get(self.metric, float("nan"))


def gather(inputs: ComparisonInput) -> Evidence:
    """Return the evidence about the challenger.

    Args:
        inputs: Versions to compare.

    Raises:
        ConfigError: model.toml declares a slice or an attribute that the data does not have, or the behaviour tests
            cannot be imported.
    """
    config, labels, predictions = inputs.config, inputs.labels, inputs.challenger.predictions
    baseline = _baseline(inputs)
    measured = {name: measure_all(labels, side, config.data.positive)
                for name, side in (("challenger", predictions), ("baseline", baseline))}  # fmt: skip
    evidence = Evidence(
        rules=config.gates,
        metric=inputs.metric,
        rows=len(labels),
        metrics=measured,
        not_finite=predictions.not_finite_count,
        baseline_gain=gain(config, labels, predictions, baseline),
        provenance=check_provenance(inputs),
        claims=check_claims(inputs, measured["challenger"]),
        review=inputs.review,
        incomparable=_explain_incomparable(inputs, inputs.challenger, "the challenger"),
        cutoff=inputs.prepared.lineage.cutoff,
        twins=find_duplicates(inputs),
        leaks=find_leaks(inputs),
        disparities=measure_disparities(inputs),
        calibration=measure_calibration(inputs),
        behaviour=run_behaviour_tests(inputs),
        robustness=check_robustness(inputs),
        determinism=check_determinism(inputs),
        budgets=measure_cost(inputs),
    )
    return _add_champion(evidence, inputs, inputs.champion) if inputs.champion else evidence


def _add_champion(evidence: Evidence, inputs: ComparisonInput, champion: ScoredVersion) -> Evidence:
    """Return the evidence with the figures that compare the challenger with the champion."""
    comparisons: dict[str, Any] = {
        "signature": compare_signatures(inputs),
        "losses": measure_slice_losses(inputs),
        "harm": find_negative_flips(inputs),
    }
    data, prepared = inputs.config.data, inputs.prepared
    if champion.fingerprints:
        comparisons["broken"] = find_row_changes(
            champion.fingerprints,
            prepared.rows,
            prepared.held_out,
            data.key,
            data.target,
            champion.run.columns,
            prepared.set_aside,
        )
    return replace_champion(evidence, inputs, champion).model_copy(update=comparisons)


def replace_champion(evidence: Evidence, inputs: ComparisonInput, other: ScoredVersion) -> Evidence:
    """Return the evidence with another version in the champion's place; figures about the challenger alone stay.

    Args:
        evidence: Evidence about the challenger.
        inputs: Versions to compare.
        other: Version to compare with, scored on the same holdout.
    """
    config, labels = inputs.config, inputs.labels
    other_metrics = measure_all(labels, other.predictions, config.data.positive)
    return evidence.model_copy(
        update={
            "metrics": {**evidence.metrics, "champion": other_metrics},
            "champion_gain": gain(config, labels, inputs.challenger.predictions, other.predictions),
            "mcnemar": mcnemar(labels, inputs.challenger.predictions, other.predictions),
            "share_new": share_new(inputs.challenger.key_sample, other.key_sample),
            "incomparable": _explain_incomparable(inputs, inputs.challenger, "the challenger")
            or _explain_incomparable(inputs, other, "the champion"),
        }
    )


def _explain_incomparable(inputs: ComparisonInput, version: ScoredVersion, subject: str) -> str | None:
    """Return why a version may have been trained on rows that judge it; None if it was not."""
    splits = explain_incomparable_splits(version.run.lineage.split, inputs.config.split, subject)
    return splits or inputs.incomparable


def _baseline(inputs: ComparisonInput) -> Predictions:
    """Return a baseline's predictions for the held-out rows: the class shares, or the mean; no feature is used."""
    rows, target = inputs.prepared.rows, inputs.config.data.target
    is_label = inputs.config.project.task == "classification"
    estimator: Any = DummyClassifier(strategy="prior") if is_label else DummyRegressor()
    return predict(estimator.fit(rows, rows[target].to_numpy()), inputs.prepared.held_out)
