"""The gates, in pairs: what each lets pass, and what it refuses."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache, partial
from typing import Any, get_args

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit
from scipy.stats import binomtest

from gitops_ml.config import Config, GateId, Split, parse
from gitops_ml.manifest import digest_json
from gitops_ml.predictions import Predictions
from gitops_ml.run import Lineage, Run
from gitops_ml.training.compare import Comparison, compare
from gitops_ml.training.evidence import Evidence, gather
from gitops_ml.training.findings.behaviour import Behaviour
from gitops_ml.training.findings.budgets import Budgets
from gitops_ml.training.findings.calibration import Calibration
from gitops_ml.training.findings.claims import Claim
from gitops_ml.training.findings.determinism import Determinism
from gitops_ml.training.findings.fairness import Disparity
from gitops_ml.training.findings.harm import Harm
from gitops_ml.training.findings.leaks import Leak
from gitops_ml.training.findings.losses import Loss, Losses
from gitops_ml.training.findings.provenance import Provenance
from gitops_ml.training.findings.robustness import Robustness
from gitops_ml.training.findings.signature import Signature
from gitops_ml.training.findings.twins import Twins
from gitops_ml.training.gain import Interval
from gitops_ml.training.gates import GATES, Outcome
from gitops_ml.training.mcnemar import McNemar
from gitops_ml.training.review import Review
from gitops_ml.training.seal import Broken
from gitops_ml.training.train import Prepared
from gitops_ml.training.trial import Scored, Trial
from unit.sample import MODEL_TOML

ROWS = 300
CONFIG = parse(MODEL_TOML)
Make = Callable[[], Evidence]
OTHER_SPLIT = Split(method="hash", column="id", holdout=0.2)


def configured(old: str = "", new: str = "", **champion: Any) -> Config:
    """The sample's configuration with a change, and with other rules about the champion."""
    config = parse(MODEL_TOML.replace(old, new) if old else MODEL_TOML)
    rules = config.gates.champion.model_copy(update=champion)
    return config.model_copy(update={"gates": config.gates.model_copy(update={"champion": rules})})


def lineage(split: Split = CONFIG.split) -> Lineage:
    """Of a training that never was."""
    return Lineage(
        commit=None, dirty=False, data="sha256:d", rows=2 * ROWS, holdout="sha256:h", holdout_rows=ROWS, split=split,
        training="sha256:t", configuration="sha256:c", lock=None, python="3.11", libraries={},
    )  # fmt: skip


def prepared(positives: float = 0.5) -> Prepared:
    """Rows whose target alone matters here; a share of them is "yes"."""
    labels = np.where(np.arange(ROWS) < round(ROWS * positives), "yes", "no")
    frame = pd.DataFrame({"id": [f"r{n}" for n in range(ROWS)], "label": labels})
    return Prepared(frame, frame, frame["id"], lineage())


def says(strength: float, positives: float = 0.5, seed: int = 0) -> Predictions:
    """What a model says that knows the truth with this strength, beside its noise, and how sure it may be of it."""
    truth = prepared(positives).held_out["label"].to_numpy() == "yes"
    noise = np.random.default_rng(seed).normal(size=ROWS)
    yes = expit(2 * strength * (strength * (2 * truth - 1) + noise))
    return Predictions(np.where(yes > 0.5, "yes", "no"), np.column_stack([1 - yes, yes]), ("no", "yes"))


def spoilt(value: float) -> Predictions:
    """A perfect model, but for one row."""
    said = says(20)
    assert said.probabilities is not None
    said.probabilities[3, 1] = value
    return said


def scored(number: str, predictions: Predictions, split: Split, sketch: list[int]) -> Scored:
    """A version that says this."""
    run = Run(
        model="sample", task="classification", created="2026-01-01", forced=False, key="id", target="label", columns={},
        classes=predictions.classes, parameters={}, metrics={}, lineage=lineage(split),
    )  # fmt: skip
    return Scored(number, digest_json(number), run, sketch, {"columns": {}}, predictions, own_code=False)


def tried(
    challenger: Predictions, champion: Predictions | None = None, *, config: Config = CONFIG, positives: float = 0.5,
    new: float = 0.0, champion_split: Split = CONFIG.split,
) -> Trial:  # fmt: skip
    """A trial of what two models say; a share of the challenger's data is new to the champion."""
    ours = scored("2", challenger, config.split, list(range(100)))
    theirs = scored("1", champion, champion_split, list(range(round(100 * new), 100))) if champion else None
    return Trial(config, prepared(positives=positives), ours, theirs)


def gathered(challenger: Predictions, champion: Predictions | None = None, **rules: Any) -> Evidence:
    """Evidence from such a trial."""
    return gather(tried(challenger, champion, **rules))


@cache
def measured(challenger: float, champion: float | None, metric: str) -> Evidence:
    """Evidence about two models of some strength; measured once, whatever the rules."""
    config = configured('metric = "roc_auc"', f'metric = "{metric}"')
    return gathered(says(challenger), says(champion) if champion is not None else None, config=config)


def evidence(
    challenger: float = 2, champion: float | None = None, *, config: Config = CONFIG, rows: int = ROWS, new: float = 0.0
) -> Evidence:
    """The same under other rules, with other rows, on newer data."""
    found = measured(challenger, champion, config.evaluation.metric)
    share = None if champion is None else new
    return found.model_copy(update={"rules": config.gates, "rows": rows, "share_new": share})


def given(*strengths: float, **rules: Any) -> Make:
    """The same, made when it is asked for."""
    return partial(evidence, *strengths, **rules)


def found(rules: str = "", champion: float | None = 1, **figures: Any) -> Make:
    """Evidence about a better model in which some figures are others, under rules of its own."""
    config = configured("[gates.floor]", f"{rules}\n[gates.floor]")
    return lambda: evidence(2, champion, config=config).model_copy(update=figures)


def judged(gate: str, evidence: Evidence) -> Outcome:
    """What one gate says."""
    return next(each for each in GATES if each.id == gate).outcome_of(evidence)


def refused(evidence: Evidence) -> tuple[str, ...]:
    """The gates that refuse."""
    return tuple(gate.id for gate in GATES if gate.outcome_of(evidence).verdict == "refused")


def signature(**changes: Any) -> Signature:
    """Of two versions that differ in this."""
    return Signature(**{"added": (), "removed": (), "retyped": {}, "labels": (), **changes})


def origin(**changes: Any) -> Provenance:
    """Complete but for this."""
    return Provenance(**{"dirty": False, "commit": True, "data": True, "unpinned": (), **changes})


def seal(**changes: Any) -> Broken:
    """A hundred rows on each side, unchanged but for this."""
    whole = {"held": 100, "changed": 0, "gone": 0, "trained": 100, "relabelled": 0, "gone_share": 0.0}
    return Broken(**{**whole, **changes})


def lost(low: float) -> Losses:
    """One slice whose loss is surely this large."""
    return Losses(measured=9, worst=(Loss(name="kind = a", rows=40, loss=low + 0.1, low=low, high=low + 0.2),))


def apart(value: float) -> tuple[Disparity, ...]:
    """Two groups that differ by this."""
    return (Disparity(attribute="kind", measure="equal_opportunity", value=value, groups={"a": 50, "b": 60}),)


def cost(**changes: Any) -> Budgets:
    """Little but for this."""
    return Budgets(**{"p95_ms": 5.0, "champion_ms": 4.0, "file_mib": 1.0, "memory_mib": 1.0, **changes})


def promise(broken: str | None) -> tuple[Behaviour, ...]:
    """One test of the owner's."""
    return (Behaviour(name="test_it", promise="It holds.", broken=broken),)


DECLARED = '[gates.fairness]\nattributes = ["kind"]'
# for each gate, evidence that it passes and evidence that it refuses, and the figure that its message names
PAIRS: dict[str, tuple[Make, Make, str]] = {
    "FINITE": (given(2), partial(gathered, spoilt(np.nan)), "1 of the challenger's 300 predictions"),
    "SCHEMA": (
        found(signature=signature()),
        found(signature=signature(added=("x9",), retyped={"x1": ("str", "float64")}, labels=("maybe",))),
        "Column 'x9' is new; column 'x1' is float64, was str; label 'maybe' comes or goes. Callers would have to",
    ),
    "PROVENANCE": (
        found(provenance=origin()),
        found(provenance=origin(dirty=True, unpinned=("numpy 1.0",))),
        "It was trained from files that are not committed; not as the lock pins: numpy 1.0.",
    ),
    "CLAIMS": (
        found(claims=()),
        found(claims=(Claim(metric="roc_auc", claimed=0.99, measured=0.7),)),
        "roc_auc was said to be 0.9900 and is 0.7000, on the same rows.",
    ),
    "RULES": (
        found(review=Review(before="a" * 40, alone=("flips.worse: 0.1 → 0.2",))),
        found(review=Review(before="a" * 40, together=("flips.worse: 0.1 → 0.2",))),
        "Loosened: flips.worse: 0.1 → 0.2. The same change also changed what is trained.",
    ),
    "HOLDOUT": (
        found(broken=seal(gone=10, gone_share=0.1)),
        found(broken=seal(changed=1)),
        "Of 100 held-out rows that the champion's run noted, 1 have changed and 0 are gone; that is 1.0%",
    ),
    "LABELS": (
        found(broken=seal(relabelled=1)),
        found(broken=seal(relabelled=2)),
        "Of 100 training rows that the champion's run noted, 2 have another target now (2.0%); at most 1.0% may.",
    ),
    "DUPLICATES": (
        found(twins=Twins(count=3, share=0.01, examples=("r1",))),
        found(twins=Twins(count=30, share=0.1, examples=("r1", "r2"))),
        "30 held-out rows (10.0%) stand among the training rows too, such as 'r1', 'r2'; at most 5.0% may.",
    ),
    "LEAKAGE": (
        found(leaks=(Leak(column="x1", strength=0.9),)),
        found(leaks=(Leak(column="x1", strength=0.999),)),
        "'x1' predicts the target alone with 0.9990; at most 0.99 is believed.",
    ),
    "FLOOR": (
        given(2),
        given(config=configured("roc_auc = 0.6", "roc_auc = 0.999")),
        "must be at least 0.999.",
    ),
    "BASELINE": (
        given(2),
        given(0, config=configured("roc_auc = 0.6", "roc_auc = 0.3\n[gates.baseline]\nmargin = 0.1")),
        "that of always giving the most common answer 0.5000; the gain lies in [",
    ),
    "COMPARABLE": (
        given(2, 1),
        partial(gathered, says(2), says(1), champion_split=OTHER_SPLIT),
        "The split changed from hash of 'id' (0.2 of the rows) to hash of 'id' (0.4 of the rows)",
    ),
    "CHAMPION": (
        given(2, 1),
        found(champion_gain=Interval(-0.1, 0.0, 0.1)),
        "Policy improve fails: the whole interval must lie above 0;",
    ),
    "JUMP": (
        given(2, 1),
        found("[gates.jump]\nshare = 0.5"),
        "of the champion's distance to perfection vanishes at once, and at most 50% may.",
    ),
    "SLICES": (
        found(losses=lost(0.01)),
        found(losses=lost(0.06)),
        "Where kind = a (40 rows), a row loses 0.1600 on average [0.0600, 0.2600]; surely more than 0.05",
    ),
    "FAIRNESS": (
        found(DECLARED, disparities=apart(0.1)),
        found(DECLARED, disparities=apart(0.3)),
        "Equal_opportunity of kind differs by 0.3000 between a (50 rows) and b (60 rows), at most 0.2 is allowed.",
    ),
    "CALIBRATION": (
        found(calibration=Calibration(ece=0.05, champion=0.05, brier=Interval(-0.2, 0.0, 0.2))),
        found(calibration=Calibration(ece=0.05, champion=0.05, brier=Interval(-0.2, -0.1, -0.02))),
        "the Brier score gains -0.1000 over the champion's [-0.2000, -0.0200], and may not surely lose 0.01.",
    ),
    "FLIPS": (
        found(harm=Harm(rule="it was right", count=30, share=0.1)),
        found(harm=Harm(rule="it was right", count=31, share=31 / 300)),
        "31 held-out rows (10.3%) get worse: it was right; at most 10.0% may.",
    ),
    "BEHAVIOUR": (
        found(behaviour=promise(None)),
        found(behaviour=promise("it does not")),
        "It holds: it does not. These tests are yours: tests/behaviour.py.",
    ),
    "ROBUSTNESS": (
        found(robustness=Robustness(order=None, missing={}, tried=1)),
        found(robustness=Robustness(order="the answers are others", missing={"note": "KeyError: note"}, tried=1)),
        "With the columns in another order: the answers are others; Without 'note': KeyError: note.",
    ),
    "DETERMINISM": (
        found(determinism=Determinism(largest=1e-9)),
        found(determinism=Determinism(largest=0.01)),
        "are off by up to 0.01; at most 1e-06 may be. Let everything",
    ),
    "LATENCY": (
        found(budgets=cost()),
        found(budgets=cost(p95_ms=90.0)),
        "95 of 100 single rows take at most 90.0 ms, the champion's 4.0 ms; 100 ms are allowed, and 20 times",
    ),
    "SIZE": (
        found(budgets=cost()),
        found(budgets=cost(memory_mib=200.0)),
        "Its file has 1.0 MiB and may have 45; in memory it takes 200.0 MiB and may take 150.",
    ),
}


@pytest.mark.parametrize("gate", [gate.id for gate in GATES])
def test_each_gate_passes(gate: str) -> None:
    """A gate without a pair above fails here."""
    assert judged(gate, PAIRS[gate][0]()).verdict == "passed"


@pytest.mark.parametrize("gate", [gate.id for gate in GATES])
def test_each_gate_refuses(gate: str) -> None:
    """With the figures that it judged by."""
    outcome = judged(gate, PAIRS[gate][1]())
    assert outcome.verdict == "refused"
    assert PAIRS[gate][2] in outcome.message


@pytest.mark.parametrize("gate", [gate.id for gate in GATES if gate.id != "FINITE"])
def test_what_a_gate_refuses_passes_all_others(gate: str) -> None:
    """So the pair is about this gate; a NaN alone fails all that measure."""
    assert refused(PAIRS[gate][1]()) == (gate,)


def test_no_pair_is_about_a_gate_that_is_gone() -> None:
    """The table names the gates there are, in their order."""
    assert list(PAIRS) == [gate.id for gate in GATES]


@pytest.mark.parametrize("gate", [gate.id for gate in GATES])
def test_a_gate_that_is_switched_off_says_so(gate: str) -> None:
    """It refuses nothing, and is no gate that passed."""
    evidence = PAIRS[gate][1]()
    rules = evidence.rules.model_copy(update={"off": (gate,)})
    outcome = judged(gate, evidence.model_copy(update={"rules": rules}))
    assert (outcome.verdict, outcome.message) == ("off", "Switched off: [gates] off in model.toml.")


def test_every_gate_can_be_named_in_model_toml() -> None:
    """And no name there is of a gate that is gone."""
    assert set(get_args(GateId)) == {gate.id for gate in GATES}


@pytest.mark.parametrize("gate", [gate.id for gate in GATES])
def test_evidence_can_be_judged_again_from_its_json(gate: str) -> None:
    """Every gate says of what was written down what it said at first."""
    for make in PAIRS[gate][:2]:
        again = Evidence.model_validate_json(make().model_dump_json())
        assert [each.outcome_of(again) for each in GATES] == [each.outcome_of(make()) for each in GATES]


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_nan_never_wins(value: float) -> None:
    """One NaN or infinite number among 300, and neither floor nor baseline nor champion passes."""
    trial = tried(spoilt(value), says(1))
    compared = compare(trial, gather(trial))
    assert compared.verdict == "refuse"
    assert compared.refused == ("FINITE", "FLOOR", "BASELINE", "CHAMPION")


def test_without_a_champion_the_others_decide() -> None:
    """And the gates about the champion say why they do not apply."""
    trial = tried(says(2))
    compared = compare(trial, gather(trial))
    assert compared.verdict == "promote"
    idle = {gate.id: gate.message for gate in compared.gates if gate.verdict == "not applicable"}
    assert {"COMPARABLE", "CHAMPION", "JUMP", "SLICES", "FLIPS", "SCHEMA", "HOLDOUT", "LABELS"} < set(idle)
    assert idle["CHAMPION"] == "There is no champion yet; the other gates decide alone."
    assert idle["FAIRNESS"].startswith("Nobody looked")


def test_without_a_floor_the_gate_says_so() -> None:
    """It hinders nothing."""
    outcome = judged("FLOOR", evidence(config=configured("[gates.floor]\nroc_auc = 0.6", "")))
    assert outcome.verdict == "not applicable"
    assert "No floor is set" in outcome.message


@pytest.mark.parametrize(("floor", "verdict"), [(0.6, "passed"), (0.01, "refused")])
def test_a_loss_must_be_at_most_its_floor(floor: float, verdict: str) -> None:
    """Less is better there, and the sentence says so."""
    outcome = judged("FLOOR", evidence(config=configured("roc_auc = 0.6", f"log_loss = {floor}")))
    assert outcome.verdict == verdict
    assert f"must be at most {floor}" in outcome.message


def test_every_floor_must_be_reached() -> None:
    """One that is not is enough."""
    config = configured("roc_auc = 0.6", "roc_auc = 0.6\naccuracy = 0.9999")
    assert judged("FLOOR", evidence(config=config)).verdict == "refused"


def improve_only(**rules: Any) -> Config:
    """Nothing but a better version will do."""
    return configured(policies=("improve",), **rules)


def refresh_only(**rules: Any) -> Config:
    """Newer data will do."""
    return configured(policies=("refresh",), **rules)


def chances(better: int, worse: int) -> Evidence:
    """Two classifiers, judged by accuracy, of which one alone is right on so many rows."""
    accurate = evidence(2, 1, config=configured('metric = "roc_auc"', 'metric = "accuracy"'))
    test = binomtest(better, better + worse)
    return accurate.model_copy(update={"mcnemar": McNemar(better, worse, float(test.pvalue))})


# the evidence, whether the challenger may replace the champion, and what the message says
CHAMPIONS: dict[str, tuple[Make, bool, str]] = {
    "better": (given(2, 1), True, "Policy improve holds"),
    "better, improve alone": (given(2, 1, config=improve_only()), True, "Policy improve holds"),
    "better, but not by the margin": (given(2, 1, config=improve_only(margin=0.5)), False, "must lie above 0.5;"),
    "a little better, within chance": (partial(gathered, says(1.05, seed=1), says(1)), False, "Policy improve fails"),
    "worse": (given(1, 2), False, "Policy improve fails"),
    "worse on newer data": (given(1, 2, new=0.9), False, "90% is."),
    "a tie": (given(2, 2), False, "Policy improve fails: a tie; the champion stays."),
    "a tie on newer data": (given(2, 2, new=0.2), True, "Policy refresh holds"),
    "a tie on newer data, improve alone": (given(2, 2, new=0.2, config=improve_only()), False, "a tie"),
    "a tie on data with too little new": (given(2, 2, new=0.05), False, "10% of the data must be new; 5% is."),
    "a tie on exactly the share": (given(2, 2, new=0.1), True, "Policy refresh holds"),
    "slightly worse on newer data": (
        given(1.99, 2, new=0.2, config=refresh_only(refresh_margin=0.05)), True, "must lie above -0.05",
    ),
    "as often right by chance": (
        partial(chances, 18, 10), False, "McNemar's p may be at most 0.05: the challenger alone is right on 18 rows",
    ),
    "right more often": (partial(chances, 30, 10), True, "the champion alone on 10, p is 0.0022."),
    "too few rows": (
        given(20, 1, rows=99), False, "Not enough evidence: 99 rows are held out, 100 are needed.",
    ),
    "just enough rows": (given(20, 1, rows=100), True, "Policy improve holds"),
    "too few rows on newer data": (given(2, 2, rows=99, new=0.9), False, "Not enough evidence"),
    "the champion says NaN": (partial(gathered, says(2), spoilt(np.nan)), False, "Policy improve fails"),
    "less is better": (
        given(2, 1, config=configured('metric = "roc_auc"', 'metric = "log_loss"')), True, "Policy improve holds",
    ),
    "less is better, and it is more": (
        given(1, 2, config=configured('metric = "roc_auc"', 'metric = "log_loss"')), False, "Policy improve fails",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("make", "wins", "sentence"), CHAMPIONS.values(), ids=CHAMPIONS)
def test_who_replaces_the_champion(make: Make, wins: bool, sentence: str) -> None:
    """Improve, or refresh; a tie, chance or too few rows leave the champion in place."""
    outcome = judged("CHAMPION", make())
    assert (outcome.verdict == "passed") is wins
    assert sentence in outcome.message


def test_the_interval_does_not_depend_on_how_many_are_measured_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A large holdout is resampled one by one, for the sake of memory; a small one a thousand times at once."""
    together = gathered(says(1.2), says(1)).champion_gain
    monkeypatch.setattr("gitops_ml.training.gain.AT_ONCE", 1)
    assert gathered(says(1.2), says(1)).champion_gain == together


@pytest.mark.slow
def test_the_interval_is_about_the_gain() -> None:
    """It holds the gain, is the same for the same seed, and a higher confidence widens it."""
    usual, sure = (configured("= 100", f"= 4000\nconfidence = {level}") for level in (0.95, 0.999))
    first, again = (gathered(says(1.2), says(1), config=usual).champion_gain for _ in range(2))
    wide = gathered(says(1.2), says(1), config=sure).champion_gain
    assert first is not None
    assert wide is not None
    assert first == again
    assert wide.low < first.low < first.point < first.high < wide.high


def test_the_interval_is_paired() -> None:
    """Both are measured on the same resampled rows, so what is hard for both widens nothing."""
    near, far = says(1.05), says(1.05, seed=1)
    gains = [gathered(each, says(1)).champion_gain for each in (near, far)]
    widths = [gain.high - gain.low for gain in gains if gain]
    assert widths[0] < widths[1] / 5


def test_a_rare_class_leaves_an_interval() -> None:
    """Many resamples of 300 rows hold none of three positives; the others speak."""
    gain = gathered(says(4, 0.01), says(0, 0.01), positives=0.01).champion_gain
    assert gain is not None
    assert np.isfinite([gain.low, gain.high]).all()


def test_the_champion_against_itself_is_no_promotion() -> None:
    """The same digest is the champion already, whatever the gates say."""
    trial = tried(says(2), says(2))
    itself = replace(trial, champion=trial.challenger)
    assert compare(itself, gather(itself)).verdict == "champion"


def test_evidence_says_what_is_new_to_the_champion() -> None:
    """And nothing of that kind where there is none."""
    assert gathered(says(2), says(1), new=0.25).share_new == 0.25
    assert gathered(says(2)).share_new is None


def test_a_comparison_survives_its_own_json() -> None:
    """A NaN becomes null, for JSON has none."""
    trial = tried(spoilt(np.nan), says(1))
    compared = compare(trial, gather(trial))
    assert ": NaN" not in compared.to_json()
    assert Comparison.model_validate_json(compared.to_json()) == compared


def test_every_gates_docstring_is_a_title_and_a_message() -> None:
    """They are what people read."""
    for gate in GATES:
        title, _, message = str(type(gate).__doc__).partition("\n")
        assert title, gate.id
        assert "{" in message, gate.id
