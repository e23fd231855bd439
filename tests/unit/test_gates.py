"""The gates: for each, evidence that it passes and evidence that it refuses."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache, partial
from typing import Any, get_args

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit
from scipy.stats import binomtest

from gitops_ml.config import Config, GateId, SplitConfig, parse_config
from gitops_ml.manifest import digest_json
from gitops_ml.predictions import Predictions
from gitops_ml.run import Lineage, Run
from gitops_ml.training.compare import Comparison, compare
from gitops_ml.training.comparison_input import ComparisonInput, ScoredVersion
from gitops_ml.training.evidence import Evidence, gather
from gitops_ml.training.findings.behaviour import BehaviourTest
from gitops_ml.training.findings.calibration import Calibration
from gitops_ml.training.findings.claims import Claim
from gitops_ml.training.findings.determinism import Determinism
from gitops_ml.training.findings.duplicates import DuplicateRows
from gitops_ml.training.findings.fairness import Disparity
from gitops_ml.training.findings.leaks import Leak
from gitops_ml.training.findings.losses import SliceLoss, SliceLosses
from gitops_ml.training.findings.model_cost import ModelCost
from gitops_ml.training.findings.negative_flips import NegativeFlips
from gitops_ml.training.findings.provenance import Provenance
from gitops_ml.training.findings.robustness import Robustness
from gitops_ml.training.findings.signature import SignatureChanges
from gitops_ml.training.gain import Interval
from gitops_ml.training.gates import GATES, Outcome
from gitops_ml.training.gates.subgroups import FairnessGate
from gitops_ml.training.mcnemar import McNemar
from gitops_ml.training.review import Review
from gitops_ml.training.row_fingerprints import RowChanges
from gitops_ml.training.train import PreparedData
from unit.sample import MODEL_TOML

ROWS = 300
CONFIG = parse_config(MODEL_TOML)
Make = Callable[[], Evidence]
OTHER_SPLIT = SplitConfig(method="hash", column="id", holdout=0.2)


def configured(old: str = "", new: str = "", **champion: Any) -> Config:
    """The sample's configuration with a change, and with other settings about the champion."""
    config = parse_config(MODEL_TOML.replace(old, new) if old else MODEL_TOML)
    rules = config.gates.champion.model_copy(update=champion)
    return config.model_copy(update={"gates": config.gates.model_copy(update={"champion": rules})})


def lineage(split: SplitConfig = CONFIG.split) -> Lineage:
    """A lineage of a made-up training."""
    return Lineage(
        commit=None, dirty=False, data="sha256:d", rows=2 * ROWS, holdout="sha256:h", holdout_rows=ROWS, split=split,
        training="sha256:t", configuration="sha256:c", lock=None, python="3.11", libraries={},
    )  # fmt: skip


def prepared(positives: float = 0.5) -> PreparedData:
    """Rows of which only the target matters; a share of them is "yes"."""
    labels = np.where(np.arange(ROWS) < round(ROWS * positives), "yes", "no")
    frame = pd.DataFrame({"id": [f"r{n}" for n in range(ROWS)], "label": labels})
    return PreparedData(frame, frame, frame["id"], lineage())


def predictions_of(strength: float, positives: float = 0.5, seed: int = 0) -> Predictions:
    """Predictions of a model that depends on the label with this strength, plus noise, with its probabilities."""
    is_yes = prepared(positives).held_out["label"].to_numpy() == "yes"
    noise = np.random.default_rng(seed).normal(size=ROWS)
    yes = expit(2 * strength * (strength * (2 * is_yes - 1) + noise))
    return Predictions(np.where(yes > 0.5, "yes", "no"), np.column_stack([1 - yes, yes]), ("no", "yes"))


def one_bad_prediction(value: float) -> Predictions:
    """Predictions of a perfect model, except for one row."""
    predictions = predictions_of(20)
    assert predictions.probabilities is not None
    predictions.probabilities[3, 1] = value
    return predictions


def scored_version(number: str, predictions: Predictions, split: SplitConfig, key_sample: list[int]) -> ScoredVersion:
    """A version with these predictions."""
    run = Run(
        model="sample", task="classification", created="2026-01-01", forced=False, key="id", target="label", columns={},
        classes=predictions.classes, parameters={}, metrics={}, lineage=lineage(split),
    )  # fmt: skip
    return ScoredVersion(number, digest_json(number), run, key_sample, {"columns": {}}, predictions, own_code=False)


def comparison_input(
    challenger: Predictions, champion: Predictions | None = None, *, config: Config = CONFIG, positives: float = 0.5,
    new: float = 0.0, champion_split: SplitConfig = CONFIG.split,
) -> ComparisonInput:  # fmt: skip
    """The input of a comparison of two models; a share of the challenger's data is new to the champion."""
    challenger_version = scored_version("2", challenger, config.split, list(range(100)))
    champion_version = (
        scored_version("1", champion, champion_split, list(range(round(100 * new), 100))) if champion else None
    )
    return ComparisonInput(config, prepared(positives=positives), challenger_version, champion_version)


def gathered_evidence(challenger: Predictions, champion: Predictions | None = None, **rules: Any) -> Evidence:
    """Evidence from such an input."""
    return gather(comparison_input(challenger, champion, **rules))


@cache
def measured_evidence(challenger: float, champion: float | None, metric: str) -> Evidence:
    """Evidence about two models of some strength; measured once for all rules."""
    config = configured('metric = "roc_auc"', f'metric = "{metric}"')
    return gathered_evidence(
        predictions_of(challenger), predictions_of(champion) if champion is not None else None, config=config
    )


def evidence(
    challenger: float = 2, champion: float | None = None, *, config: Config = CONFIG, rows: int = ROWS, new: float = 0.0
) -> Evidence:
    """The same evidence with other rules, other rows, and newer data."""
    measured = measured_evidence(challenger, champion, config.evaluation.metric)
    share = None if champion is None else new
    return measured.model_copy(update={"rules": config.gates, "rows": rows, "share_new": share})


def evidence_of(*strengths: float, **rules: Any) -> Make:
    """A function that returns this evidence."""
    return partial(evidence, *strengths, **rules)


def evidence_with(rules: str = "", champion: float | None = 1, **figures: Any) -> Make:
    """A function that returns evidence about a better model, with other figures and rules."""
    config = configured("[gates.floor]", f"{rules}\n[gates.floor]")
    return lambda: evidence(2, champion, config=config).model_copy(update=figures)


def outcome_of(gate: str, evidence: Evidence) -> Outcome:
    """The outcome of one gate."""
    return next(each for each in GATES if each.id == gate).outcome_of(evidence)


def refusing_gates(evidence: Evidence) -> tuple[str, ...]:
    """The gates that refuse."""
    return tuple(gate.id for gate in GATES if gate.outcome_of(evidence).verdict == "refused")


def signature(**changes: Any) -> SignatureChanges:
    """Signature changes between two versions."""
    return SignatureChanges(**{"added": (), "removed": (), "retyped": {}, "labels": (), **changes})


def provenance(**changes: Any) -> Provenance:
    """Complete provenance, except for these changes."""
    return Provenance(**{"dirty": False, "commit": True, "data": True, "unpinned": (), **changes})


def row_changes(**changes: Any) -> RowChanges:
    """A hundred unchanged rows on each side of the split, except for these changes."""
    unchanged = {"held": 100, "changed": 0, "gone": 0, "trained": 100, "relabelled": 0, "gone_share": 0.0}
    return RowChanges(**{**unchanged, **changes})


def slice_losses(low: float) -> SliceLosses:
    """One slice with this lower end of its interval."""
    return SliceLosses(
        measured=9, worst=(SliceLoss(name="kind = a", rows=40, loss=low + 0.1, low=low, high=low + 0.2),)
    )


def disparity(value: float) -> tuple[Disparity, ...]:
    """Two groups with this difference."""
    return (Disparity(attribute="kind", measure="equal_opportunity", value=value, groups={"a": 50, "b": 60}),)


def test_groups_with_too_few_rows_are_named() -> None:
    """A group that is not measured is not passed over in silence, nor is a declared column with one large group."""
    (measured,) = disparity(0.1)
    declared = '[gates.fairness]\nattributes = ["kind", "age"]'
    small = measured.model_copy(update={"small_groups": {"c": 9}})
    outcome = FairnessGate().evaluate(evidence_with(declared, disparities=(small,))())
    assert outcome.verdict == "passed"
    assert outcome.message.endswith(
        "is allowed. Not or only partly measured, for want of 30 rows, 5 of them with and 5 without the label: "
        "c (9 rows) of kind; all groups of age but at most one."
    )


def model_cost(**changes: Any) -> ModelCost:
    """Low costs, except for these changes."""
    cheap = {"request_ms": 5.0, "p95_ms": 6.0, "champion_ms": 4.0, "baseline_ms": 2.0, "file_mib": 1.0,
             "memory_mib": 1.0}  # fmt: skip
    return ModelCost(**{**cheap, **changes})


def behaviour_test(broken: str | None) -> tuple[BehaviourTest, ...]:
    """The result of one behaviour test."""
    return (BehaviourTest(name="test_it", promise="It holds.", broken=broken),)


DECLARED = '[gates.fairness]\nattributes = ["kind"]'
# for each gate: evidence that it passes, evidence that it refuses, and a part of its message
PAIRS: dict[str, tuple[Make, Make, str]] = {
    "FINITE": (
        evidence_of(2),
        partial(gathered_evidence, one_bad_prediction(np.nan)),
        "1 of the challenger's 300 predictions",
    ),
    "SCHEMA": (
        evidence_with(signature=signature()),
        evidence_with(signature=signature(added=("x9",), retyped={"x1": ("str", "float64")}, labels=("maybe",))),
        "Column 'x9' is new; column 'x1' is float64, was str; label 'maybe' is new or removed. Clients would",
    ),
    "PROVENANCE": (
        evidence_with(provenance=provenance()),
        evidence_with(provenance=provenance(dirty=True, unpinned=("numpy 1.0",))),
        "It was trained from files that are not committed; not as the lock pins: numpy 1.0.",
    ),
    "CLAIMS": (
        evidence_with(claims=()),
        evidence_with(claims=(Claim(metric="roc_auc", claimed=0.99, measured=0.7),)),
        "roc_auc was recorded as 0.9900 and is 0.7000, on the same rows.",
    ),
    "RULES": (
        evidence_with(review=Review(before="a" * 40, alone=("flips.worse: 0.1 → 0.2",))),
        evidence_with(review=Review(before="a" * 40, together=("flips.worse: 0.1 → 0.2",))),
        "Loosened: flips.worse: 0.1 → 0.2. The same change also changes the model's code, data or training",
    ),
    "HOLDOUT": (
        evidence_with(broken=row_changes(gone=10, gone_share=0.1)),
        evidence_with(broken=row_changes(changed=1)),
        "Of 100 held-out rows that the champion's run recorded, 1 have changed and 0 are gone; that counts as 1.0%",
    ),
    "LABELS": (
        evidence_with(broken=row_changes(relabelled=1)),
        evidence_with(broken=row_changes(relabelled=2)),
        "Of 100 training rows that the champion's run recorded, 2 have another target now (2.0%); at most 1.0% may.",
    ),
    "DUPLICATES": (
        evidence_with(twins=DuplicateRows(count=3, share=0.01, examples=("r1",))),
        evidence_with(twins=DuplicateRows(count=30, share=0.1, examples=("r1", "r2"))),
        "30 held-out rows (10.0%) are also training rows, under another key, such as 'r1', 'r2'; at most 5.0% may be.",
    ),
    "LEAKAGE": (
        evidence_with(leaks=(Leak(column="x1", strength=0.9),)),
        evidence_with(leaks=(Leak(column="x1", strength=0.999),)),
        "The column 'x1' alone predicts the target with a score of 0.9990 (1 is perfect); at most 0.99 is accepted.",
    ),
    "FLOOR": (
        evidence_of(2),
        evidence_of(config=configured("roc_auc = 0.6", "roc_auc = 0.999")),
        "must be at least 0.999.",
    ),
    "BASELINE": (
        evidence_of(2),
        evidence_of(0, config=configured("roc_auc = 0.6", "roc_auc = 0.3\n[gates.baseline]\nmargin = 0.1")),
        "a baseline that always predicts the most common label has 0.5000. The gain over the baseline (positive: the",
    ),
    "COMPARABLE": (
        evidence_of(2, 1),
        partial(gathered_evidence, predictions_of(2), predictions_of(1), champion_split=OTHER_SPLIT),
        "The split changed from hash of 'id' (0.2 of the rows) to hash of 'id' (0.4 of the rows)",
    ),
    "CHAMPION": (
        evidence_of(2, 1),
        evidence_with(champion_gain=Interval(-0.1, 0.0, 0.1)),
        "Policy improve fails: the lower end of the interval must be greater than 0;",
    ),
    "JUMP": (
        evidence_of(2, 1),
        evidence_with("[gates.jump]\nshare = 0.5"),
        "of the champion's distance to a perfect score; at most 50% is accepted at once.",
    ),
    "SLICES": (
        evidence_with(losses=slice_losses(0.01)),
        evidence_with(losses=slice_losses(0.06)),
        "On the slice kind = a (40 rows), the mean loss per row is 0.1600 higher than the champion's. The confidence "
        "interval of the difference (positive: the challenger is worse) is [+0.0600, +0.2600]; it is widened because "
        "9 slice(s) were measured. The gate fails if the whole interval lies above the margin of 0.05.",
    ),
    "FAIRNESS": (
        evidence_with(DECLARED, disparities=disparity(0.1)),
        evidence_with(DECLARED, disparities=disparity(0.3)),
        "The groups of kind, a (50 rows) and b (60 rows), differ in equal_opportunity by 0.3000, and at most 0.2 is",
    ),
    "CALIBRATION": (
        evidence_with(calibration=Calibration(ece=0.05, champion=0.05, brier=Interval(-0.2, 0.0, 0.2))),
        evidence_with(calibration=Calibration(ece=0.05, champion=0.05, brier=Interval(-0.2, -0.1, -0.02))),
        "is -0.1000, with the 95% confidence interval [-0.2000, -0.0200]; the gate fails if the whole interval",
    ),
    "FLIPS": (
        evidence_with(harm=NegativeFlips(rule="it is wrong now", count=30, share=0.1)),
        evidence_with(harm=NegativeFlips(rule="it is wrong now", count=31, share=31 / 300)),
        "On 31 held-out rows (10.3%), the challenger's prediction is worse than the champion's: it is wrong now.",
    ),
    "BEHAVIOUR": (
        evidence_with(behaviour=behaviour_test(None)),
        evidence_with(behaviour=behaviour_test("it does not")),
        "It holds: it does not. These tests are in tests/behaviour.py.",
    ),
    "ROBUSTNESS": (
        evidence_with(robustness=Robustness(order=None, missing={}, tried=1)),
        evidence_with(
            robustness=Robustness(order="the predictions differ", missing={"note": "KeyError: note"}, tried=1)
        ),
        "With the columns in another order: the predictions differ; With 'note' missing: KeyError: note.",
    ),
    "DETERMINISM": (
        evidence_with(determinism=Determinism(largest=1e-9)),
        evidence_with(determinism=Determinism(largest=0.01)),
        "differ by up to 0.01; at most 1e-06 is allowed. Pass `seed`",
    ),
    "CONTAMINATION": (
        evidence_with(determinism=Determinism(largest=1e-9)),
        evidence_with(determinism=Determinism(largest=0.01, repeats=True)),
        "it is the same model both times, and not the registered one: predictions differ by up to 0.01.",
    ),
    "LATENCY": (
        evidence_with(budgets=model_cost()),
        evidence_with(budgets=model_cost(request_ms=90.0)),
        "A request of one row takes 90.0 ms: 22.5 times as long as with the champion (4.0 ms), at most 20 times is "
        "allowed, 45.0 times as long as with a baseline estimator (2.0 ms), at most 100 times is allowed.",
    ),
    "SIZE": (
        evidence_with(budgets=model_cost()),
        evidence_with(budgets=model_cost(memory_mib=200.0)),
        "in memory, the model takes 200.0 MiB (150 MiB are allowed).",
    ),
}


@pytest.mark.parametrize("gate", [gate.id for gate in GATES])
def test_each_gate_passes(gate: str) -> None:
    """A gate without a pair above fails this test."""
    assert outcome_of(gate, PAIRS[gate][0]()).verdict == "passed"


@pytest.mark.parametrize("gate", [gate.id for gate in GATES])
def test_each_gate_refuses(gate: str) -> None:
    """The message has the figures that were judged."""
    outcome = outcome_of(gate, PAIRS[gate][1]())
    assert outcome.verdict == "refused"
    assert PAIRS[gate][2] in outcome.message


@pytest.mark.parametrize("gate", [gate.id for gate in GATES if gate.id != "FINITE"])
def test_evidence_against_one_gate_passes_all_others(gate: str) -> None:
    """So each pair is about its gate; NaN is left out, since it fails all gates that measure."""
    assert refusing_gates(PAIRS[gate][1]()) == (gate,)


def test_every_pair_has_a_gate() -> None:
    """The table lists the gates in their order."""
    assert list(PAIRS) == [gate.id for gate in GATES]


@pytest.mark.parametrize("gate", [gate.id for gate in GATES])
def test_a_gate_can_be_switched_off(gate: str) -> None:
    """It does not refuse, and its verdict is not "passed"."""
    evidence = PAIRS[gate][1]()
    rules = evidence.rules.model_copy(update={"off": (gate,)})
    outcome = outcome_of(gate, evidence.model_copy(update={"rules": rules}))
    assert (outcome.verdict, outcome.message) == ("off", "Switched off: [gates] off in model.toml.")


def test_every_gate_can_be_named_in_model_toml() -> None:
    """There are no other names."""
    assert set(get_args(GateId)) == {gate.id for gate in GATES}


@pytest.mark.parametrize("gate", [gate.id for gate in GATES])
def test_evidence_can_be_evaluated_from_its_json(gate: str) -> None:
    """Every gate has the same outcome for the evidence that was written."""
    for make in PAIRS[gate][:2]:
        reread = Evidence.model_validate_json(make().model_dump_json())
        assert [each.outcome_of(reread) for each in GATES] == [each.outcome_of(make()) for each in GATES]


# rules, figures, whether the gate LATENCY passes, and a part of its message
LATENCIES: dict[str, tuple[str, ModelCost, bool, str]] = {
    "a slow machine": ("", model_cost(request_ms=900.0, p95_ms=5000.0, champion_ms=800.0, baseline_ms=400.0), True, ""),
    "a first version": ("", model_cost(request_ms=50.0, champion_ms=None), True, "25.0 times as long as with a base"),
    "a first version that is too slow": ("", model_cost(request_ms=210.0, champion_ms=None), False, "105.0 times"),
    "a limit that is met": ("p95_ms = 7", model_cost(), True, "95 of 100 take at most 6.0 ms; 7 ms are allowed."),
    "a limit that is missed": ("p95_ms = 5.5", model_cost(), False, "95 of 100 take at most 6.0 ms; 5.5 ms are all"),
}


@pytest.mark.parametrize(("rules", "cost", "passes", "message"), LATENCIES.values(), ids=LATENCIES)
def test_latency_is_judged_by_ratios(rules: str, cost: ModelCost, passes: bool, message: str) -> None:
    """The load of the machine changes no ratio; a duration has a limit only if model.toml states one."""
    outcome = outcome_of("LATENCY", evidence_with(f"[gates.latency]\n{rules}", budgets=cost)())
    assert outcome.verdict == ("passed" if passes else "refused")
    assert message in outcome.message


INDEPENDENT: dict[str, Any] = {"column": "x1", "strength": 0.97, "best": 0.97, "is_independent": True}
# a column, and what the gate LEAKAGE says about it; nothing if it passes
SUSPICIOUS: dict[str, tuple[Leak, str]] = {
    "an honest strong column": (Leak(column="x1", strength=0.97, is_independent=False, peers_depend=True), ""),
    "independent of columns that depend on each other": (
        Leak(**INDEPENDENT, peers_depend=True),
        "of 0.9700 (1 is perfect), and it does not depend on any other column among rows with the same target",
    ),
    "a mark of one label": (
        Leak(**INDEPENDENT, peers_depend=True, label="late", marked=0.6),
        "or marks 60% of the rows with 'late', and it does not depend",
    ),
    "independent, as all columns are": (Leak(**INDEPENDENT, peers_depend=False, rest=0.95), ""),
    "far beyond all other columns": (
        Leak(**INDEPENDENT, peers_depend=False, rest=0.8),
        "(1 is perfect); all other columns together reach only 0.8000.",
    ),
    "new and far beyond all other columns": (
        Leak(column="x1", strength=0.97, is_independent=False, is_new=True, rest=0.8),
        "and is new since the champion was trained; all other columns together reach only 0.8000.",
    ),
    "almost perfect, as the others are": (Leak(column="x1", strength=0.995, is_independent=False, rest=0.99), ""),
    "almost perfect alone": (Leak(column="x1", strength=0.995, is_independent=False, rest=0.9), "at most 0.99 is"),
    "a mean of the target": (Leak(column="x1", strength=0.7, is_group_mean=True), "with the row's own target."),
}


@pytest.mark.parametrize(("leak", "message"), SUSPICIOUS.values(), ids=SUSPICIOUS)
def test_a_suspicious_column_is_named_with_what_was_seen(leak: Leak, message: str) -> None:
    """A column that a person has declared as known passes, and reviewers read it."""
    outcome = outcome_of("LEAKAGE", evidence_with(leaks=(leak,))())
    assert outcome.verdict == ("refused" if message else "passed")
    assert message in outcome.message
    assert "'x1'" in outcome.message
    known = evidence_with('[gates.leakage]\nknown = ["x1"]', leaks=(leak, Leak(column="x2", strength=0.6)))()
    declared = outcome_of("LEAKAGE", known)
    assert (declared.verdict, declared.aloud) == ("passed", True)
    assert "Declared as known, and not judged: 'x1'." in declared.message


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_nan_is_refused(value: float) -> None:
    """With one NaN or infinite number among 300, neither floor nor baseline nor champion passes."""
    inputs = comparison_input(one_bad_prediction(value), predictions_of(1))
    compared = compare(inputs, gather(inputs))
    assert compared.verdict == "refuse"
    assert compared.refused == ("FINITE", "FLOOR", "BASELINE", "CHAMPION")


def test_without_a_champion_the_other_gates_decide() -> None:
    """The gates about the champion give the reason why they do not apply."""
    inputs = comparison_input(predictions_of(2))
    compared = compare(inputs, gather(inputs))
    assert compared.verdict == "promote"
    not_applicable = {gate.id: gate.message for gate in compared.gates if gate.verdict == "not applicable"}
    assert {"COMPARABLE", "CHAMPION", "JUMP", "SLICES", "FLIPS", "SCHEMA", "HOLDOUT", "LABELS"} < set(not_applicable)
    assert not_applicable["CHAMPION"] == "There is no champion yet; the other gates decide alone."
    assert not_applicable["FAIRNESS"].startswith("Fairness was not measured")


@pytest.mark.parametrize("champion", [None, predictions_of(1)], ids=["no champion", "champion"])
def test_a_challenger_that_was_trained_under_another_split_is_incomparable(champion: Predictions | None) -> None:
    """It may have been trained on rows that are held out now, which would make it look better than it is."""
    inputs = comparison_input(predictions_of(2), champion)
    inputs = replace(inputs, challenger=scored_version("2", predictions_of(2), OTHER_SPLIT, list(range(100))))
    outcome = outcome_of("COMPARABLE", gather(inputs))
    assert outcome.verdict == "refused"
    assert "so the challenger may have trained on rows that are now held out" in outcome.message


def test_training_rows_that_were_dated_forward_count_as_changed() -> None:
    """The champion was trained on them, so they would favour it."""
    outcome = outcome_of("HOLDOUT", evidence_with(broken=row_changes(moved=3))())
    assert outcome.verdict == "refused"
    assert "0 are gone, and 3 changed training rows are held out now; that counts as 3.0%" in outcome.message


def test_without_a_floor_the_gate_does_not_apply() -> None:
    """It stops nothing."""
    outcome = outcome_of("FLOOR", evidence(config=configured("[gates.floor]\nroc_auc = 0.6", "")))
    assert outcome.verdict == "not applicable"
    assert "No floor is set" in outcome.message


@pytest.mark.parametrize(("floor", "verdict"), [(0.6, "passed"), (0.01, "refused")])
def test_a_loss_must_be_at_most_its_floor(floor: float, verdict: str) -> None:
    """A smaller loss is better, and the message is written for that."""
    outcome = outcome_of("FLOOR", evidence(config=configured("roc_auc = 0.6", f"log_loss = {floor}")))
    assert outcome.verdict == verdict
    assert f"must be at most {floor}" in outcome.message


def test_every_floor_must_be_reached() -> None:
    """One missed floor is enough for a refusal."""
    config = configured("roc_auc = 0.6", "roc_auc = 0.6\naccuracy = 0.9999")
    assert outcome_of("FLOOR", evidence(config=config)).verdict == "refused"


def improve_only(**rules: Any) -> Config:
    """A configuration in which only a better version replaces the champion."""
    return configured(policies=("improve",), **rules)


def refresh_only(**rules: Any) -> Config:
    """A configuration in which newer data is enough."""
    return configured(policies=("refresh",), **rules)


def in_units(value: float, gain: float, low: float, config: Config) -> Evidence:
    """Evidence about a metric without an upper limit: the other version's value, the gain and its lower end."""
    metrics = {
        "challenger": {"log_loss": value - gain},
        "champion": {"log_loss": value},
        "baseline": {"log_loss": value},
    }
    found = Interval(low, gain, 2 * gain - low)
    return evidence(2, 1, new=0.5, config=config).model_copy(
        update={"metric": "log_loss", "metrics": metrics, "champion_gain": found, "baseline_gain": found}
    )


def in_log_loss(**champion: Any) -> Config:
    """The sample's configuration with a metric without an upper limit."""
    return configured('metric = "roc_auc"', 'metric = "log_loss"', **champion)


# the champion's value, lower end of the gain, settings, whether the challenger replaces it, and a part of the message
REFRESH: dict[str, Any] = {"policies": ("refresh",)}
TENTH: dict[str, Any] = {"policies": ("improve",), "margin": 0.1}
MARGINS: dict[str, tuple[float, float, dict[str, Any], bool, str]] = {
    "refresh, 0.9 % worse than 46 bikes": (46, -0.41, REFRESH, True, "-0.46 (1% of the champion's log_loss)"),
    "refresh, 1.1 % worse than 46 bikes": (46, -0.51, REFRESH, False, "-0.46 (1% of the champion's log_loss)"),
    "refresh, 2 % worse than a small error": (0.1, -0.002, REFRESH, False, "-0.001 (1% of"),
    "improve by a tenth": (46, 4.7, TENTH, True, "4.6 (10% of the champion's log_loss)"),
    "improve by less": (46, 4.5, TENTH, False, "4.6 (10% of the champion's log_loss)"),
    "improve by anything": (46, 0.1, {"policies": ("improve",)}, True, "must be greater than 0;"),
}


@pytest.mark.parametrize(("value", "low", "rules", "replaces", "text"), MARGINS.values(), ids=MARGINS)
def test_margins_of_an_unbounded_metric_are_shares(
    value: float, low: float, rules: dict[str, Any], replaces: bool, text: str
) -> None:
    """One percent of an error is as much whether the target is counted in bikes or in euros."""
    outcome = outcome_of("CHAMPION", in_units(value, low + 0.05, low, in_log_loss(**rules)))
    assert (outcome.verdict == "passed") is replaces
    assert text in outcome.message


def test_the_margin_over_the_baseline_is_a_share_too() -> None:
    """The baseline's value is the unit."""
    config = configured("roc_auc = 0.6", "roc_auc = 0.6\n[gates.baseline]\nmargin = 0.1")
    verdicts = [outcome_of("BASELINE", in_units(46, 5, low, config)).verdict for low in (4.5, 4.7)]
    assert verdicts == ["refused", "passed"]
    assert "4.6 (10% of the baseline's log_loss)" in outcome_of("BASELINE", in_units(46, 5, 4.5, config)).message


def evidence_of_accuracy(better: int, worse: int) -> Evidence:
    """Evidence about two classifiers, judged by accuracy, each of which alone is right on so many rows."""
    accurate = evidence(2, 1, config=configured('metric = "roc_auc"', 'metric = "accuracy"'))
    test = binomtest(better, better + worse)
    return accurate.model_copy(update={"mcnemar": McNemar(better, worse, float(test.pvalue))})


# the evidence, whether the challenger may replace the champion, and a part of the message
CHAMPIONS: dict[str, tuple[Make, bool, str]] = {
    "better": (evidence_of(2, 1), True, "Policy improve passes"),
    "better, improve alone": (evidence_of(2, 1, config=improve_only()), True, "Policy improve passes"),
    "better, but not by the margin": (
        evidence_of(2, 1, config=improve_only(margin=0.5)),
        False,
        "must be greater than 0.5;",
    ),
    "a little better, within chance": (
        partial(gathered_evidence, predictions_of(1.05, seed=1), predictions_of(1)),
        False,
        "Policy improve fails",
    ),
    "worse": (evidence_of(1, 2), False, "Policy improve fails"),
    "worse on newer data": (evidence_of(1, 2, new=0.9), False, "90% is."),
    "a tie": (evidence_of(2, 2), False, "Policy improve fails: a tie; the champion stays."),
    "a tie on newer data": (evidence_of(2, 2, new=0.2), True, "Policy refresh passes"),
    "a tie on newer data, improve alone": (evidence_of(2, 2, new=0.2, config=improve_only()), False, "a tie"),
    "a tie on data with too little new": (
        evidence_of(2, 2, new=0.05),
        False,
        "10% of the data must be new to the champion; 5% is.",
    ),
    "a tie on exactly the share": (evidence_of(2, 2, new=0.1), True, "Policy refresh passes"),
    "slightly worse on newer data": (
        evidence_of(1.99, 2, new=0.2, config=refresh_only(refresh_margin=0.05)),
        True,
        "must be greater than -0.05",
    ),
    "right more often by chance": (
        partial(evidence_of_accuracy, 18, 10),
        False,
        "McNemar's test may be at most 0.05: only the challenger is right on 18 rows",
    ),
    "right more often": (partial(evidence_of_accuracy, 30, 10), True, "only the champion on 10, p is 0.0022."),
    "too few rows": (
        evidence_of(20, 1, rows=99),
        False,
        "Not enough evidence: 99 rows are held out, 100 are needed.",
    ),
    "just enough rows": (evidence_of(20, 1, rows=100), True, "Policy improve passes"),
    "too few rows on newer data": (evidence_of(2, 2, rows=99, new=0.9), False, "Not enough evidence"),
    "the champion predicts NaN": (
        partial(gathered_evidence, predictions_of(2), one_bad_prediction(np.nan)),
        False,
        "Policy improve fails",
    ),
    "a loss": (
        evidence_of(2, 1, config=configured('metric = "roc_auc"', 'metric = "log_loss"')),
        True,
        "Policy improve passes",
    ),
    "a larger loss": (
        evidence_of(1, 2, config=configured('metric = "roc_auc"', 'metric = "log_loss"')),
        False,
        "Policy improve fails",
    ),
}


@pytest.mark.parametrize(("make", "replaces", "text"), CHAMPIONS.values(), ids=CHAMPIONS)
def test_which_challenger_replaces_the_champion(make: Make, replaces: bool, text: str) -> None:
    """A tie, chance or too few rows leave the champion in place."""
    outcome = outcome_of("CHAMPION", make())
    assert (outcome.verdict == "passed") is replaces
    assert text in outcome.message


def test_the_interval_is_independent_of_the_batch_size(monkeypatch: pytest.MonkeyPatch) -> None:
    """A large holdout is resampled one by one to save memory, a small one in batches."""
    interval = gathered_evidence(predictions_of(1.2), predictions_of(1)).champion_gain
    monkeypatch.setattr("gitops_ml.training.gain.AT_ONCE", 1)
    assert gathered_evidence(predictions_of(1.2), predictions_of(1)).champion_gain == interval


@pytest.mark.slow
def test_the_interval_contains_the_gain() -> None:
    """It is the same for the same seed, and wider for a higher confidence."""
    low_confidence, high_confidence = (configured("= 100", f"= 4000\nconfidence = {level}") for level in (0.95, 0.999))
    first, reread = (
        gathered_evidence(predictions_of(1.2), predictions_of(1), config=low_confidence).champion_gain for _ in range(2)
    )
    wide = gathered_evidence(predictions_of(1.2), predictions_of(1), config=high_confidence).champion_gain
    assert first is not None
    assert wide is not None
    assert first == reread
    assert wide.low < first.low < first.point < first.high < wide.high


def test_the_interval_is_paired() -> None:
    """Both versions are measured on the same resampled rows, so rows that are hard for both do not widen it."""
    near, far = predictions_of(1.05), predictions_of(1.05, seed=1)
    gains = [gathered_evidence(each, predictions_of(1)).champion_gain for each in (near, far)]
    widths = [gain.high - gain.low for gain in gains if gain]
    assert widths[0] < widths[1] / 5


def test_a_rare_class_has_an_interval() -> None:
    """Many resamples of 300 rows have none of three positives and are left out."""
    gain = gathered_evidence(predictions_of(4, 0.01), predictions_of(0, 0.01), positives=0.01).champion_gain
    assert gain is not None
    assert np.isfinite([gain.low, gain.high]).all()


def test_the_champion_is_not_promoted_again() -> None:
    """The verdict for the same digest is "champion", whatever the gates decide."""
    inputs = comparison_input(predictions_of(2), predictions_of(2))
    inputs_against_itself = replace(inputs, champion=inputs.challenger)
    assert compare(inputs_against_itself, gather(inputs_against_itself)).verdict == "champion"


def test_evidence_has_the_share_of_new_data() -> None:
    """Without a champion there is no such share."""
    assert gathered_evidence(predictions_of(2), predictions_of(1), new=0.25).share_new == 0.25
    assert gathered_evidence(predictions_of(2)).share_new is None


def test_a_comparison_can_be_read_from_its_json() -> None:
    """A NaN becomes null, since JSON has no NaN."""
    inputs = comparison_input(one_bad_prediction(np.nan), predictions_of(1))
    compared = compare(inputs, gather(inputs))
    assert ": NaN" not in compared.to_json()
    assert Comparison.model_validate_json(compared.to_json()) == compared


def test_every_gate_has_a_title_and_a_message() -> None:
    """They are in its docstring."""
    for gate in GATES:
        title, _, message = str(type(gate).__doc__).partition("\n")
        assert title, gate.id
        assert "{" in message, gate.id


def test_a_first_champion_is_judged_by_its_own_rules_aloud() -> None:
    """The reviewer of the first promotion reads which rules these are."""
    outcome = outcome_of("RULES", evidence_with(review=Review(before=None, first="No version was ever promoted."))())
    assert (outcome.verdict, outcome.message, outcome.aloud) == ("passed", "No version was ever promoted.", True)
